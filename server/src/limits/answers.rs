//! Large answers on their way to clients: how many bytes of them this node holds, and whose give way when others wait.
//!
//! An answer that its client takes slowly holds its share all the while. As long as there is enough, nobody minds. When others
//! wait, those over HTTP that are taken too slowly are cut off, one after another, the slowest first; a WebSocket's session lets
//! go of what is left by itself and makes it anew ([`Answers::others_wait`]).

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
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
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a client takes at least of a large answer while others wait for theirs.
pub const BYTES_PER_SECOND_WHEN_SHORT: u64 = 256 << 10;

/// How often one who waits has room made.
const MAKES_ROOM_EVERY: Duration = Duration::from_millis(250);

/// Where an answer goes.
pub trait Takes: fmt::Debug + Send + Sync {
    /// Bytes that the network has taken for the client so far.
    fn taken(&self) -> u64;
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
    /// Those over HTTP. Who is gone is swept whenever one comes.
    takers: Mutex<Vec<Weak<Taker>>>,
}

/// An answer's part of what all may hold; dropping it gives it back.
#[derive(Debug)]
pub struct AnswerShare {
    share: Share,
    of: Answers,
}

/// Where the share of an answer stands that many hold: the first who brings one pays for all.
#[derive(Debug, Default)]
pub struct Paid(OnceLock<Option<AnswerShare>>);

/// A connection that holds a large answer, or did.
#[derive(Debug, Default)]
pub struct Taker {
    connection: OnceLock<Arc<dyn Takes>>,
    /// Since when it holds one, and how much the connection had taken by then.
    since: Mutex<Option<(Instant, u64)>>,
}

impl Answers {
    /// So many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let (budget, waiting, takers) = (ByteBudget::new(bytes_max), AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Inner { budget, waiting, takers }))
    }

    /// Waits for so many bytes, and has others make room; what is larger than all takes all. `None` = never.
    pub async fn take(&self, bytes: usize) -> Option<AnswerShare> {
        let mut taking = pin!(self.0.budget.take(bytes));
        let waits = Waits::begin(&self.0.waiting);
        let share = loop {
            match timeout(MAKES_ROOM_EVERY, taking.as_mut()).await {
                Ok(share) => break share?,
                Err(_) => self.make_room(),
            }
        };
        drop(waits);
        Some(AnswerShare { share, of: self.clone() })
    }

    /// As [`Answers::take`] if they are there at once.
    pub fn try_take(&self, bytes: usize) -> Option<AnswerShare> {
        Some(AnswerShare { share: self.0.budget.try_take(bytes)?, of: self.clone() })
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

    /// Cuts off who takes its answer most slowly, if that is too slowly.
    fn make_room(&self) {
        let now = Instant::now();
        let takers: Vec<Arc<Taker>> = self.0.takers.lock().iter().filter_map(Weak::upgrade).collect();
        let slowest = takers.iter().filter_map(|taker| Some((taker.rate(now)?, taker))).min_by_key(|(rate, _)| *rate);
        if let Some((rate, taker)) = slowest
            && rate < BYTES_PER_SECOND_WHEN_SHORT
            && taker.cut()
        {
            metrics::get().end(metrics::End::MadeWay);
        }
    }
}

impl AnswerShare {
    /// Gives back what is more than so many bytes; nothing is left of it for zero.
    #[must_use]
    pub fn shrunk_to(self, bytes: usize) -> Option<Self> {
        let Self { share, of } = self;
        Some(Self { share: share.shrunk_to(bytes)?, of })
    }

    /// Somebody who takes the answer.
    pub fn taker(&self) -> Arc<Taker> {
        self.of.taker()
    }
}

impl Paid {
    /// Pays for something of so many bytes, unless somebody has.
    pub fn pay(&self, share: AnswerShare, bytes: usize) {
        self.0.get_or_init(|| share.shrunk_to(bytes));
    }

    /// Whether it is so large that it was paid for.
    pub fn is_paid(&self) -> bool {
        self.0.get().is_some_and(Option::is_some)
    }

    /// Somebody who takes it; `None` for what is so small that nothing was paid.
    pub fn taker(&self) -> Option<Arc<Taker>> {
        Some(self.0.get()?.as_ref()?.taker())
    }
}

impl Taker {
    /// The answer goes there.
    pub fn goes_to(&self, connection: Arc<dyn Takes>) {
        let taken = connection.taken();
        if self.connection.set(connection).is_ok()
            && let Some((_, from)) = &mut *self.since.lock()
        {
            *from = taken;
        }
    }

    /// From now on it holds an answer, or none any more.
    pub fn holds(&self, holds: bool) {
        let mut since = self.since.lock();
        match *since {
            None if holds => *since = Some((Instant::now(), self.connection.get().map_or(0, |to| to.taken()))),
            Some(_) if !holds => *since = None,
            _ => {}
        }
    }

    /// Bytes a second, when it has had time enough.
    fn rate(&self, now: Instant) -> Option<u64> {
        let (since, from) = (*self.since.lock())?;
        let took = now.saturating_duration_since(since);
        let taken = self.connection.get()?.taken().saturating_sub(from);
        (took >= PATIENCE).then(|| taken / took.as_secs().max(1))
    }

    /// Says whether it was not before.
    fn cut(&self) -> bool {
        let held = self.since.lock().take().is_some();
        if let (true, Some(connection)) = (held, self.connection.get()) {
            connection.cut();
        }
        held
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
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use tokio::time::advance;

    use super::*;

    /// Drops its share when it is cut, as a connection does.
    #[derive(Debug, Default)]
    struct Connection {
        taken: AtomicU64,
        is_cut: AtomicBool,
        share: Mutex<Option<AnswerShare>>,
    }

    impl Takes for Connection {
        fn taken(&self) -> u64 {
            self.taken.load(Ordering::Relaxed)
        }

        fn cut(&self) {
            self.is_cut.store(true, Ordering::Relaxed);
            self.share.lock().take();
        }
    }

    /// Somebody who takes an answer of so many bytes; their taker lives as long as the answer does.
    async fn taking(answers: &Answers, bytes: usize) -> (Arc<Connection>, Arc<Taker>) {
        let share = answers.take(bytes).await.unwrap();
        let (connection, taker) = (Arc::new(Connection::default()), share.taker());
        *connection.share.lock() = Some(share);
        taker.holds(true);
        taker.goes_to(connection.clone());
        (connection, taker)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_gives_way_when_others_wait_and_only_then() {
        let answers = Answers::new(10 << 20);
        let (slow, _slow) = taking(&answers, 4 << 20).await;
        let (slower, _slower) = taking(&answers, 4 << 20).await;
        for _ in 0..60 {
            slow.taken.fetch_add(2_000, Ordering::Relaxed);
            slower.taken.fetch_add(1_000, Ordering::Relaxed);
            advance(Duration::from_secs(1)).await;
        }
        assert!(
            !slow.is_cut.load(Ordering::Relaxed) && !slower.is_cut.load(Ordering::Relaxed) && !answers.others_wait()
        );
        let begun = Instant::now();
        answers.take(5 << 20).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1) && !answers.others_wait());
        assert!(slower.is_cut.load(Ordering::Relaxed) && !slow.is_cut.load(Ordering::Relaxed), "no more than needed");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_fast_enough_or_new_or_holds_nothing_stays() {
        let answers = Answers::new(10 << 20);
        let (fast, _fast) = taking(&answers, 4 << 20).await;
        let (idle, idle_taker) = taking(&answers, 2 << 20).await;
        idle_taker.holds(false);
        fast.taken.fetch_add(100 * BYTES_PER_SECOND_WHEN_SHORT, Ordering::Relaxed);
        advance(PATIENCE + PATIENCE).await;
        let (new, _new) = taking(&answers, 4 << 20).await;
        let waiting = timeout(PATIENCE / 2, answers.take(5 << 20)).await;
        assert!(waiting.is_err() && !answers.others_wait(), "it has given up");
        assert!([fast, idle, new].iter().all(|one| !one.is_cut.load(Ordering::Relaxed)));
    }

    #[tokio::test]
    async fn what_many_hold_is_paid_for_once() {
        let answers = Answers::new(10 << 10);
        let shared = Arc::new(Paid::default());
        assert!(shared.taker().is_none());
        shared.pay(answers.try_take(8 << 10).unwrap(), 3 << 10);
        assert!(shared.taker().is_some());
        let other = shared.clone();
        other.pay(answers.try_take(4 << 10).unwrap(), 3 << 10);
        assert_eq!(answers.0.budget.left_bytes(), 7 << 10);
        drop(shared);
        assert_eq!(answers.0.budget.left_bytes(), 7 << 10);
        drop(other);
        assert_eq!(answers.0.budget.left_bytes(), 10 << 10);
    }
}
