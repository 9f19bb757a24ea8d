//! What a run came to.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{
    gather::Gathered,
    plan::{Phase, Plan},
};
use crate::{process::Memory, subject::Subject};

/// Counts of deliveries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Edits, once for each client that received them.
    pub deliveries: u64,
    /// Frames in which they came.
    pub frames: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// What a server has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Time on a processor.
    pub cpu: Duration,
    /// Time of waiting for one.
    pub waited: Duration,
}

/// The figures of one run.
pub struct Outcome {
    /// From sending to arrival, in microseconds, of all required deliveries that count.
    pub latency: Histogram<u64>,
    /// How late edits were sent, in microseconds.
    pub lateness: Histogram<u64>,
    /// What arrived.
    pub counts: Counts,
    /// What the server used for it, if its process is known.
    pub used: Option<Usage>,
    /// From the moment at which the last edit was due to its arrival everywhere.
    pub backlog: Duration,
    /// Bytes of an edit on the average.
    pub edit_bytes: usize,
    /// When everybody had joined.
    pub memory_joined: Option<Memory>,
    /// After the last delivery.
    pub memory_after: Option<Memory>,
    /// The most during the measurement.
    pub memory_peak: Option<Memory>,
    /// Who missed what when the time was up.
    pub late: Option<String>,
}

impl Usage {
    /// Up to now.
    pub fn of(subject: &Subject) -> anyhow::Result<Option<Self>> {
        let usage = |process: crate::process::Process| {
            Ok(Self { cpu: process.cpu()?, waited: process.waited_for_processor()? })
        };
        subject.process.map(usage).transpose()
    }
}

/// The difference of two looks.
pub trait Since {
    /// What was used since then.
    fn since(self, before: Self) -> Self;
}

impl Since for Option<Usage> {
    fn since(self, before: Self) -> Self {
        let (now, before) = (self?, before?);
        Some(Usage { cpu: now.cpu.saturating_sub(before.cpu), waited: now.waited.saturating_sub(before.waited) })
    }
}

impl Outcome {
    /// From what the crowd has counted since `before`.
    pub fn new(plan: &Plan, phase: Phase, crowd: &Gathered, before: Counts, used: Option<Usage>) -> Self {
        let now = crowd.counts();
        let counts = Counts {
            deliveries: now.deliveries - before.deliveries,
            frames: now.frames - before.frames,
            bytes: now.bytes - before.bytes,
        };
        let last_due = plan.due(phase, plan.rooms - 1, phase.first + phase.count - 1);
        let script = &crowd.rooms[0].script;
        let lines = script.editors.iter().flatten();
        let (bytes, edits) = lines.fold((0, 0), |(bytes, edits), line| (bytes + line.update.len(), edits + 1));
        Self {
            latency: crowd.tally.latency.borrow().clone(),
            lateness: crowd.tally.lateness.borrow().clone(),
            counts,
            used,
            backlog: crowd.tally.last.get().saturating_duration_since(last_due),
            edit_bytes: bytes / edits.max(1),
            memory_joined: None,
            memory_after: None,
            memory_peak: None,
            late: None,
        }
    }

    /// An error when something did not arrive in time.
    pub fn whole(self) -> anyhow::Result<Self> {
        match self.late {
            Some(late) => Err(anyhow::anyhow!(late)),
            None => Ok(self),
        }
    }

    /// Microseconds of the server's processor for one delivery.
    pub fn cpu_us_per_delivery(&self) -> Option<f64> {
        Some(self.used?.cpu.as_secs_f64() * 1e6 / self.counts.deliveries.max(1) as f64)
    }

    /// A percentile of the latency in milliseconds.
    pub fn latency_ms(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1000.0
    }
}
