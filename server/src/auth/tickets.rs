//! Tickets: short words that stand for somebody's access for a moment, where a token must not show, as in a URL.
//!
//! Each is good once: on all nodes, or, while they cannot be reached, on the node that gave it out. One may be given out for a
//! single map.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::OnceLock,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use synapti_protocol::graph_id::GraphId;

mod written;

use super::access::Access;
use crate::bus::SharedLimits;

/// How long a ticket is good.
pub const TICKET_SECONDS: u32 = 30;

/// Tickets that are good at one time.
const TICKETS_MAX: usize = 10_000;

/// Of these, tickets of one client, so that nobody can take them all.
const TICKETS_PER_CLIENT_MAX: usize = 100;

/// Random bytes of a ticket: nobody guesses one in 30 seconds, or ever.
const TICKET_BYTES: usize = 24;

/// No ticket can be given out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tickets are waiting to be used: try again in a moment")]
pub struct TooManyTickets;

/// The tickets that are good. `Debug` does not show them.
#[derive(Default)]
pub struct Tickets {
    here: Mutex<Inner>,
    /// Where all nodes find them, if there may be others.
    nodes: OnceLock<SharedLimits>,
}

#[derive(Default)]
struct Inner {
    good: HashMap<String, Ticket>,
    /// All that were given out, with the client of each, the oldest first: all last equally long.
    given: VecDeque<(Timestamp, u64, String)>,
}

/// What a ticket stands for.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The access of whoever asked for it.
    pub access: Access,
    /// The only map that it is for, if it is for one.
    pub graph: Option<GraphId>,
}

impl Tickets {
    /// Gives a ticket out.
    ///
    /// # Errors
    /// When too many are good already.
    pub async fn give(&self, ticket: Ticket, now: Timestamp) -> Result<String, TooManyTickets> {
        let word = self.reserve(ticket.access.principal(), now)?;
        if let (Some(nodes), Some(written)) = (self.nodes.get(), written::write(&ticket)) {
            // A word of its own, so that no ticket is ever in both places: an answer that is late may have been a yes.
            let shared_word = new_word();
            if nodes.put_ticket(&shared_word, &written, TICKET_SECONDS).await {
                return Ok(shared_word);
            }
        }
        self.here.lock().good.insert(word.clone(), ticket);
        Ok(word)
    }

    /// What a ticket stands for; it is used up by that.
    pub async fn take(&self, word: &str, now: Timestamp) -> Option<Ticket> {
        let kept_here = {
            let mut inner = self.here.lock();
            inner.forget_old(now);
            inner.good.remove(word)
        };
        match (kept_here, self.nodes.get()) {
            (None, Some(nodes)) => written::read(&nodes.take_ticket(word).await?),
            (kept_here, _) => kept_here,
        }
    }

    /// From now on tickets are good on all nodes. Counts once.
    pub fn share(&self, nodes: SharedLimits) {
        let _ = self.nodes.set(nodes);
    }

    /// Counts one more ticket of a client, and gives a word for it.
    fn reserve(&self, client: u64, now: Timestamp) -> Result<String, TooManyTickets> {
        let mut inner = self.here.lock();
        inner.forget_old(now);
        // Who has no name is not counted: in mode `open` that is everybody.
        let is_greedy = client != 0
            && inner.given.iter().filter(|(_, other, _)| *other == client).nth(TICKETS_PER_CLIENT_MAX - 1).is_some();
        if is_greedy || inner.given.len() >= TICKETS_MAX {
            return Err(TooManyTickets);
        }
        let word = new_word();
        inner.given.push_back((now, client, word.clone()));
        Ok(word)
    }
}

fn new_word() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; TICKET_BYTES]>())
}

impl Inner {
    fn forget_old(&mut self, now: Timestamp) {
        let is_old = |given: &Timestamp| now.duration_since(*given) >= SignedDuration::from_secs(TICKET_SECONDS.into());
        while let Some((_, _, word)) = self.given.pop_front_if(|(given, _, _)| is_old(given)) {
            self.good.remove(&word);
        }
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::access::Grant, *};

    fn of(client: &str) -> Ticket {
        Ticket { access: Access::granted(Grant { client: client.to_owned(), ..Grant::default() }), graph: None }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[tokio::test]
    async fn a_ticket_is_good_once_and_for_half_a_minute() {
        let tickets = Tickets::default();
        let (first, second) =
            (tickets.give(of("ada"), at(0)).await.unwrap(), tickets.give(of("bob"), at(0)).await.unwrap());
        assert!(first != second && first.len() == 32);
        assert_eq!(tickets.take(&first, at(29)).await.unwrap().access.client(), Some("ada"));
        assert!(tickets.take(&first, at(29)).await.is_none());
        assert!(tickets.take(&second, at(30)).await.is_none());
        assert!(tickets.take("", at(0)).await.is_none());
    }

    #[tokio::test]
    async fn tickets_are_bounded_for_each_client_and_for_all() {
        let tickets = Tickets::default();
        for _ in 0..TICKETS_PER_CLIENT_MAX {
            tickets.give(of("ada"), at(0)).await.unwrap();
        }
        assert_eq!(tickets.give(of("ada"), at(29)).await, Err(TooManyTickets));
        for n in 0..TICKETS_MAX - TICKETS_PER_CLIENT_MAX {
            tickets.give(of(&n.to_string()), at(0)).await.unwrap();
        }
        assert_eq!(tickets.give(of("bob"), at(29)).await, Err(TooManyTickets));
        assert!(tickets.give(of("ada"), at(30)).await.is_ok());
        let inner = tickets.here.lock();
        assert_eq!((inner.good.len(), inner.given.len()), (1, 1));
    }
}
