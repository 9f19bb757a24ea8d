//! One client's place in a room, whatever its transport.
//!
//! A transport gives the session what it received, lets it go on with [`Session::poll_room`], and sends what
//! [`Session::outgoing`] hands over. A session does one thing at a time for its client: while it waits for the room it
//! asks not to be read, so that the pressure reaches the client; and it holds no queue but a cursor.

mod answer;
mod counts;
mod deletions;
mod edits;
mod exchange;
mod extension;
mod limits;
mod meter;
mod pace;
mod paces;
mod reasons;
mod sending;
mod standing;
mod told;
mod work;

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use synapti_protocol::{
    close::CloseCode,
    message::{self, Message, SyncMessage},
    update::{self, EMPTY_UPDATE},
};

use tokio::time::{Sleep, sleep_until};

use crate::{
    auth::Role,
    limits::answers::Paid,
    room::{About, Cursor, Joined, Refusal, RoomHandle, SessionId, SessionSlot, places::Membership, slot::Probe},
};
use answer::Answer;
use counts::Counts;
pub use counts::EditCounts;
pub use exchange::FeedNews;
use extension::Extension;
pub use extension::refused;
pub use limits::SessionLimits;
pub use meter::Meter;
use pace::{Kind, Pace, Toll, TooFast};
pub use paces::Paces;
pub use reasons::refusal;
use reasons::{call_refusal, malformed};
use standing::Standing;
pub use standing::is_edit;
pub use told::Telling;
use told::Told;
use work::{Done, Work};

/// A client in a room.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    room: RoomHandle,
    limits: SessionLimits,
    slot: Arc<SessionSlot>,
    cursor: Cursor,
    answer: Answer,
    pace: Arc<Pace>,
    too_fast: TooFast,
    /// What the client last said of itself, if it said it too soon after the word before.
    later: Option<Box<Later>>,
    /// What the room asks this client, for its next message.
    question: Option<Bytes>,
    /// Whether what the client changes is taken.
    standing: Standing,
    /// Whether the client has read the greeting, so that it has heard of others.
    has_heard: bool,
    /// Edits handed to the room.
    edits: u64,
    told: Told,
    work: Option<Work>,
    departing: bool,
    look: bool,
    probe: Option<Probe>,
    // Last: leaving the room is the last thing that a session does.
    _membership: Membership,
}

impl Session {
    /// Begins a session; the client is greeted with a question for what it has, and with who is here. One that is told what
    /// becomes of its edits must have joined as such.
    pub fn new(
        id: SessionId,
        room: RoomHandle,
        joined: Joined,
        limits: SessionLimits,
        role: Role,
        telling: Telling,
    ) -> Self {
        let Joined { membership, slot, welcome } = joined;
        let pace = Arc::new(Pace::new(&limits));
        Self {
            id,
            room,
            limits,
            slot,
            cursor: welcome.cursor,
            answer: Answer::new([welcome.question].into_iter().chain(welcome.presence)),
            pace,
            too_fast: TooFast::default(),
            later: None,
            question: None,
            standing: Standing::of(role),
            has_heard: false,
            edits: 0,
            told: match telling {
                Telling::Nothing => Told::Nothing,
                Telling::Extension => Told::Extension(Box::new(Extension::new(role, welcome.has_unsaved))),
                Telling::Counts => Told::Counts(Box::new(Counts::new(welcome.has_unsaved))),
            },
            work: None,
            departing: false,
            look: false,
            probe: None,
            _membership: membership,
        }
    }

    /// Where the session is.
    pub fn room(&self) -> &RoomHandle {
        &self.room
    }

    /// What the room says to this session alone.
    pub fn slot(&self) -> &Arc<SessionSlot> {
        &self.slot
    }

    /// Whether the client may be read: not while its last message is still being dealt with, nor before the network has
    /// taken the answer to it. A client that asks and does not read would otherwise fill the memory with answers.
    pub fn may_read(&self) -> bool {
        self.work.is_none() && self.answer.is_over()
    }

    /// The network has taken everything that [`Session::outgoing`] yielded.
    pub fn flushed(&mut self) {
        self.answer.flushed();
    }

    /// Whether more of an answer waits than is on its way.
    pub fn is_answering(&self) -> bool {
        !self.answer.is_empty()
    }

    /// What a state that waits for the network has of what answers may hold.
    pub fn sending(&self) -> Option<&Paid> {
        self.answer.paid()
    }

    /// The network takes too little: lets go of what waits for it.
    pub fn shed(&mut self) {
        self.answer.shed();
    }

    /// Takes one message of the client.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn receive(&mut self, frame: &Bytes) -> Result<(), Refusal> {
        let message = message::parse(frame).map_err(malformed)?;
        self.check_size(frame.len(), &message)?;
        let mut toll = Toll::of(Kind::of(&message), frame.len());
        match self.pace.take(&mut toll) {
            Ok(()) => self.take(message),
            // A copy: what was received would keep the whole read buffer.
            Err(_) => self.slow_down(toll, Some(Bytes::copy_from_slice(frame))),
        }
    }

    /// Takes a message of the connection itself, a ping for instance, which costs as much as any other.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn receive_control(&mut self, bytes: usize) -> Result<(), Refusal> {
        let mut toll = Toll::of(Kind::Plain, bytes);
        if self.pace.take(&mut toll).is_err() { self.slow_down(toll, None) } else { Ok(()) }
    }

    fn take(&mut self, message: Message<'_>) -> Result<(), Refusal> {
        match message {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                update::scan_state_vector(state_vector).map_err(malformed)?;
                self.work = Some(Work::sync(&self.room, Bytes::copy_from_slice(state_vector), (self.id, self.edits)));
            }
            Message::Sync(SyncMessage::Step2(update)) => {
                self.has_heard = true;
                self.update(update, true)?;
            }
            Message::Sync(SyncMessage::Update(update)) => self.update(update, false)?,
            Message::Awareness(payload) => self.awareness(Bytes::copy_from_slice(payload)),
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
            self.finish(done?)?;
            happened = true;
        }
        if let Some(later) = &mut self.later
            && later.at.as_mut().poll(cx).is_ready()
            && let Some(later) = self.later.take()
        {
            self.awareness(later.payload);
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
        if let Told::Extension(extension) = &mut self.told {
            extension.depart(reconnect_after_ms);
        }
    }

    /// Whether the client speaks `synapti.v1`.
    pub fn is_extended(&self) -> bool {
        matches!(self.told, Told::Extension(_))
    }

    /// A state vector that the client certainly has.
    pub fn known(&self) -> &Bytes {
        self.answer.known()
    }

    /// Whether the node goes, so that the session should end at its turn.
    pub fn is_departing(&self) -> bool {
        self.departing
    }

    /// Whether time has passed since the last call, so that the transport should look after its connection.
    pub fn take_look(&mut self) -> bool {
        std::mem::take(&mut self.look)
    }

    /// Somebody wants to know whether the client is still there.
    pub fn take_probe(&mut self) -> Option<Probe> {
        self.probe.take()
    }

    /// Finishes what the client's last message began.
    pub async fn finish_work(&mut self) {
        while let Some(mut work) = self.work.take() {
            // The client has gone: nobody is told what came of it.
            let Ok(Done::Due(Some(frame))) = poll_fn(|cx| work.poll(cx)).await else { return };
            // It was read, and only waited because it came too soon.
            let _ = message::parse(&frame).map(|message| self.take(message));
        }
    }

    /// What the room has said to this session alone.
    fn hear(&mut self) -> Result<(), Refusal> {
        let news = self.slot.take();
        self.departing |= news.departing;
        self.look |= news.look;
        match &mut self.told {
            Told::Nothing => {}
            Told::Extension(extension) => extension.hear(&news),
            Told::Counts(counts) => counts.hear(&news),
        }
        self.answer.say(news.presence);
        self.probe = news.probe.or(self.probe.take());
        self.question = news.question.or(self.question.take());
        news.refusal.map_or(Ok(()), Err)
    }

    /// Of what a client says of itself too fast only the newest is passed on.
    fn awareness(&mut self, payload: Bytes) {
        if let Err(at) = self.pace.presence() {
            self.later = Some(Box::new(Later { payload, at: Box::pin(sleep_until(at)) }));
            return;
        }
        self.later = None;
        let about = if self.has_heard { About::Anybody } else { About::Itself };
        if !self.room.try_awareness(self.id, payload.clone(), about) {
            self.work = Some(Work::awareness(&self.room, self.id, payload, about));
        }
    }

    fn finish(&mut self, done: Done) -> Result<(), Refusal> {
        if let Done::Due(_) = done {
            self.too_fast.waited();
        }
        match done {
            Done::Handed | Done::Due(None) => {}
            Done::Deleted { is_news: true } => self.refuse(true, None),
            Done::Deleted { is_news: false } => self.hand_over(&EMPTY_UPDATE, true),
            Done::Due(Some(frame)) => return self.take(message::parse(&frame).map_err(malformed)?),
            Done::Synced(reply) => self.answer.state(&reply, true),
            Done::CaughtUp { reply, is_asked } => {
                self.cursor = reply.cursor;
                self.answer.state(&reply, is_asked);
                self.answer.say(reply.presence);
            }
            Done::Presence(frame) => {
                self.answer.say([frame.unwrap_or(Bytes::from_static(message::EMPTY_AWARENESS))]);
            }
        }
        Ok(())
    }

    /// The client is too fast: it is not read again before what it said is due.
    fn slow_down(&mut self, toll: Toll, frame: Option<Bytes>) -> Result<(), Refusal> {
        self.too_fast.slow_down(&self.limits)?;
        self.work = Some(Work::due(self.pace.clone(), toll, frame));
        Ok(())
    }

    fn check_size(&self, bytes: usize, message: &Message<'_>) -> Result<(), Refusal> {
        let is_answer = matches!(message, Message::Sync(SyncMessage::Step2(_)));
        let what = if is_answer { "sync message" } else { "message" };
        let bytes_max = self.limits.bytes_max(message);
        if bytes_max > 0 && bytes > bytes_max {
            let reason = format!("{what} of {bytes} bytes is larger than {bytes_max}");
            return Err(Refusal::new(CloseCode::TooLarge, reason));
        }
        Ok(())
    }
}

/// A word about oneself that is passed on later.
#[derive(Debug)]
struct Later {
    payload: Bytes,
    at: Pin<Box<Sleep>>,
}
