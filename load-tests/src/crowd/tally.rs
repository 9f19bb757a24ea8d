//! What has arrived, of all clients together.

use std::cell::{Cell, RefCell};

use hdrhistogram::Histogram;
use tokio::{sync::Notify, time::Instant};

/// The longest time that is told apart from longer ones, in microseconds: a minute.
const LONGEST_US: u64 = 60_000_000;

/// Digits of a time that are kept.
const DIGITS: u8 = 3;

/// Counts of a run.
pub struct Tally {
    missing: Cell<u64>,
    complete: Notify,
    /// Deliveries, each edit once for each client, the author's own included.
    pub deliveries: Cell<u64>,
    /// Frames with edits in them.
    pub frames: Cell<u64>,
    /// Bytes of these.
    pub bytes: Cell<u64>,
    /// The last required delivery.
    pub last: Cell<Instant>,
    /// From sending an edit to its arrival at another client, in microseconds.
    pub latency: RefCell<Histogram<u64>>,
    /// The same, of those clients that are on another node than its author.
    pub across: RefCell<Histogram<u64>>,
    /// How much later than due an edit was sent, in microseconds.
    pub lateness: RefCell<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            missing: Cell::new(0),
            complete: Notify::new(),
            deliveries: Cell::new(0),
            frames: Cell::new(0),
            bytes: Cell::new(0),
            last: Cell::new(Instant::now()),
            latency: RefCell::new(histogram()),
            across: RefCell::new(histogram()),
            lateness: RefCell::new(histogram()),
        }
    }
}

/// A histogram of microseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("the bounds are as the library wants them")
}

impl Tally {
    /// So many deliveries more have to happen.
    pub fn expect(&self, deliveries: u64) {
        self.missing.set(self.missing.get() + deliveries);
    }

    /// Required deliveries that have not happened.
    pub fn missing(&self) -> u64 {
        self.missing.get()
    }

    /// One of them has happened.
    pub fn happened(&self, now: Instant) {
        let missing = self.missing.get().saturating_sub(1);
        self.missing.set(missing);
        self.last.set(now);
        if missing == 0 {
            self.complete.notify_one();
        }
    }

    /// Waits until all of them have happened.
    pub async fn complete(&self) {
        while self.missing.get() > 0 {
            self.complete.notified().await;
        }
    }
}
