//! One crowd in which some stop reading, and read again, in turn.

use std::{rc::Rc, time::Duration};

use anyhow::ensure;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use super::{BEGIN_AFTER, Phase, Plan, Script, converge, gather};
use crate::{marker::Markers, process::Process, subject::Subject};

/// Memory counts when it has not moved by more than this for so long. A snapshot that is being made costs many times as much
/// as those who do not read, and a thread that made one keeps some of that until it ends, after 10 s without work.
const MEMORY_STEADY_BYTES: u64 = 200_000;
const MEMORY_STEADY_FOR: Duration = Duration::from_secs(12);
const MEMORY_LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// When it counts all the same. Those who do not read must not look dead meanwhile.
const MEMORY_STEADY_WITHIN: Duration = Duration::from_secs(40);

/// One stretch of time.
pub struct Window {
    /// Whether those that stop at times read nothing in it.
    pub is_stopped: bool,
    /// From sending to arrival, in microseconds, at those that always read.
    pub latency: Histogram<u64>,
    /// What memory the server had more in the end, while they had still stopped, than after they had read again. When all read,
    /// how much memory moves by itself.
    pub held_bytes: Option<f64>,
    /// How long the server's threads waited for a processor that others had.
    pub waited: Option<Duration>,
    /// From reading again to the last delivery.
    pub caught_up_within: Duration,
}

/// Edits in windows of the same length, `plan.measured` in all; in every second one `plan.stopped` of the viewers do not
/// read. Anything that did not arrive in time, and a document that is not the same everywhere, is an error.
pub async fn alternate(
    subject: &Subject,
    plan: &Plan,
    windows: u32,
    markers: &Markers,
    scripts: &[Rc<Script>],
) -> anyhow::Result<Vec<Window>> {
    let mut crowd = gather::gather(subject, plan, markers, scripts).await?;
    crowd.make_maps().await?;
    let warmup = Phase { first: 0, count: plan.warmup_edits(), begin: Instant::now() + BEGIN_AFTER };
    crowd.later.expect(plan.required_later(warmup.count));
    let mut is_complete = crowd.perform(plan, warmup, "warming up").await? && crowd.catch_up().await?;
    let each = plan.measured_edits() / windows;
    ensure!(each > 1, "a window has at least two edits: --rate or --seconds is too small");
    let mut measured = Vec::new();
    for window in 0..windows {
        ensure!(is_complete, "{}", crowd.who_misses_what(plan));
        let is_stopped = window % 2 == 1;
        let first = warmup.count + window * each;
        let phase = |first, count| Phase { first, count, begin: Instant::now() + BEGIN_AFTER };
        crowd.tally.latency.borrow_mut().reset();
        crowd.reads.send_replace(!is_stopped);
        crowd.later.expect(plan.required_later(each - 1));
        let name = if is_stopped { "some do not read" } else { "all read" };
        let waited = || subject.process.map(Process::waited_for_processor).transpose();
        let waited_before = waited()?;
        is_complete = crowd.perform(plan, phase(first, each - 1), name).await?;
        let waited = waited()?.zip(waited_before).map(|(after, before)| after.saturating_sub(before));
        let latency = crowd.tally.latency.borrow().clone();
        // In both kinds of windows: a pause gives the server time to tidy up, which the next window then does not notice.
        let stopped = memory(subject.process).await?;
        let reads_again = Instant::now();
        crowd.reads.send_replace(true);
        is_complete &= crowd.catch_up().await?;
        let caught_up_within = crowd.later.last.get().saturating_duration_since(reads_again);
        // Whoever caught up was sent what the server may keep until the next edit, for others who ask.
        crowd.later.expect(plan.required_later(1));
        is_complete &= crowd.perform(plan, phase(first + each - 1, 1), "one more edit").await?;
        is_complete &= crowd.catch_up().await?;
        // The document is the same but for that edit: what went is what they had held.
        let reading = memory(subject.process).await?;
        let held_bytes = stopped.zip(reading).map(|(stopped, reading)| stopped as f64 - reading as f64);
        measured.push(Window { is_stopped, latency, held_bytes, waited, caught_up_within });
    }
    ensure!(is_complete, "{}", crowd.who_misses_what(plan));
    converge::check(subject, plan, &crowd).await?;
    subject.forget(crowd.rooms.iter().map(|room| room.id.as_str())).await;
    Ok(measured)
}

/// Memory when nothing happens.
async fn memory(process: Option<Process>) -> anyhow::Result<Option<u64>> {
    let Some(process) = process else { return Ok(None) };
    let begun = Instant::now();
    let (mut least, mut most, mut since) = (u64::MAX, 0, begun);
    while since.elapsed() < MEMORY_STEADY_FOR && begun.elapsed() < MEMORY_STEADY_WITHIN {
        let now = process.memory()?.anon;
        (least, most) = (least.min(now), most.max(now));
        if most - least > MEMORY_STEADY_BYTES {
            (least, most, since) = (now, now, Instant::now());
        }
        sleep(MEMORY_LOOKED_AT_EVERY).await;
    }
    Ok(Some(least))
}
