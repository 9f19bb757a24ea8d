//! A document that is open: the client's place in its room.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use synapti_protocol::{
    DecodeError, awareness,
    close::CloseCode,
    graph_id::GraphId,
    hocuspocus::{self, ClientMessage, NOT_SAVED, SAVED, TOKEN_REQUEST, WHO_IS_THERE},
    message::{self, Message, SyncMessage, encode_step1},
};

use super::{
    entry::{Denial, Opened, Pass, entrant},
    inbox::Inbox,
    link::Link,
    receipts::Receipts,
    term::{Due, Term},
};
use crate::{
    room::{Refusal, SessionSlot, slot::Probe},
    session::Session,
    transport::socket::Goodbye,
};

/// Statuses that are said before others have their turn.
const STATUSES_PER_TURN: u64 = 256;

/// A message that takes one client's presence away is no longer than this.
const REMOVAL_BYTES_MAX: usize = 32;

/// How messages of a room begin.
const STEP1: &[u8] = &[0, 0];
const STEP2: &[u8] = &[0, 1];

type Checking = Pin<Box<dyn Future<Output = Result<Pass, Denial>> + Send>>;

/// What a document is called by its client and by the server.
#[derive(Debug)]
pub(super) struct Name {
    /// As the client writes it.
    pub(super) address: Box<str>,
    /// What stands before each message to it.
    pub(super) prefix: Bytes,
    pub(super) graph: GraphId,
}

/// Why a document does not stay open.
pub(super) enum Ended {
    /// The client may not have it any more.
    Closed(String),
    /// The client has left it.
    Left,
    /// The client has become somebody else in it, or may do more or less: it comes in anew.
    Again(Pass),
    /// The whole socket ends.
    Socket(Goodbye),
}

impl From<Refusal> for Ended {
    /// A provider that reconnects gets over some refusals by itself. Others would come again each time.
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            CloseCode::RateLimited | CloseCode::Restarting | CloseCode::AtCapacity | CloseCode::Overloaded => {
                Self::Socket(refusal.into())
            }
            CloseCode::Malformed
            | CloseCode::Unauthenticated
            | CloseCode::Forbidden
            | CloseCode::NotFound
            | CloseCode::Deleted
            | CloseCode::TooLarge => Self::Closed(refusal.reason),
        }
    }
}

impl From<DecodeError> for Ended {
    fn from(error: DecodeError) -> Self {
        Self::Closed(format!("malformed message: {error}"))
    }
}

pub(super) struct Open {
    session: Session,
    slot: Arc<SessionSlot>,
    pass: Pass,
    term: Term,
    /// A new token that is being looked at.
    checking: Option<Checking>,
    pub(super) inbox: Inbox,
    receipts: Receipts,
    /// Updates that were dropped before, which the client's next answer brings.
    missed: u64,
    /// Questions that the client has not answered.
    unanswered: u64,
    /// The client has asked, and is to be asked in turn.
    asks_back: bool,
    /// Whose presence the client has shown last, its own.
    shows: Option<u64>,
    /// Statuses to say.
    saved: u64,
    refused: u64,
}

impl Open {
    pub(super) fn new(opened: Opened, term: Term, inbox: Inbox, receipts: Receipts, missed: u64) -> Self {
        let Opened { session, slot, pass } = opened;
        Self {
            session,
            slot,
            pass,
            term,
            checking: None,
            inbox,
            receipts,
            missed,
            unanswered: 0,
            asks_back: false,
            shows: None,
            saved: 0,
            refused: 0,
        }
    }

    /// Asks the room for what the client lacks, on behalf of a client that was here before.
    pub(super) fn catch_up(&mut self, known: &[u8]) -> Result<(), Ended> {
        Ok(self.session.receive(&encode_step1(known).into())?)
    }

    /// Takes one message, or keeps it until the last has been dealt with.
    pub(super) fn receive(&mut self, message: &Bytes, name: &Name, link: &mut Link) -> Result<(), Ended> {
        if self.inbox.is_empty() && self.may_take() {
            return self.take(message, name, link);
        }
        self.inbox.push(message);
        Ok(())
    }

    /// Does everything that can be done now; what cannot has noted whom to wake.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, name: &Name, link: &mut Link) -> Result<(), Ended> {
        loop {
            self.session.poll_room(cx)?;
            self.count();
            while let Some(due) = self.term.poll(cx) {
                match due {
                    Due::Ask => link.say(&name.prefix, TOKEN_REQUEST),
                    Due::End => return Err(Ended::Closed("token expired: show a new one to come back".to_owned())),
                }
            }
            self.poll_checking(cx, name, link)?;
            if !self.may_take() {
                return Ok(());
            }
            let Some(message) = self.inbox.pop() else { return Ok(()) };
            self.take(&message, name, link)?;
        }
    }

    /// Hands over what is to be sent now, about `bytes_max` bytes of it; says whether it had anything to do.
    pub(super) fn outgoing(&mut self, bytes_max: usize, name: &Name, link: &mut Link) -> Result<bool, Ended> {
        let has_statuses = self.say_statuses(name, link);
        let Self { session, unanswered, shows, .. } = self;
        let (mut is_answered, mut is_removed) = (false, false);
        let has_more = session.outgoing(bytes_max, |message| {
            *unanswered += u64::from(message.starts_with(STEP1));
            is_answered |= message.starts_with(STEP2);
            is_removed |= shows.is_some_and(|client| removes(client, &message));
            link.wire.push_prefixed(name.prefix.clone(), message);
        })?;
        // Who comes back at a clock that others have seen go is told so, and raises it; but this provider tells
        // nobody before it is asked.
        if is_removed {
            link.say(&name.prefix, WHO_IS_THERE);
        }
        if is_answered && std::mem::take(&mut self.asks_back) && self.unanswered == 0 {
            self.unanswered += 1;
            link.say(&name.prefix, encode_step1(self.session.known()));
        }
        Ok(has_statuses || has_more)
    }

    /// Whether a message that has waited can be dealt with now.
    pub(super) fn has_next(&self) -> bool {
        !self.inbox.is_empty() && self.may_take()
    }

    /// The network has taken everything that was handed over.
    pub(super) fn flushed(&mut self) {
        self.session.flushed();
    }

    /// To be called now and then.
    pub(super) fn look(&mut self) {
        self.session.take_look();
        self.saved += self.receipts.take_late();
    }

    /// Whether it should be looked at soon.
    pub(super) fn wants_look(&self) -> bool {
        self.receipts.has_late()
    }

    /// Whether more of an answer waits than is on its way.
    pub(super) fn is_answering(&self) -> bool {
        self.session.is_answering()
    }

    /// Whether others wait for answers as large as this client's.
    pub(super) fn others_wait(&self) -> bool {
        self.session.room().others_wait()
    }

    /// The network takes too little: lets go of what waits for it.
    pub(super) fn shed(&mut self) {
        self.session.shed();
    }

    /// Somebody wants to know whether the client is still there.
    pub(super) fn take_probe(&mut self) -> Option<Probe> {
        self.session.take_probe()
    }

    /// Where the client can be asked whether it is alive.
    pub(super) fn slot(&self) -> &Arc<SessionSlot> {
        &self.slot
    }

    /// What a new place in the room goes on from: a state vector that the client has, what it has sent since, and what it is owed.
    pub(super) fn take_over(&mut self) -> (Bytes, Inbox, Receipts) {
        let mut receipts = std::mem::take(&mut self.receipts);
        receipts.start_over();
        (self.session.known().clone(), std::mem::take(&mut self.inbox), receipts)
    }

    /// Hands over what the client has sent, which is not there any more.
    pub(super) async fn finish(mut self: Box<Self>) {
        self.session.finish_work().await;
        while let Some(message) = self.inbox.pop() {
            let Ok(ClientMessage::Room(message)) = hocuspocus::parse(&message) else { continue };
            if self.session.receive(&Bytes::copy_from_slice(message)).is_err() {
                return;
            }
            self.session.finish_work().await;
        }
    }

    /// Hands over what the room was about to take.
    pub(super) async fn finish_work(mut self: Box<Self>) {
        self.session.finish_work().await;
    }

    /// Whether there is nothing to hand over.
    pub(super) fn is_idle(&self) -> bool {
        self.session.may_read()
    }

    fn may_take(&self) -> bool {
        self.checking.is_none() && self.session.may_read()
    }

    fn take(&mut self, message: &Bytes, name: &Name, link: &mut Link) -> Result<(), Ended> {
        match hocuspocus::parse(message)? {
            ClientMessage::Room(_) => self.take_of_room(message)?,
            ClientMessage::SyncReply(body) => self.take_of_room(&[&[0], body].concat().into())?,
            ClientMessage::Token { token, has_version } => {
                link.has_version |= has_version;
                self.session.receive_control(message.len())?;
                let (entry, graph, token) = (link.entry.clone(), name.graph.clone(), token.to_owned());
                self.checking = Some(Box::pin(async move { entry.check(&token, &graph).await }));
            }
            // There is nothing here that listens; and a newer provider may know more than we do.
            ClientMessage::Stateless(_) | ClientMessage::Unknown(_) => self.session.receive_control(message.len())?,
            ClientMessage::BroadcastStateless => {
                let reason = "BroadcastStateless is a message between servers: clients send Stateless";
                return Err(Ended::Closed(reason.to_owned()));
            }
            ClientMessage::Close => return Err(Ended::Left),
        }
        Ok(())
    }

    fn take_of_room(&mut self, message: &Bytes) -> Result<(), Ended> {
        match message::parse(message)? {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                self.receipts.asked(state_vector);
                self.receipts.dropped(std::mem::take(&mut self.missed));
                self.asks_back = self.unanswered == 0;
            }
            Message::Sync(SyncMessage::Step2(_)) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.receipts.answer();
            }
            Message::Sync(SyncMessage::Update(update)) => self.receipts.update(update),
            Message::Awareness(payload) => self.shows = only_client(payload).or(self.shows),
            _ => {}
        }
        self.session.receive(message)?;
        self.count();
        Ok(())
    }

    /// Notes what has become of the client's edits. One that was refused is always the newest: nothing is read before.
    fn count(&mut self) {
        for _ in 0..self.session.take_refused().all() {
            self.receipts.refuse();
            self.refused += 1;
        }
        self.saved += self.receipts.durable(self.session.take_durable().all());
    }

    fn poll_checking(&mut self, cx: &mut Context<'_>, name: &Name, link: &Link) -> Result<(), Ended> {
        let Some(Poll::Ready(checked)) = self.checking.as_mut().map(|checking| checking.as_mut().poll(cx)) else {
            return Ok(());
        };
        self.checking = None;
        match checked {
            Ok(pass) if entrant(&pass, &name.graph) != entrant(&self.pass, &name.graph) => Err(Ended::Again(pass)),
            Ok(pass) => {
                self.term = Term::of(link.entry.lasts(&pass));
                self.pass = pass;
                Ok(())
            }
            Err(Denial::Document(reason)) => Err(Ended::Closed(reason)),
            // It cannot be checked for now; the token from before is still good.
            Err(Denial::Socket(_)) => Ok(()),
        }
    }

    fn say_statuses(&mut self, name: &Name, link: &mut Link) -> bool {
        let mut has_some = false;
        for (count, status) in [(&mut self.saved, SAVED), (&mut self.refused, NOT_SAVED)] {
            let now = (*count).min(STATUSES_PER_TURN);
            *count -= now;
            has_some |= now > 0;
            for _ in 0..now {
                link.wire.push_prefixed(name.prefix.clone(), Bytes::from_static(status));
            }
        }
        has_some
    }
}

/// Whose state a payload holds, if it is one person's. Of one of many that a provider relays the room takes no notice.
fn only_client(payload: &[u8]) -> Option<u64> {
    let mut entries = awareness::scan(payload).ok()?.iter();
    let first = entries.next()?;
    entries.next().is_none().then_some(first.client)
}

/// Whether a message of the room says that this client, alone, has gone.
fn removes(client: u64, message: &[u8]) -> bool {
    if message.len() > REMOVAL_BYTES_MAX {
        return false;
    }
    let Ok(Message::Awareness(payload)) = message::parse(message) else { return false };
    let entries = awareness::scan(payload).into_iter().flat_map(|view| view.iter());
    only_client(payload) == Some(client) && entries.into_iter().all(|entry| entry.is_removal())
}

#[cfg(test)]
mod tests {
    use synapti_protocol::{
        awareness::{AwarenessEntry, encode},
        message::encode_awareness,
    };

    use super::*;

    #[test]
    fn the_removal_of_a_client_is_told_from_that_of_others() {
        let entry = |client, state| AwarenessEntry { client, clock: u32::MAX, state };
        let of = |entries: &[AwarenessEntry<'_>]| encode_awareness(&encode(entries));
        let longest = of(&[entry((1 << 53) - 1, "null")]);
        assert!(longest.len() <= REMOVAL_BYTES_MAX && removes((1 << 53) - 1, &longest));
        assert!(!removes(7, &of(&[entry(8, "null")])));
        assert!(!removes(7, &of(&[entry(7, "{}")])));
        assert!(!removes(7, &of(&[entry(7, "null"), entry(8, "null")])));
        assert!(!removes(7, message::EMPTY_AWARENESS) && !removes(7, &[9]));
    }
}
