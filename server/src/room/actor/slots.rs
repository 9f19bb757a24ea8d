//! The room's way to its sessions.

use std::{collections::HashMap, sync::Arc};

use synapti_protocol::close::CloseCode;

use crate::room::{Refusal, SessionId, SessionSlot};

/// Sessions' slots. Sessions that are left when the room ends, by a panic too, are sent to reconnect.
#[derive(Default)]
pub(super) struct Slots(pub(super) HashMap<SessionId, Arc<SessionSlot>>);

impl Slots {
    pub(super) fn with(&self, session: SessionId, tell: impl FnOnce(&SessionSlot)) {
        if let Some(slot) = self.0.get(&session) {
            tell(slot);
        }
    }

    pub(super) fn each(&self, tell: impl Fn(&SessionSlot)) {
        self.0.values().for_each(|slot| tell(slot));
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in self.0.values() {
            slot.refuse(Refusal::new(CloseCode::Restarting, "this map is being restored: reconnect"));
        }
    }
}
