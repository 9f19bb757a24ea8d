//! What somebody may do, wherever they got it from.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

use super::{rights::Action, role::Role};

/// What somebody may do, and under which name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access(Option<Arc<Grant>>);

/// What was granted to one signed-in person or program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Who it is, the same at each sign-in.
    pub client: String,
    /// What people call them.
    pub display_name: Option<String>,
    /// Whether they are owner of everything and may use what is for operators.
    pub is_admin: bool,
    /// Role in every map that `graphs` does not name.
    pub everywhere: Option<Role>,
    /// Roles in single maps. These count, also when they are less than the one for all maps.
    pub graphs: HashMap<GraphId, Role>,
    /// When all of this ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// Which maps somebody may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readable {
    /// Every one.
    All,
    /// These, if they exist; in no order.
    Only(Vec<GraphId>),
}

impl Access {
    /// Everybody who reaches a server in mode `open`: nobody has a name, and everybody may do everything.
    pub const fn open() -> Self {
        Self(None)
    }

    /// What was granted to somebody.
    pub fn granted(grant: Grant) -> Self {
        Self(Some(Arc::new(grant)))
    }

    /// What was granted; `None` in mode `open`.
    pub(super) fn grant(&self) -> Option<&Grant> {
        self.0.as_deref()
    }

    /// Whose connections are counted together: the signed-in user. `None` for people without a name.
    pub fn client(&self) -> Option<&str> {
        self.0.as_ref().map(|grant| grant.client.as_str())
    }

    /// Stands for the client where a number is wanted: 0 for people without a name, else the same for all connections of one
    /// client, on every node. It has 53 bits, as numbers on the bus have.
    pub fn principal(&self) -> u64 {
        let Some(client) = self.client() else { return 0 };
        let hash = digest(&SHA256, client.as_bytes());
        let first = hash.as_ref().first_chunk().map_or(1, |first| u64::from_be_bytes(*first));
        (first >> 11).max(1)
    }

    /// What people call them.
    pub fn display_name(&self) -> Option<&str> {
        self.0.as_ref()?.display_name.as_deref()
    }

    /// What they are in a map, whether it exists or not; `None` = they may not even know.
    pub fn role_in(&self, graph: &GraphId) -> Option<Role> {
        match &self.0 {
            None => Some(Role::Owner),
            Some(grant) if grant.is_admin => Some(Role::Owner),
            Some(grant) => grant.graphs.get(graph).copied().or(grant.everywhere),
        }
    }

    /// Whether they may do this in a map.
    pub fn may(&self, action: Action, graph: &GraphId) -> bool {
        self.role_in(graph) >= Some(action.role())
    }

    /// Whether they may do this in a map whose id nobody knows yet.
    pub fn may_in_any(&self, action: Action) -> bool {
        match &self.0 {
            None => true,
            Some(grant) => grant.is_admin || grant.everywhere >= Some(action.role()),
        }
    }

    /// Whether they may use what is for operators.
    pub fn is_admin(&self) -> bool {
        self.0.as_ref().is_none_or(|grant| grant.is_admin)
    }

    /// Which maps they may read.
    pub fn readable(&self) -> Readable {
        match &self.0 {
            Some(grant) if !self.may_in_any(Action::Read) => Readable::Only(grant.graphs.keys().cloned().collect()),
            _ => Readable::All,
        }
    }

    /// When all of this ends, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.as_ref()?.expires_at
    }

    /// For how long from `now` on it lasts, if not for ever; zero when it is over.
    pub fn lasts(&self, now: Timestamp) -> Option<Duration> {
        Some(self.expires_at()?.duration_since(now).try_into().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> GraphId {
        text.parse().unwrap()
    }

    fn grant(everywhere: Option<Role>, graphs: &[(&str, Role)]) -> Access {
        let graphs = graphs.iter().map(|(graph, role)| (id(graph), *role)).collect();
        Access::granted(Grant { client: "ada".to_owned(), everywhere, graphs, ..Grant::default() })
    }

    #[test]
    fn an_entry_for_the_map_beats_the_one_for_all() {
        let access = grant(Some(Role::Editor), &[("mine", Role::Owner), ("theirs", Role::Viewer)]);
        let role = |graph| access.role_in(&id(graph));
        assert_eq!([role("mine"), role("theirs"), role("other")], [Role::Owner, Role::Viewer, Role::Editor].map(Some));
        assert!(access.may(Action::Edit, &id("other")) && !access.may(Action::Edit, &id("theirs")));
        assert_eq!(access.readable(), Readable::All);
        assert!(access.may_in_any(Action::Create) && !access.is_admin());
    }

    #[test]
    fn without_an_entry_there_is_no_right() {
        let access = grant(None, &[("mine", Role::Editor)]);
        assert_eq!(access.role_in(&id("other")), None);
        assert!(!access.may(Action::Read, &id("other")) && !access.may_in_any(Action::Create));
        assert_eq!(access.readable(), Readable::Only(vec![id("mine")]));
        assert_eq!(grant(None, &[]).readable(), Readable::Only(Vec::new()));
    }

    #[test]
    fn admins_and_everybody_in_open_mode_own_everything() {
        let admin = Access::granted(Grant { client: "root".to_owned(), is_admin: true, ..Grant::default() });
        for access in [admin, Access::open()] {
            assert_eq!(access.role_in(&id("any")), Some(Role::Owner));
            assert!(access.is_admin() && access.may_in_any(Action::Delete));
            assert_eq!(access.readable(), Readable::All);
        }
    }

    #[test]
    fn principals_are_the_same_for_one_client_and_zero_for_nobody() {
        let of = |client: &str| Access::granted(Grant { client: client.to_owned(), ..Grant::default() }).principal();
        assert_eq!(of("ada"), of("ada"));
        assert_ne!(of("ada"), of("bob"));
        assert!(of("ada") > 0 && of("ada") < 1 << 53);
        assert_eq!((Access::open().principal(), Access::open().client()), (0, None));
    }
}
