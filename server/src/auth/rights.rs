//! The table of rights: what each action needs, and which action each route is. Nothing else decides about access.

use super::role::Role;

/// What somebody does with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read it as it is, live too.
    Read,
    /// Show one's presence to those who have it open.
    ShowPresence,
    /// Change it, over any transport.
    Edit,
    /// Make it, also by joining one that is not there.
    Create,
    /// Delete it for good.
    Delete,
    /// List its versions and look at them.
    ReadVersions,
    /// Keep, name or remove a version.
    ChangeVersions,
    /// Make it what it was.
    Restore,
}

impl Action {
    /// The least role that may.
    pub const fn role(self) -> Role {
        match self {
            Self::Read | Self::ShowPresence | Self::ReadVersions => Role::Viewer,
            Self::Edit | Self::Create | Self::ChangeVersions | Self::Restore => Role::Editor,
            Self::Delete => Role::Owner,
        }
    }
}

/// What a request needs before its handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing at all.
    Nothing,
    /// To be signed in. The handler asks [`Action::Read`] or [`Action::Create`] for the maps that it is about.
    SignedIn,
    /// The same; the token may stand in the URL, because a browser's event streams can send no header.
    SignedInStream,
    /// The right to do this in the map that the path names.
    In(Action),
    /// The same, with the token in the URL if need be.
    InStream(Action),
    /// The same, asked by the transport: a refusal is a close code after the upgrade, because a browser sees nothing else.
    OnSocket(Action),
    /// To be an operator.
    Admin,
}

const READ: Need = Need::In(Action::Read);
const EDIT: Need = Need::In(Action::Edit);
const CHANGE_VERSIONS: Need = Need::In(Action::ChangeVersions);
const READ_VERSIONS: Need = Need::In(Action::ReadVersions);

/// Method, route and need. A route that is not here needs an operator.
pub const ROUTES: &[(&str, &str, Need)] = &[
    // The page and its files hold no data; what it shows it asks for with a token.
    ("GET", "/", Need::Nothing),
    ("GET", "/m/{graph_id}", Need::Nothing),
    ("GET", "/assets/{name}", Need::Nothing),
    ("GET", "/docs", Need::Nothing),
    ("GET", "/docs/", Need::Nothing),
    ("GET", "/docs/{*rest}", Need::Nothing),
    ("GET", "/openapi.json", Need::Nothing),
    // Asked by machines that hold no tokens. A proxy should keep /metrics from the public.
    ("GET", "/health", Need::Nothing),
    ("GET", "/live", Need::Nothing),
    ("GET", "/ready", Need::Nothing),
    ("GET", "/metrics", Need::Nothing),
    ("POST", "/v1/tickets", Need::SignedIn),
    ("GET", "/v1/graphs", Need::SignedIn),
    ("POST", "/v1/graphs", Need::SignedIn),
    ("POST", "/v1/graphs/import", Need::SignedIn),
    // A map may have that id.
    ("GET", "/v1/graphs/import", READ),
    ("PATCH", "/v1/graphs/import", EDIT),
    ("DELETE", "/v1/graphs/import", Need::In(Action::Delete)),
    ("POST", "/v1/graphs/generate", Need::SignedIn),
    // A map may have that id, too.
    ("GET", "/v1/graphs/generate", READ),
    ("PATCH", "/v1/graphs/generate", EDIT),
    ("DELETE", "/v1/graphs/generate", Need::In(Action::Delete)),
    ("POST", "/v1/graphs/{graph_id}/nodes/{node_id}/expand", EDIT),
    ("POST", "/v1/graphs/{graph_id}/coherence", EDIT),
    ("GET", "/v1/graphs/{graph_id}/jobs", READ),
    // Which map a job is about is known to its handler, which asks for `Read` or `Edit` there.
    ("GET", "/v1/jobs/{job_id}", Need::SignedIn),
    ("GET", "/v1/jobs/{job_id}/events", Need::SignedInStream),
    ("DELETE", "/v1/jobs/{job_id}", Need::SignedIn),
    ("POST", "/v1/jobs/{job_id}/accept", Need::SignedIn),
    ("POST", "/v1/jobs/{job_id}/reject", Need::SignedIn),
    ("POST", "/v1/jobs/{job_id}/undo", Need::SignedIn),
    ("GET", "/v1/graphs/{graph_id}/export", READ),
    ("GET", "/v1/graphs/{graph_id}", READ),
    ("PATCH", "/v1/graphs/{graph_id}", EDIT),
    ("DELETE", "/v1/graphs/{graph_id}", Need::In(Action::Delete)),
    ("POST", "/v1/graphs/{graph_id}/nodes", EDIT),
    ("GET", "/v1/graphs/{graph_id}/nodes/{node_id}", READ),
    ("PATCH", "/v1/graphs/{graph_id}/nodes/{node_id}", EDIT),
    ("DELETE", "/v1/graphs/{graph_id}/nodes/{node_id}", EDIT),
    ("POST", "/v1/graphs/{graph_id}/edges", EDIT),
    ("GET", "/v1/graphs/{graph_id}/edges/{edge_id}", READ),
    ("PATCH", "/v1/graphs/{graph_id}/edges/{edge_id}", EDIT),
    ("DELETE", "/v1/graphs/{graph_id}/edges/{edge_id}", EDIT),
    ("GET", "/v1/graphs/{graph_id}/versions", READ_VERSIONS),
    ("POST", "/v1/graphs/{graph_id}/versions", CHANGE_VERSIONS),
    ("GET", "/v1/graphs/{graph_id}/versions/{version_id}", READ_VERSIONS),
    ("PATCH", "/v1/graphs/{graph_id}/versions/{version_id}", CHANGE_VERSIONS),
    ("DELETE", "/v1/graphs/{graph_id}/versions/{version_id}", CHANGE_VERSIONS),
    ("POST", "/v1/graphs/{graph_id}/versions/{version_id}/restore", Need::In(Action::Restore)),
    ("GET", "/v1/graphs/{graph_id}/snapshot", READ),
    // Edits in the body need `Edit`, and a missing map `Create`: the handler asks.
    ("POST", "/v1/graphs/{graph_id}/sync", READ),
    ("GET", "/v1/graphs/{graph_id}/sse", Need::InStream(Action::Read)),
    // Joining; what comes over the socket needs `Edit` and `ShowPresence`, and a missing map `Create`.
    ("GET", "/v1/ws/{graph_id}", Need::OnSocket(Action::Read)),
    ("GET", "/v1/ws/{*graph_id}", Need::OnSocket(Action::Read)),
    ("GET", "/v1/ws/", Need::OnSocket(Action::Read)),
    ("GET", "/v1/ws", Need::OnSocket(Action::Read)),
    // The same, for each document that is opened over it.
    ("GET", "/v1/hocuspocus", Need::OnSocket(Action::Read)),
    ("POST", "/v1/admin/cache/clear", Need::Admin),
    ("GET", "/v1/admin/circuit-breakers", Need::Admin),
    ("POST", "/v1/admin/circuit-breakers/{name}/reset", Need::Admin),
];

/// What a request needs. A method that a known route does not take needs what the route needs at least, so that the
/// answer "no such method" is for those who may use the route at all.
pub fn need_of(method: &str, route: &str) -> Need {
    let method = if method == "HEAD" { "GET" } else { method };
    let rows = || ROUTES.iter().filter(|(_, listed, _)| *listed == route);
    let exact = rows().find(|(listed, _, _)| *listed == method);
    exact.or_else(|| rows().next()).map_or(Need::Admin, |(_, _, need)| *need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_one_before_it_may() {
        let actions = [
            (Action::Read, [true, true, true, true]),
            (Action::ShowPresence, [true, true, true, true]),
            (Action::ReadVersions, [true, true, true, true]),
            (Action::Edit, [false, false, true, true]),
            (Action::Create, [false, false, true, true]),
            (Action::ChangeVersions, [false, false, true, true]),
            (Action::Restore, [false, false, true, true]),
            (Action::Delete, [false, false, false, true]),
        ];
        for (action, expected) in actions {
            assert_eq!(Role::ALL.map(|role| role >= action.role()), expected, "{action:?}");
        }
    }

    #[test]
    fn no_row_is_there_twice_and_unknown_routes_are_closed() {
        for (at, (method, route, _)) in ROUTES.iter().enumerate() {
            assert!(!ROUTES[..at].iter().any(|(m, r, _)| (m, r) == (method, route)), "{method} {route}");
        }
        assert_eq!(need_of("GET", "/v1/secret"), Need::Admin);
        assert_eq!(need_of("HEAD", "/v1/graphs/{graph_id}"), READ);
        assert_eq!(need_of("PUT", "/v1/graphs/{graph_id}"), READ);
        assert_eq!(need_of("DELETE", "/v1/graphs/{graph_id}"), Need::In(Action::Delete));
    }
}
