//! Whose a state is, and how it comes and goes.

use synapti_protocol::awareness::AwarenessEntry as Entry;

use super::{GONE_MAX, Gone, Owner, PRESENCE_STATES_MAX, Presence, Present, Speaker};
use crate::room::Entrant;

impl Presence {
    /// Whether a session speaks of itself. A session has one client id: the first that it announces and that is
    /// nobody else's. A newer clock proves an owner that has come back on another connection while its old one
    /// has not been noticed dead: what is only passed on never has a newer clock than ours. But nobody comes back as
    /// somebody else; who may edit only finds their id in the hands of one who may not.
    pub(super) fn is_own(&self, Speaker { session, is, joined }: Speaker, entry: &Entry<'_>) -> bool {
        if let Some(own) = self.owned.get(&session) {
            return *own == entry.client;
        }
        let may_have = |by: Entrant| by.principal == is.principal || by.only_reads && !is.only_reads;
        if let Some(present) = self.present.get(&entry.client) {
            return entry.clock > present.clock && present.by.is_none_or(may_have);
        }
        // Somebody who saw the state before it went may still be passing it on.
        self.gone
            .get(&entry.client)
            .is_none_or(|gone| gone.by.is_none_or(may_have) && (entry.clock > gone.clock || joined > gone.order))
    }

    pub(super) fn take(&mut self, Speaker { session, is, .. }: Speaker, entry: &Entry<'_>, now_ms: u64) {
        let client = entry.client;
        let newer = self
            .present
            .get(&client)
            .is_none_or(|present| entry.clock > present.clock || (entry.clock == present.clock && entry.is_removal()));
        if !newer {
            return;
        }
        if entry.is_removal() {
            if let Some(present) = self.present.get_mut(&client) {
                // It is ours to tell other nodes, wherever the client was last.
                (present.clock, present.owner) = (entry.clock, Owner::Session(session));
                self.remove(client, now_ms);
            }
            return;
        }
        if self.present.len() >= PRESENCE_STATES_MAX && !self.present.contains_key(&client) {
            return;
        }
        self.show(entry, Owner::Session(session), Some(is), now_ms);
        self.owned.insert(session, client);
    }

    /// A state is there, and whoever had it before has it no more.
    pub(super) fn show(&mut self, entry: &Entry<'_>, owner: Owner, by: Option<Entrant>, now_ms: u64) {
        let present = Present { clock: entry.clock, state: entry.state.into(), owner, by, renewed_ms: now_ms };
        if let Some(Present { owner: Owner::Session(before), .. }) = self.present.insert(entry.client, present)
            && owner != Owner::Session(before)
        {
            self.owned.remove(&before);
        }
        self.changed(entry.client, owner);
    }

    /// Somebody who is expected back says that they still are as they were.
    pub(super) fn renew_away(&mut self, entry: &Entry<'_>, now_ms: u64) {
        if let Some(present) = self.present.get_mut(&entry.client)
            && matches!(present.owner, Owner::Away(_))
            && present.clock == entry.clock
            && *present.state == *entry.state
        {
            present.renewed_ms = now_ms;
        }
    }

    pub(super) fn remove(&mut self, client: u64, now_ms: u64) {
        if let Some(present) = self.present.remove(&client) {
            if self.gone.len() >= GONE_MAX {
                self.gone.retain(|client, _| self.dirty.contains(client));
            }
            self.order += 1;
            self.gone.insert(client, Gone { clock: present.clock, at_ms: now_ms, order: self.order, by: present.by });
            self.changed(client, present.owner);
        }
    }

    fn changed(&mut self, client: u64, owner: Owner) {
        self.dirty.insert(client);
        if !owner.is_node() {
            self.dirty_own.insert(client);
        }
    }
}
