//! What a room says to one session: a fixed number of bytes, however much there is to say.

use bytes::Bytes;
use parking_lot::Mutex;
use synapti_protocol::close::CloseCode;
use tokio::sync::Notify;

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

/// A mailbox with one place for each kind of news, overwritten rather than queued: the room never waits for a
/// session, and a session that stopped costs no more than one that reads.
#[derive(Debug, Default)]
pub struct SessionSlot {
    news: Mutex<News>,
    changed: Notify,
}

/// What a session has not been told yet.
#[derive(Debug, Default)]
pub struct News {
    /// The session must end; nothing else matters any more.
    pub refusal: Option<Refusal>,
    /// A state vector that the client is asked to complete (`SyncStep1`): an edit of its own lacks earlier ones.
    pub question: Option<Bytes>,
}

impl SessionSlot {
    /// Ends the session. The first reason stays.
    pub fn refuse(&self, refusal: Refusal) {
        self.news.lock().refusal.get_or_insert(refusal);
        self.changed.notify_one();
    }

    /// Asks the client for what it has beyond `state_vector`.
    pub fn ask(&self, state_vector: Bytes) {
        self.news.lock().question = Some(state_vector);
        self.changed.notify_one();
    }

    /// Why the session must end, if it must.
    pub fn refused(&self) -> Option<Refusal> {
        self.news.lock().refusal.clone()
    }

    /// Takes what is there.
    pub fn take(&self) -> News {
        std::mem::take(&mut self.news.lock())
    }

    /// Waits for news; cancel-safe, and remembers one wake-up that came before.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}
