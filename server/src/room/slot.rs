//! What a room says to one session: a fixed number of bytes, however much there is to say.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use synapti_protocol::close::CloseCode;
use tokio::sync::oneshot;

/// Why a session has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told in the close frame.
    pub code: CloseCode,
    /// Why, in words that help; at most 123 bytes reach the client.
    pub reason: String,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(code: CloseCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// How often sessions are told that time has passed: the room's clock serves all of them.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A mailbox with one place for each kind of news, overwritten rather than queued: the room never waits for a
/// session, and a session that stopped costs no more than one that reads. It also is the bell of the session: for the
/// feed, too, so that a session registers with one waker however many things it waits for.
#[derive(Debug, Default)]
pub struct SessionSlot {
    news: Mutex<News>,
    has_news: AtomicBool,
    woken: AtomicBool,
    waker: AtomicWaker,
}

/// What a session has not been told yet.
#[derive(Debug, Default)]
pub struct News {
    /// The session must end; nothing else matters any more.
    pub refusal: Option<Refusal>,
    /// A state vector that the client is asked to complete (`SyncStep1`): an edit of its own lacks earlier ones.
    pub question: Option<Bytes>,
    /// A frame about the client's own presence, for it alone.
    pub presence: Option<Bytes>,
    /// The node goes: the session should end at its turn.
    pub departing: bool,
    /// So many of the session's edits are on disk.
    pub acked: Option<u64>,
    /// Whether something was shown that is not on disk.
    pub unsaved: Option<bool>,
    /// Time has passed: the session should see whether its client is still there.
    pub look: bool,
    /// Somebody wants to know at once whether the client is still there.
    pub probe: Option<Probe>,
}

/// A question whether a client is still there.
#[derive(Debug)]
pub struct Probe(oneshot::Sender<()>);

impl Probe {
    /// It is. Dropping the question says that nobody knows any more.
    pub fn answer(self) {
        // Whoever asked may have given up.
        let _ = self.0.send(());
    }
}

impl SessionSlot {
    /// Ends the session. The first reason stays.
    pub fn refuse(&self, refusal: Refusal) {
        self.tell(|news| {
            news.refusal.get_or_insert(refusal);
        });
    }

    /// Asks the client for what it has beyond `state_vector`.
    pub fn ask(&self, state_vector: Bytes) {
        self.tell(|news| news.question = Some(state_vector));
    }

    /// Tells the client something about its own presence.
    pub fn say_presence(&self, frame: Bytes) {
        self.tell(|news| news.presence = Some(frame));
    }

    /// Tells the session that so many of its edits are on disk.
    pub fn ack(&self, edits: u64) {
        self.tell(|news| news.acked = Some(edits));
    }

    /// Tells the session whether something was shown that is not on disk.
    pub fn unsaved(&self, is_unsaved: bool) {
        self.tell(|news| news.unsaved = Some(is_unsaved));
    }

    /// Asks the session to end at its turn.
    pub fn depart(&self) {
        self.tell(|news| news.departing = true);
    }

    /// Tells the session that time has passed; every [`LOOK_EVERY`].
    pub fn look(&self) {
        self.tell(|news| news.look = true);
    }

    /// Waits for a sign of life of the client, for ever if none comes. Of two questions at one time the older counts as
    /// answered.
    pub async fn probe(&self) {
        let (asked, answer) = oneshot::channel();
        self.tell(|news| news.probe = Some(Probe(asked)));
        let _ = answer.await;
    }

    /// Wakes the session: there is news, or something in the feed.
    pub fn wake(&self) {
        // A session that has not looked since the last call will see this, too.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Takes what is there.
    pub fn take(&self) -> News {
        if self.has_news.swap(false, Ordering::AcqRel) {
            std::mem::take(&mut *self.news.lock())
        } else {
            News::default()
        }
    }

    /// Ready once for all wake-ups since the last time.
    pub fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Also when it is ready: whoever looks once and then sleeps is woken by what comes after the look.
        self.waker.register(cx.waker());
        if self.woken.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits to be woken; cancel-safe, and remembers a wake-up that came before. One waits at a time.
    pub async fn changed(&self) {
        poll_fn(|cx| self.poll_woken(cx)).await;
    }

    fn tell(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock());
        self.has_news.store(true, Ordering::Release);
        self.wake();
    }
}
