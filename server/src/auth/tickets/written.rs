//! What a ticket stands for, as one node writes it for another.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use synapti_protocol::graph_id::GraphId;

use super::Ticket;
use crate::auth::{
    access::{Access, Grant},
    role::Role,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Of whoever asked for it.
    grant: WrittenGrant,
    /// The only map that it is for, if it is for one.
    #[serde(deserialize_with = "Option::deserialize")]
    graph: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGrant {
    client: String,
    display_name: Option<String>,
    is_admin: bool,
    everywhere: Option<String>,
    graphs: HashMap<String, String>,
    #[serde(deserialize_with = "Option::deserialize")]
    expires_at: Option<Timestamp>,
}

/// `None` for somebody who has no name: what stands for the right to everything is not written down.
pub(super) fn write(ticket: &Ticket) -> Option<Vec<u8>> {
    let role = |role: Role| role.as_str().to_owned();
    let grant = ticket.access.grant()?;
    let grant = WrittenGrant {
        client: grant.client.clone(),
        display_name: grant.display_name.clone(),
        is_admin: grant.is_admin,
        everywhere: grant.everywhere.map(role),
        graphs: grant.graphs.iter().map(|(graph, of)| (graph.to_string(), role(*of))).collect(),
        expires_at: grant.expires_at,
    };
    let written = Written { grant, graph: ticket.graph.as_ref().map(ToString::to_string) };
    serde_json::to_vec(&written).ok()
}

/// `None` when any of it is missing or not understood: less of it could mean more rights, as where a role for one map takes away.
pub(super) fn read(bytes: &[u8]) -> Option<Ticket> {
    let Written { grant, graph } = serde_json::from_slice(bytes).ok()?;
    let access = Access::granted(granted(grant)?);
    let graph = match graph {
        Some(graph) => Some(graph.parse().ok()?),
        None => None,
    };
    Some(Ticket { access, graph })
}

fn granted(written: WrittenGrant) -> Option<Grant> {
    let WrittenGrant { client, display_name, is_admin, everywhere, graphs, expires_at } = written;
    let everywhere = match everywhere {
        Some(role) => Some(Role::from_name(&role)?),
        None => None,
    };
    let graphs = graphs
        .into_iter()
        .map(|(graph, role)| Some((graph.parse::<GraphId>().ok()?, Role::from_name(&role)?)))
        .collect::<Option<_>>()?;
    Some(Grant { client, display_name, is_admin, everywhere, graphs, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let grant = Grant {
            client: "ada".to_owned(),
            display_name: Some("Ada".to_owned()),
            is_admin: false,
            everywhere: Some(Role::Viewer),
            graphs: [("mine".parse().unwrap(), Role::Owner), ("theirs".parse().unwrap(), Role::Commenter)].into(),
            expires_at: Some(Timestamp::from_microsecond(1_700_000_000_123_456).unwrap()),
        };
        for grant in [grant, Grant { client: "root".to_owned(), is_admin: true, ..Grant::default() }] {
            let ticket = Ticket { access: Access::granted(grant.clone()), graph: "mine".parse().ok() };
            let read = read(&write(&ticket).unwrap()).unwrap();
            assert_eq!((read.access.grant(), read.graph), (Some(&grant), ticket.graph));
        }
        assert!(write(&Ticket { access: Access::open(), graph: None }).is_none());
    }

    #[test]
    fn what_is_not_understood_gives_nothing() {
        let ticket = Ticket { access: Access::granted(Grant::default()), graph: None };
        let written = String::from_utf8(write(&ticket).unwrap()).unwrap();
        for (part, other) in [
            ("\"everywhere\":null", "\"everywhere\":\"emperor\""),
            ("\"graphs\":{}", "\"graphs\":{\"mine\":\"emperor\"}"),
            ("\"graph\":null", "\"graph\":\"not an id\""),
            ("\"graph\":null", "\"graph\":null,\"only_on_mondays\":true"),
            (",\"graph\":null", ""),
            (",\"expires_at\":null", ""),
            (",\"graphs\":{}", ""),
            ("\"is_admin\":false,", ""),
        ] {
            assert!(written.contains(part), "{written}");
            assert!(read(written.replace(part, other).as_bytes()).is_none(), "{other}");
        }
        for nothing in ["", "{}", "null", "{\"grant\":null,\"graph\":null}"] {
            assert!(read(nothing.as_bytes()).is_none(), "{nothing}");
        }
    }
}
