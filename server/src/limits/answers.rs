//! Large answers on their way to clients: how many bytes of them this node holds, and whose give way when others wait.
//!
//! An answer that its client takes slowly holds its share all the while. As long as there is enough, nobody minds. When others
//! wait, those over HTTP that are taken too slowly are cut off, one after another, the slowest first; a WebSocket's session lets
//! go of what is left by itself and makes it anew ([`Answers::others_wait`]).

use std::{
    collections::HashMap,
    fmt,
    pin::pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::budget::{ByteBudget, Share};
use crate::telemetry::metrics;

/// Answers that are smaller are not counted: what each connection may hold.
pub const COUNTED_FROM_BYTES: usize = 256 << 10;

/// How long a client has before it counts as slow.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What a client takes at least of a large answer while others wait for theirs.
pub const BYTES_PER_SECOND_WHEN_SHORT: u64 = 256 << 10;

/// How often room is made while somebody waits.
const MAKES_ROOM_EVERY: Duration = Duration::from_millis(250);

/// Where an answer goes.
pub trait Takes: fmt::Debug + Send + Sync {
    /// Ends the connection, and with it what it holds.
    fn cut(&self);
}

/// What answers may hold. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Answers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    budget: ByteBudget,
    waiting: AtomicUsize,
    /// The number of the next share.
    next: AtomicU64,
    /// When room was made last: what was cut off needs a moment to let go.
    made_room: Mutex<Option<Instant>>,
    /// Those over HTTP. Who is gone is swept whenever one comes.
    takers: Mutex<Vec<Weak<Taker>>>,
}

/// An answer's part of what all may hold; dropping it gives it back.
#[derive(Debug)]
pub struct AnswerShare {
    share: Share,
    number: u64,
    of: Answers,
}

/// Where the share of an answer stands that many hold: the first who brings one pays for all.
#[derive(Debug, Default)]
pub struct Paid(OnceLock<Option<AnswerShare>>);

/// Somebody who holds a large answer, or did.
#[derive(Debug, Default)]
pub struct Taker {
    connection: OnceLock<Arc<dyn Takes>>,
    /// Bytes of the answer that it has taken.
    taken: AtomicU64,
    holds: Mutex<Option<Holds>>,
}

/// Which share somebody holds, since when, and what they had taken by then.
#[derive(Clone, Copy, Debug)]
struct Holds {
    share: u64,
    since: Instant,
    from: u64,
}

impl Answers {
    /// So many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Inner {
            budget: ByteBudget::new(bytes_max),
            waiting: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            made_room: Mutex::default(),
            takers: Mutex::default(),
        }))
    }

    /// Waits for so many bytes, and has others make room; what is larger than all takes all. `None` = never.
    pub async fn take(&self, bytes: usize) -> Option<AnswerShare> {
        let mut taking = pin!(self.0.budget.take(bytes));
        let mut waits = None;
        loop {
            if let Ok(share) = timeout(MAKES_ROOM_EVERY, taking.as_mut()).await {
                return Some(self.share(share?));
            }
            waits.get_or_insert_with(|| Waits::begin(&self.0.waiting));
            self.make_room();
        }
    }

    /// As [`Answers::take`] if they are there at once.
    pub fn try_take(&self, bytes: usize) -> Option<AnswerShare> {
        Some(self.share(self.0.budget.try_take(bytes)?))
    }

    /// Whether somebody waits for a share.
    pub fn others_wait(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }

    /// Somebody who takes answers from time to time.
    pub fn taker(&self) -> Arc<Taker> {
        let taker = Arc::new(Taker::default());
        let mut takers = self.0.takers.lock();
        takers.retain(|taker| taker.strong_count() > 0);
        takers.push(Arc::downgrade(&taker));
        taker
    }

    fn share(&self, share: Share) -> AnswerShare {
        AnswerShare { share, number: self.0.next.fetch_add(1, Ordering::Relaxed), of: self.clone() }
    }

    /// Cuts off who takes an answer most slowly, if that is too slowly: all who have it, because one that somebody still takes
    /// holds as much as before.
    fn make_room(&self) {
        let now = Instant::now();
        {
            let mut made_room = self.0.made_room.lock();
            if made_room.is_some_and(|made| now - made < MAKES_ROOM_EVERY) {
                return;
            }
            *made_room = Some(now);
        }
        let takers: Vec<Arc<Taker>> = self.0.takers.lock().iter().filter_map(Weak::upgrade).collect();
        let mut shares: HashMap<u64, (u64, Vec<&Taker>)> = HashMap::new();
        for taker in &takers {
            let Some((share, rate)) = taker.rate(now) else { continue };
            let (fastest, all) = shares.entry(share).or_default();
            *fastest = rate.max(*fastest);
            all.push(taker);
        }
        let slowest = shares.into_values().min_by_key(|(fastest, _)| *fastest);
        for taker in
            slowest.into_iter().filter(|(rate, _)| *rate < BYTES_PER_SECOND_WHEN_SHORT).flat_map(|(_, all)| all)
        {
            taker.cut();
            metrics::get().end(metrics::End::MadeWay);
        }
    }
}

impl AnswerShare {
    /// Gives back what is more than so many bytes; nothing is left of it for what is not counted.
    #[must_use]
    pub fn shrunk_to(self, bytes: usize) -> Option<Self> {
        let Self { share, number, of } = self;
        let share = if bytes < COUNTED_FROM_BYTES { None } else { share.shrunk_to(bytes) };
        Some(Self { share: share?, number, of })
    }

    /// Somebody who takes the answer.
    pub fn taker(&self) -> Arc<Taker> {
        let taker = self.of.taker();
        taker.holds(Some(self.number));
        taker
    }
}

impl Paid {
    /// Pays for something of so many bytes, unless somebody has.
    pub fn pay(&self, share: AnswerShare, bytes: usize) {
        self.0.get_or_init(|| share.shrunk_to(bytes));
    }

    /// Its share, if it is so large that it has one.
    pub fn share(&self) -> Option<&AnswerShare> {
        self.0.get()?.as_ref()
    }

    /// Somebody who takes it; `None` for what is so small that nothing was paid.
    pub fn taker(&self) -> Option<Arc<Taker>> {
        self.share().map(AnswerShare::taker)
    }
}

impl Taker {
    /// The answer goes there.
    pub fn goes_to(&self, connection: Arc<dyn Takes>) {
        // There is one connection.
        let _ = self.connection.set(connection);
    }

    /// From now on it holds this share, or none any more.
    pub fn holds_of(&self, paid: Option<&Paid>) {
        self.holds(paid.and_then(Paid::share).map(|share| share.number));
    }

    /// It has taken so many bytes more.
    pub fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn holds(&self, share: Option<u64>) {
        let mut holds = self.holds.lock();
        if holds.map(|holds| holds.share) != share {
            let from = self.taken.load(Ordering::Relaxed);
            *holds = share.map(|share| Holds { share, since: Instant::now(), from });
        }
    }

    /// Which share it holds, and how many bytes it takes in a second; who has had no time yet is fast.
    fn rate(&self, now: Instant) -> Option<(u64, u64)> {
        let Holds { share, since, from } = (*self.holds.lock())?;
        let took = now.saturating_duration_since(since);
        if took < PATIENCE || self.connection.get().is_none() {
            return Some((share, u64::MAX));
        }
        let taken = self.taken.load(Ordering::Relaxed) - from;
        Some((share, taken / took.as_secs().max(1)))
    }

    fn cut(&self) {
        *self.holds.lock() = None;
        if let Some(connection) = self.connection.get() {
            connection.cut();
        }
    }
}

/// Counts one who waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
