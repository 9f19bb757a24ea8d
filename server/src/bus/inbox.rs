//! What a room has heard from the bus and not yet taken in: bounded, and whoever fills it never waits. What does not fit is
//! lost, as anything on the bus may be, and the room is told so.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use synapti_protocol::envelope::NodeId;
use tokio::sync::Notify;

/// Envelopes that wait for one room.
pub const INBOX_MESSAGES_MAX: usize = 1024;

/// Their bytes, unless a single one is larger.
pub const INBOX_BYTES_MAX: usize = 4 << 20;

/// Nodes that have gone and of which one room has not heard yet; beyond that it is told that it has missed something.
const GONE_MAX: usize = 64;

/// What a room hears.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Others are heard from now on; what they said before may be lost.
    Joined,
    /// Nothing arrives until [`News::Joined`].
    Away,
    /// Something was lost.
    Missed,
    /// A node has gone, or gives no sign of life.
    Gone(NodeId),
    /// Something on the room's channel. It may be anything.
    Envelope(Bytes),
}

/// Where the bus puts what a room hears. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox(Arc<Shared>);

/// Where the room takes it.
#[derive(Debug)]
pub struct Mail(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    envelopes: VecDeque<Bytes>,
    bytes: usize,
    gone: Vec<NodeId>,
    missed: bool,
    joining: Joining,
}

/// Whether others are heard, and what the room knows of that.
#[derive(Debug, Default)]
struct Joining {
    is_joined: bool,
    /// The room has to hear of the way that there was in between.
    has_rejoined: bool,
    told_joined: bool,
}

/// Both ends of a new inbox, which is away.
pub fn inbox() -> (Inbox, Mail) {
    let shared = Arc::new(Shared::default());
    (Inbox(shared.clone()), Mail(shared))
}

impl Inbox {
    /// Adds an envelope; false when there was no room for it, of which the room will hear.
    pub fn put(&self, envelope: Bytes) -> bool {
        let fits = {
            let mut waiting = self.0.waiting.lock();
            let fits = waiting.envelopes.len() < INBOX_MESSAGES_MAX
                && (waiting.bytes == 0 || waiting.bytes + envelope.len() <= INBOX_BYTES_MAX);
            if fits {
                waiting.bytes += envelope.len();
                waiting.envelopes.push_back(envelope);
            } else {
                waiting.missed = true;
            }
            fits
        };
        self.0.arrived.notify_one();
        fits
    }

    /// Others are heard, or are not any more. Joining again means that something may have been lost.
    pub fn set_joined(&self, is_joined: bool) {
        {
            let mut waiting = self.0.waiting.lock();
            waiting.joining.has_rejoined |= is_joined;
            waiting.joining.is_joined = is_joined;
        }
        self.0.arrived.notify_one();
    }

    /// A node has gone.
    pub fn gone(&self, node: NodeId) {
        {
            let mut waiting = self.0.waiting.lock();
            if waiting.gone.len() < GONE_MAX {
                waiting.gone.push(node);
            } else {
                waiting.missed = true;
            }
        }
        self.0.arrived.notify_one();
    }
}

impl Mail {
    /// Waits for the next news. Cancel-safe.
    pub async fn next(&mut self) -> News {
        loop {
            let arrived = self.0.arrived.notified();
            let news = self.0.waiting.lock().take();
            if let Some(news) = news {
                return news;
            }
            arrived.await;
        }
    }

    /// What there is at once.
    pub fn take(&mut self) -> Option<News> {
        self.0.waiting.lock().take()
    }
}

impl Waiting {
    fn take(&mut self) -> Option<News> {
        if let Some(news) = self.joining.take() {
            return Some(news);
        }
        if let Some(node) = self.gone.pop() {
            return Some(News::Gone(node));
        }
        if let Some(envelope) = self.envelopes.pop_front() {
            self.bytes -= envelope.len();
            if self.envelopes.is_empty() {
                self.envelopes = VecDeque::new();
            }
            return Some(News::Envelope(envelope));
        }
        // Last: what was lost is asked for when the rest has been taken in.
        std::mem::take(&mut self.missed).then_some(News::Missed)
    }
}

impl Joining {
    fn take(&mut self) -> Option<News> {
        if self.told_joined && (!self.is_joined || self.has_rejoined) {
            self.told_joined = false;
            return Some(News::Away);
        }
        if self.is_joined && !self.told_joined {
            (self.told_joined, self.has_rejoined) = (true, false);
            return Some(News::Joined);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mail: &mut Mail) -> Vec<News> {
        std::iter::from_fn(|| mail.take()).collect()
    }

    #[test]
    fn what_does_not_fit_is_lost_and_the_room_is_told_in_the_end() {
        let (inbox, mut mail) = inbox();
        let accepted = (0..INBOX_MESSAGES_MAX + 5).filter(|_| inbox.put(Bytes::from_static(b"x"))).count();
        assert_eq!(accepted, INBOX_MESSAGES_MAX);
        let news = all(&mut mail);
        assert_eq!((news.len(), news.last()), (INBOX_MESSAGES_MAX + 1, Some(&News::Missed)));
        assert!(inbox.put(vec![0; INBOX_BYTES_MAX + 1].into()), "a single one may be larger");
        assert!(!inbox.put(Bytes::from_static(b"x")));
        assert_eq!(all(&mut mail).len(), 2);
        assert!(inbox.put(Bytes::from_static(b"x")));
    }

    #[test]
    fn a_way_that_was_made_anew_is_told_even_when_nobody_looked_meanwhile() {
        let (inbox, mut mail) = inbox();
        assert_eq!(mail.take(), None);
        inbox.set_joined(true);
        assert_eq!(all(&mut mail), [News::Joined]);
        inbox.set_joined(false);
        inbox.set_joined(true);
        assert_eq!(all(&mut mail), [News::Away, News::Joined]);
        inbox.set_joined(false);
        inbox.gone(NodeId(4));
        assert_eq!(all(&mut mail), [News::Away, News::Gone(NodeId(4))]);
        inbox.set_joined(true);
        inbox.set_joined(false);
        assert_eq!(mail.take(), None, "nothing came of it");
        inbox.set_joined(true);
        assert_eq!(all(&mut mail), [News::Joined]);
    }
}
