//! Who is in a room, and what they show of themselves (y-protocols awareness).
//!
//! Every state belongs to the session whose own it is, or to the node that has that session ([`others`]). Clients also send on
//! what they heard of others; that is ignored, or a state would outlive its owner. Changes gather and leave as one frame.

mod others;
mod owned;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use synapti_protocol::{
    DecodeError,
    awareness::{self, AwarenessEntry as Entry},
    envelope::NodeId,
    limits::AWARENESS_STATE_BYTES_MAX,
    message,
};

use super::{Entrant, Principal, SessionId};

/// States kept for one room. Each is at most [`AWARENESS_STATE_BYTES_MAX`] bytes.
pub const PRESENCE_STATES_MAX: usize = 4096;

/// A state that its owner has not renewed for this long is dropped, as Yjs clients do among themselves.
const EXPIRE_AFTER_MS: u64 = 45_000;

/// How long a state stays whose owner comes by from time to time and has not renewed it.
const LINGERS_MS: u64 = 30_000;

/// States of those who are expected back that are kept: for one principal as many as it may have connections, and some for what was
/// reloaded; where nobody has a name, for all together.
const AWAY_OF_ONE_MAX: usize = 8;
const AWAY_OF_NAMELESS_MAX: usize = 256;

/// How long a state that has gone is remembered, so that an echo of it does not bring it back.
const GONE_KEPT_MS: u64 = 60_000;

/// States that have gone and are remembered at most.
const GONE_MAX: usize = 2 * PRESENCE_STATES_MAX;

/// Characters of a user's name that are kept.
const NAME_CHARS_MAX: usize = 64;

/// Why an awareness message was refused.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// Not an awareness message.
    #[error("malformed awareness message: {0}")]
    Malformed(#[from] DecodeError),
    /// One state is too large.
    #[error("awareness state of {bytes} bytes is larger than {AWARENESS_STATE_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

#[derive(Debug)]
struct Present {
    clock: u32,
    state: Box<str>,
    owner: Owner,
    /// Who shows it, if that is somebody of this node.
    by: Option<Entrant>,
    renewed_ms: u64,
}

/// Who says something of themselves.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// The session in which they say it.
    pub session: SessionId,
    /// As what it came in.
    pub is: Entrant,
    /// What [`Presence::join`] answered it.
    pub joined: JoinOrder,
}

/// Whose a state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Session(SessionId),
    Node(NodeId),
    /// Somebody whose session is over and who will be back: they poll, on behalf of this one.
    Away(Principal),
    /// The room itself: its AI is at work.
    Room,
}

#[derive(Debug)]
struct Gone {
    clock: u32,
    at_ms: u64,
    order: JoinOrder,
    /// Who showed it, if that was somebody of this node.
    by: Option<Entrant>,
}

/// Tells whether a session came before or after a state went.
pub type JoinOrder = u64;

/// The awareness states of a room.
#[derive(Debug, Default)]
pub struct Presence {
    order: JoinOrder,
    present: HashMap<u64, Present>,
    owned: HashMap<SessionId, u64>,
    gone: HashMap<u64, Gone>,
    /// Clients whose state, or absence, viewers have not been told.
    dirty: BTreeSet<u64>,
    /// The same of our own people, for other nodes.
    dirty_own: BTreeSet<u64>,
    /// The frame for newcomers, until viewers are told of a change.
    everybody: Option<Bytes>,
    /// The same with those who have gone.
    news: Option<Bytes>,
}

impl Presence {
    /// Notes that a session comes in; it shows the answer with everything that it says.
    pub fn join(&mut self) -> JoinOrder {
        self.order += 1;
        self.order
    }

    /// Takes what `speaker` says of its own client; ignores what it says of others, and of clients that `may_own` says are
    /// somebody else's. Answers the client that it shows as its own.
    ///
    /// # Errors
    /// [`PresenceError`]; nothing of the message was taken.
    pub fn apply(
        &mut self,
        speaker: Speaker,
        payload: &[u8],
        now_ms: u64,
        may_own: impl Fn(u64) -> bool,
    ) -> Result<Option<u64>, PresenceError> {
        let entries = awareness::scan(payload)?;
        if let Some(entry) = entries.iter().find(|entry| entry.state.len() > AWARENESS_STATE_BYTES_MAX) {
            return Err(PresenceError::TooLarge { bytes: entry.state.len() });
        }
        for entry in &entries {
            if may_own(entry.client) && self.is_own(speaker, &entry) {
                self.take(speaker, &entry, now_ms);
            } else if entries.len() == 1 {
                self.renew_away(&entry, now_ms);
            }
        }
        let session = speaker.session;
        Ok(self.owned.get(&session).copied().filter(|&client| self.session_of(client) == Some(session)))
    }

    /// When a client announces itself with a clock at which others have seen it before: a frame with its removal, upon which
    /// every y-protocols client raises its clock and announces itself again.
    pub fn taken_for_old(&self, session: SessionId, payload: &[u8]) -> Option<Bytes> {
        let view = awareness::scan(payload).ok().filter(|view| view.len() == 1)?;
        let entry = view.iter().next().filter(|entry| !entry.is_removal())?;
        let of_others = self.present.get(&entry.client).filter(|present| present.owner != Owner::Session(session));
        let gone = self.gone.get(&entry.client).map(|gone| gone.clock);
        let clock = of_others.map(|present| present.clock).max(gone).filter(|clock| *clock >= entry.clock)?;
        Some(frame(&[Entry { client: entry.client, clock, state: "null" }]))
    }

    /// Removes what belongs to a session that has left.
    pub fn leave(&mut self, session: SessionId, now_ms: u64) {
        // A state that its owner withdrew may have come back on another connection, which owns it now.
        if let Some(client) = self.owned.remove(&session)
            && self.session_of(client) == Some(session)
        {
            self.remove(client, now_ms);
        }
    }

    /// As [`Presence::leave`], of somebody who will be back. Of too many of one principal the oldest goes.
    pub fn step_out(&mut self, session: SessionId, principal: Principal, now_ms: u64) {
        let Some(client) = self.owned.remove(&session) else { return };
        match self.present.get_mut(&client) {
            Some(present) if present.owner == Owner::Session(session) => present.owner = Owner::Away(principal),
            _ => return,
        }
        let away = || self.present.iter().filter(|(_, present)| present.owner == Owner::Away(principal));
        let max = if principal == Principal::default() { AWAY_OF_NAMELESS_MAX } else { AWAY_OF_ONE_MAX };
        if away().count() > max
            && let Some((&oldest, _)) = away().min_by_key(|(_, present)| present.renewed_ms)
        {
            self.remove(oldest, now_ms);
        }
    }

    /// What the room itself shows, under its own client id; `None` = nothing any more. Said again it counts as renewed.
    pub fn show_room(&mut self, client: u64, state: Option<&str>, now_ms: u64) {
        let Some(state) = state else { return self.remove(client, now_ms) };
        let shown = self.present.get(&client).map(|present| present.clock);
        let clock = shown.max(self.gone.get(&client).map(|gone| gone.clock)).map_or(1, |clock| clock + 1);
        self.show(&Entry { client, clock, state }, Owner::Room, None, now_ms);
    }

    /// Whether somebody is shown who will be back.
    pub fn has_away(&self) -> bool {
        self.present.values().any(|present| matches!(present.owner, Owner::Away(_)))
    }

    /// Whether a session shows a client id as its own.
    pub fn shows(&self, session: SessionId) -> bool {
        self.owned.contains_key(&session)
    }

    /// The session whose own a client is, while it shows something here.
    pub fn session_of(&self, client: u64) -> Option<SessionId> {
        match self.present.get(&client)?.owner {
            Owner::Session(session) => Some(session),
            Owner::Node(_) | Owner::Away(_) | Owner::Room => None,
        }
    }

    /// Whether a client shows something, here or on another node.
    pub fn is_shown(&self, client: u64) -> bool {
        self.present.contains_key(&client)
    }

    /// What a session's user is called, if their state says so as Yjs programs do: `{"user": {"name": …}}`.
    pub fn name_of(&self, session: SessionId) -> Option<String> {
        let present = self.present.get(self.owned.get(&session)?)?;
        let state: serde_json::Value = serde_json::from_str(&present.state).ok()?;
        let name = state.get("user").unwrap_or(&state).get("name")?.as_str()?.trim();
        let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        (!name.is_empty()).then_some(name)
    }

    /// Drops states that were not renewed, and memories of those that have gone.
    pub fn expire(&mut self, now_ms: u64) {
        self.gone.retain(|_, gone| gone.at_ms + GONE_KEPT_MS > now_ms);
        let stale: Vec<u64> = self
            .present
            .iter()
            .filter(|(_, present)| present.renewed_ms + present.owner.expires_after_ms() <= now_ms)
            .map(|(&client, _)| client)
            .collect();
        for client in stale {
            self.remove(client, now_ms);
        }
    }

    /// Whether viewers have something to learn.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// All changes since the last call as one frame; a state that has gone is sent as `null` with its last clock.
    pub fn take_changes(&mut self) -> Option<Bytes> {
        (self.everybody, self.news) = (None, None);
        let dirty = std::mem::take(&mut self.dirty);
        let changes: Vec<Entry<'_>> = dirty.iter().filter_map(|&client| self.entry(client)).collect();
        (!changes.is_empty()).then(|| frame(&changes))
    }

    /// What there is to say of a client.
    fn entry(&self, client: u64) -> Option<Entry<'_>> {
        match (self.present.get(&client), self.gone.get(&client)) {
            (Some(present), _) => Some(Entry { client, clock: present.clock, state: &present.state }),
            (None, Some(gone)) => Some(Entry { client, clock: gone.clock, state: "null" }),
            (None, None) => None,
        }
    }

    /// Everybody's state as one frame, for a newcomer, who is also sent every change that viewers are told from now on.
    /// So it may lack what they have not been told, and is encoded once for all who come between two such frames.
    pub fn everybody(&mut self) -> Option<Bytes> {
        if self.present.is_empty() {
            return None;
        }
        if self.everybody.is_none() {
            let mut all: Vec<Entry<'_>> = self
                .present
                .iter()
                .map(|(&client, present)| Entry { client, clock: present.clock, state: &present.state })
                .collect();
            all.sort_unstable_by_key(|entry| entry.client);
            self.everybody = Some(frame(&all));
        }
        self.everybody.clone()
    }

    /// As [`Presence::everybody`], and who has gone lately: for somebody who has missed some changes.
    pub fn news(&mut self) -> Option<Bytes> {
        if self.news.is_none() {
            let mut clients: Vec<u64> = self.present.keys().chain(self.gone.keys()).copied().collect();
            clients.sort_unstable();
            clients.dedup();
            let all: Vec<Entry<'_>> = clients.into_iter().filter_map(|client| self.entry(client)).collect();
            self.news = (!all.is_empty()).then(|| frame(&all));
        }
        self.news.clone()
    }

    /// How many clients show a state.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether nobody shows a state.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }
}

impl Owner {
    fn is_node(self) -> bool {
        matches!(self, Self::Node(_))
    }

    fn expires_after_ms(self) -> u64 {
        match self {
            Self::Session(_) | Self::Node(_) | Self::Room => EXPIRE_AFTER_MS,
            Self::Away(_) => LINGERS_MS,
        }
    }
}

fn frame(entries: &[Entry<'_>]) -> Bytes {
    message::encode_awareness(&awareness::encode(entries)).into()
}
