//! What people show of themselves, here and on other nodes.

use synapti_protocol::close::CloseCode;

use super::{Effect, Member, RoomState};
use crate::room::{
    SessionId,
    presence::{PresenceError, Speaker},
};

/// Shortest time between two presence frames: pointers of fifty people become twenty-five frames a second.
const PRESENCE_EVERY_MS: u64 = 40;

impl RoomState {
    /// A session says something of itself.
    pub fn awareness(&mut self, session: SessionId, payload: &[u8], now_ms: u64) {
        // Whoever leaves politely takes their name away first.
        self.note_author(session);
        // Nobody is the AI but the AI.
        let own = self.replica.client_id();
        let Some(&Member { joined, is, .. }) = self.members.get(&session) else { return };
        let may_own = |client| client != own && self.owners.may_use(is.principal, client);
        let speaker = Speaker { session, is, joined };
        match self.presence.apply(speaker, payload, now_ms, may_own) {
            Ok(Some(client)) => self.own(client, is, now_ms),
            Ok(None) => {}
            Err(error) => {
                let code = match error {
                    PresenceError::Malformed(_) => CloseCode::Malformed,
                    PresenceError::TooLarge { .. } => CloseCode::TooLarge,
                };
                self.refuse(session, code, error.to_string());
            }
        }
        self.flush_presence(now_ms);
    }

    /// A session comes with what it shows of itself. When others know that of it already, from an earlier connection here or on
    /// another node, they would take it for old: then the client is told that it was thought to be gone, and shows itself anew.
    pub fn wake_up_clock(&mut self, session: SessionId, payload: &[u8]) {
        if self.members.contains_key(&session)
            && let Some(frame) = self.presence.taken_for_old(session, payload)
        {
            self.effects.push(Effect::SayPresence(session, frame));
        }
    }

    /// Sends presence if it is due.
    pub fn flush_presence(&mut self, now_ms: u64) {
        if self.presence_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            self.presence_sent_ms = Some(now_ms);
            if let Some(frame) = self.presence.take_changes() {
                self.publish(frame);
            }
            self.tell_presence();
        }
    }

    /// When presence that waits is to be sent.
    pub fn presence_due_ms(&self) -> Option<u64> {
        self.presence.is_dirty().then(|| self.presence_sent_ms.map_or(0, |sent_ms| sent_ms + PRESENCE_EVERY_MS))
    }
}
