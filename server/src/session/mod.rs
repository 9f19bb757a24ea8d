//! One client's place in a room, whatever its transport.
//!
//! A transport gives the session what it received, lets it go on with [`Session::poll_room`], and sends what
//! [`Session::outgoing`] hands over. A session does one thing at a time for its client: while it waits for the room it
//! asks not to be read, so that the pressure reaches the client; and it holds no queue but a cursor.

mod extension;
mod work;

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use synapti_protocol::{
    DecodeError,
    close::CloseCode,
    message::{self, Message, SyncMessage},
    update::{self, EMPTY_UPDATE},
};

use crate::{
    room::{
        CallError, Cursor, Joined, Refusal, RoomError, RoomHandle, SessionId, SessionSlot, feed::FellOff,
        handle::Membership,
    },
    telemetry::metrics,
};
use extension::Extension;
pub use extension::refused;
use work::{Done, Work};

/// Bounds of one session's messages, in bytes; 0 = no limit.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// One message, except a `SyncStep2`.
    pub message_bytes_max: usize,
    /// One `SyncStep2`.
    pub sync_bytes_max: usize,
}

/// A client in a room.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    room: RoomHandle,
    limits: SessionLimits,
    slot: Arc<SessionSlot>,
    cursor: Cursor,
    /// A state vector that the client certainly has: from it a diff is made when the cursor falls off the ring.
    known: Bytes,
    /// The answer to this client's last question; nothing more is read before it is sent.
    outbox: VecDeque<Bytes>,
    /// A state vector that the client has once the outbox is empty.
    arriving: Option<Bytes>,
    /// The answer is on its way into the network.
    answering: bool,
    /// What the room asks this client, for its next message.
    question: Option<Bytes>,
    /// Edits handed to the room.
    edits: u64,
    /// For a client that has asked for it.
    extension: Option<Box<Extension>>,
    work: Option<Work>,
    departing: bool,
    look: bool,
    // Last: leaving the room is the last thing that a session does.
    _membership: Membership,
}

impl Session {
    /// Begins a session; the client is greeted with a question for what it has, and with who is here. An extended one
    /// (`synapti.v1`) is also told what becomes of its edits; it must have joined as one.
    pub fn new(id: SessionId, room: RoomHandle, joined: Joined, limits: SessionLimits, is_extended: bool) -> Self {
        let Joined { membership, slot, welcome } = joined;
        let mut outbox = VecDeque::from([welcome.question]);
        outbox.extend(welcome.presence);
        Self {
            id,
            room,
            limits,
            slot,
            cursor: welcome.cursor,
            known: EMPTY_STATE_VECTOR,
            outbox,
            arriving: None,
            answering: false,
            question: None,
            edits: 0,
            extension: is_extended.then(|| Box::new(Extension::new(welcome.has_unsaved))),
            work: None,
            departing: false,
            look: false,
            _membership: membership,
        }
    }

    /// Whether the client may be read: not while its last message is still being dealt with, nor before the network has
    /// taken the answer to it. A client that asks and does not read would otherwise fill the memory with answers.
    pub fn may_read(&self) -> bool {
        self.work.is_none() && self.outbox.is_empty() && !self.answering
    }

    /// The network has taken everything that [`Session::outgoing`] yielded.
    pub fn flushed(&mut self) {
        self.answering = false;
    }

    /// Takes one message of the client.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn receive(&mut self, frame: &Bytes) -> Result<(), Refusal> {
        let message = message::parse(frame).map_err(malformed)?;
        self.check_size(frame.len(), &message)?;
        match message {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                update::scan_state_vector(state_vector).map_err(malformed)?;
                self.work = Some(Work::sync(&self.room, Bytes::copy_from_slice(state_vector), (self.id, self.edits)));
            }
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => self.update(update)?,
            Message::Awareness(payload) => self.awareness(payload),
            Message::QueryAwareness => self.work = Some(Work::presence(&self.room)),
            // Only servers say these; a client that repeats them does no harm.
            Message::Auth(_) | Message::Ack(_) | Message::Notice(_) => {}
        }
        Ok(())
    }

    /// Goes on with what the client waits for, and hears what the room says; answers whether anything has happened. What
    /// happens later wakes the task.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Result<bool, Refusal> {
        let mut happened = false;
        if let Some(work) = &mut self.work
            && let Poll::Ready(done) = work.poll(cx)
        {
            self.work = None;
            self.finish(done?);
            happened = true;
        }
        // Also from a client that does not read: it shall not keep a deleted map from closing.
        if self.slot.poll_woken(cx).is_ready() {
            self.hear()?;
            happened = true;
        }
        Ok(happened)
    }

    /// Waits until something has happened: the client may be read again, or there may be something to send. Cancel-safe.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub async fn wait(&mut self) -> Result<(), Refusal> {
        poll_fn(|cx| match self.poll_room(cx) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(refusal) => Poll::Ready(Err(refusal)),
        })
        .await
    }

    /// Tells an extended client that the session will end because the node goes.
    pub fn announce_departure(&mut self, reconnect_after_ms: u64) {
        if let Some(extension) = &mut self.extension {
            extension.depart(reconnect_after_ms);
        }
    }

    /// Whether the client is told what becomes of its edits.
    pub fn is_extended(&self) -> bool {
        self.extension.is_some()
    }

    /// Whether the node goes, so that the session should end at its turn.
    pub fn is_departing(&self) -> bool {
        self.departing
    }

    /// Whether time has passed since the last call, so that the transport should look after its connection.
    pub fn take_look(&mut self) -> bool {
        std::mem::take(&mut self.look)
    }

    /// Finishes what the client's last message began.
    pub async fn finish_work(&mut self) {
        if let Some(mut work) = self.work.take() {
            // The client has gone: nobody is told what came of it.
            let _ = poll_fn(|cx| work.poll(cx)).await;
        }
    }

    /// Hands over what is to be sent now, about `bytes_max` bytes of it; says whether it had anything to do.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn outgoing(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) -> Result<bool, Refusal> {
        // That something is unsaved has to be known before it is seen, in an answer or in the feed.
        if let Some(frame) = self.extension.as_mut().and_then(|extension| extension.next()) {
            send(frame);
            return Ok(true);
        }
        self.outbox.extend(self.question.take());
        if !self.outbox.is_empty() {
            self.answering = true;
            self.next_of_answer(bytes_max, send);
            return Ok(true);
        }
        if self.room.feed().head() == self.cursor {
            return Ok(false);
        }
        if self.extension.is_some() {
            return self.next_of_feed_extended(bytes_max, send);
        }
        Ok(self.next_of_feed(bytes_max, send))
    }

    /// As [`Session::next_of_feed`], with what the room has said before it published these frames, that they are unsaved for
    /// instance: it may have said so only after this session last heard it.
    fn next_of_feed_extended(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) -> Result<bool, Refusal> {
        let mut frames = Vec::new();
        let has_done = self.next_of_feed(bytes_max, |frame| frames.push(frame));
        self.hear()?;
        while let Some(news) = self.extension.as_mut().and_then(|extension| extension.next()) {
            send(news);
        }
        frames.into_iter().for_each(send);
        Ok(has_done)
    }

    /// The next frames of the feed, or the question for a difference when they are no longer there.
    fn next_of_feed(&mut self, bytes_max: usize, send: impl FnMut(Bytes)) -> bool {
        match self.room.feed().read(&mut self.cursor, bytes_max, send) {
            Ok(checkpoint) => {
                if let Some(checkpoint) = checkpoint {
                    self.known = checkpoint.state_vector.clone();
                }
                true
            }
            Err(FellOff) if self.work.is_some() => false,
            Err(FellOff) => {
                metrics::get().cursor_falls.increment(1);
                self.work = Some(Work::catch_up(&self.room, self.known.clone()));
                true
            }
        }
    }

    /// The next frames of the answer, at least one. The feed goes on when there are no more.
    fn next_of_answer(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) {
        let mut bytes = 0;
        while let Some(frame) = self.outbox.pop_front_if(|next| bytes == 0 || bytes + next.len() <= bytes_max) {
            bytes += frame.len();
            send(frame);
        }
        if self.outbox.is_empty() {
            // An idle client keeps no room for the frames of a large answer.
            self.outbox = VecDeque::new();
            if let Some(state_vector) = self.arriving.take() {
                self.known = state_vector;
            }
        }
    }

    /// What the room has said to this session alone.
    fn hear(&mut self) -> Result<(), Refusal> {
        let news = self.slot.take();
        self.departing |= news.departing;
        self.look |= news.look;
        if let Some(extension) = &mut self.extension {
            extension.hear(&news);
        }
        self.question = news.question.or(self.question.take());
        news.refusal.map_or(Ok(()), Err)
    }

    fn update(&mut self, update: &[u8]) -> Result<(), Refusal> {
        // Every client answers the greeting, mostly with nothing; who counts acknowledgements counts that as an edit.
        if update == EMPTY_UPDATE && self.extension.is_none() {
            return Ok(());
        }
        // Before it waits in a lane and shares a batch with others.
        update::scan(update).map_err(malformed)?;
        self.edits += 1;
        // A copy: what was received would keep the whole read buffer.
        if let Err(update) = self.room.try_update(self.id, Bytes::copy_from_slice(update)) {
            self.work = Some(Work::update(&self.room, self.id, update));
        }
        Ok(())
    }

    fn awareness(&mut self, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        if !self.room.try_awareness(self.id, payload.clone()) {
            self.work = Some(Work::awareness(&self.room, self.id, payload));
        }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Handed => {}
            Done::Synced(reply) => {
                self.arriving = Some(reply.state_vector);
                self.outbox.extend(reply.frames.iter().cloned());
            }
            Done::CaughtUp(reply) => {
                self.arriving = Some(reply.state_vector);
                self.cursor = reply.cursor;
                self.outbox.extend(reply.frames.iter().cloned().map(unasked));
                self.outbox.extend(reply.presence);
            }
            Done::Presence(frame) => {
                self.outbox.push_back(frame.unwrap_or(Bytes::from_static(message::EMPTY_AWARENESS)));
            }
        }
    }

    fn check_size(&self, bytes: usize, message: &Message<'_>) -> Result<(), Refusal> {
        let (what, bytes_max) = match message {
            Message::Sync(SyncMessage::Step2(_)) => ("sync message", self.limits.sync_bytes_max),
            _ => ("message", self.limits.message_bytes_max),
        };
        if bytes_max > 0 && bytes > bytes_max {
            let reason = format!("{what} of {bytes} bytes is larger than {bytes_max}");
            return Err(Refusal::new(CloseCode::TooLarge, reason));
        }
        Ok(())
    }
}

/// The state vector of an empty document.
const EMPTY_STATE_VECTOR: Bytes = Bytes::from_static(&[0]);

/// How a room's refusal to take a client in, or to go on with it, is told to the client.
pub fn refusal(error: &RoomError) -> Refusal {
    let code = match error {
        RoomError::NotFound => CloseCode::NotFound,
        RoomError::Gone => CloseCode::Deleted,
        RoomError::Draining | RoomError::Panicked => CloseCode::Restarting,
        RoomError::TooLarge { .. } | RoomError::TooMany { .. } => CloseCode::TooLarge,
        RoomError::Edit(_) | RoomError::Exists => CloseCode::Malformed,
        RoomError::AtCapacity { .. }
        | RoomError::NotSaved
        | RoomError::Stalled
        | RoomError::Store(_)
        | RoomError::Unavailable(_)
        | RoomError::Unreadable(_) => CloseCode::AtCapacity,
    };
    // What the database said is for the log, not for clients.
    let reason = match error {
        RoomError::Store(_) | RoomError::Unavailable(_) => "the store does not answer: try again later".to_owned(),
        RoomError::Unreadable(_) => "this map cannot be read from the store: ask the operator".to_owned(),
        error => error.to_string(),
    };
    Refusal::new(code, reason)
}

/// A frame of a state that the client has not asked for: a `SyncStep2` would tell it that its question, which may not even
/// have been read, is answered.
fn unasked(frame: Bytes) -> Bytes {
    match message::parse(&frame) {
        Ok(Message::Sync(SyncMessage::Step2(update))) => message::encode_update(update).into(),
        _ => frame,
    }
}

fn call_refusal(error: CallError) -> Refusal {
    match error {
        CallError::Closed => refusal(&RoomError::Panicked),
        CallError::Room(error) => refusal(&error),
    }
}

fn malformed(error: DecodeError) -> Refusal {
    Refusal::new(CloseCode::Malformed, error.to_string())
}
