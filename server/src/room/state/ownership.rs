//! What of an edit is left out because it is somebody else's, and who is asked for it.

use std::collections::HashMap;

use synapti_crdt::{LeftOut, Sender};
use synapti_protocol::update;

use super::{Member, RoomState};
use crate::room::{Entrant, Principal, SessionId, owners::Owners};

/// Sessions of one owner that are asked at most.
const OWNERS_ASKED_MAX: usize = 8;

/// Whether a session may add elements under a client id.
pub(super) fn may_write(
    owners: &Owners,
    members: &HashMap<SessionId, Member>,
    Sender(session): Sender,
    client: u64,
) -> bool {
    let session = SessionId(session);
    let of_departed = || owners.principal_of_departed(session);
    let principal = members.get(&session).map_or_else(of_departed, |member| member.is.principal);
    owners.may_use(principal, client)
}

impl RoomState {
    /// On whose behalf a session acts, or did before it left.
    pub fn principal_of(&self, session: SessionId) -> Principal {
        let of_departed = || self.owners.principal_of_departed(session);
        self.members.get(&session).map_or_else(of_departed, |member| member.is.principal)
    }

    /// A session shows a client id as its own.
    pub(super) fn own(&mut self, client: u64, Entrant { principal, only_reads, .. }: Entrant, now_ms: u64) {
        let is_others = |(session, member): (&SessionId, &Member)| {
            member.is.principal != principal && member.writes_as == Some(client) && !self.presence.shows(*session)
        };
        if only_reads || self.members.iter().any(is_others) || !self.owners.claim(client, principal) {
            return;
        }
        let Self { replica, owners, members, .. } = self;
        let lost = replica.disown(client, &|from, client| may_write(owners, members, from, client));
        self.note_left_out(lost, now_ms);
        self.settle();
    }

    /// Remembers under which client id a session writes: unless it shows another one, nobody else may take that for their own
    /// while it is here. An edit of several clients is passed on, or brought from an earlier visit.
    pub(super) fn note_writer(&mut self, session: SessionId, update: &[u8]) {
        let Ok(view) = update::scan(update) else { return };
        let mut sections = view.sections().filter(|section| section.struct_count > 0);
        if let (Some(only), None) = (sections.next(), sections.next())
            && self.replica.clock(only.client) >= only.end
            && let Some(member) = self.members.get_mut(&session)
        {
            member.writes_as = Some(only.client);
        }
    }

    /// Remembers what was left out, and asks whoever can bring it.
    pub(super) fn note_left_out(&mut self, lost: Vec<LeftOut>, now_ms: u64) {
        for lost in lost {
            self.owners.note(lost, now_ms);
        }
        if self.owners.is_settled() {
            return;
        }
        // Whoever brought it has more: what they deleted of it.
        let brought = self.owners.settle(|client| self.replica.clock(client));
        self.to_ask.extend(brought.into_iter().filter(|session| self.members.contains_key(session)));
        self.ask_owners(now_ms);
    }

    /// Owners are asked again, or forgotten.
    pub(super) fn tick_owners(&mut self, now_ms: u64) {
        let forgotten = self.owners.tick(now_ms, |client| self.presence.is_shown(client));
        self.to_ask.extend(forgotten.into_iter().filter(|session| self.members.contains_key(session)));
        self.ask_owners(now_ms);
        // Who brought what an owner does not have is not kept waiting for ever.
        let acks = self.due_acks(&[]);
        self.wait_with_newest(Vec::new(), acks);
        self.settle();
    }

    fn ask_owners(&mut self, now_ms: u64) {
        let Self { owners, members, presence, to_ask, .. } = self;
        let writes_for = |member: &Member, principal| member.is.principal == principal && !member.is.only_reads;
        let is_here = |client, principal| {
            presence.session_of(client).is_some() || members.values().any(|member| writes_for(member, principal))
        };
        for (client, principal) in owners.due_questions(now_ms, is_here) {
            if let Some(session) = presence.session_of(client) {
                to_ask.insert(session);
            } else {
                let of_owner = members.iter().filter(|(_, member)| writes_for(member, principal));
                to_ask.extend(of_owner.map(|(&session, _)| session).take(OWNERS_ASKED_MAX));
            }
        }
    }
}
