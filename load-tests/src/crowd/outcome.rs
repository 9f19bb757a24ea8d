//! What a run came to.

use std::{iter::Sum, time::Duration};

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::{
    gather::Gathered,
    plan::{Phase, Plan},
};
use crate::{
    process::{Memory, Process},
    subject::{Service, Subject},
};

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

/// A look at all counters, or the difference of two.
pub struct Snapshot {
    at: Instant,
    counts: Counts,
    /// Node by node.
    used: Option<Vec<Usage>>,
    services: Vec<(Service, Duration)>,
    client_cpu: Duration,
}

/// What happened while it was measured.
pub struct Happened {
    /// How long it was measured.
    pub took: Duration,
    /// What arrived.
    pub counts: Counts,
    /// What the server used for it, all nodes together, if its processes are known.
    pub used: Option<Usage>,
    /// The same, node by node.
    pub used_by_nodes: Vec<Usage>,
    /// Time on a processor of what it leans on.
    pub services: Vec<(Service, Duration)>,
    /// What this program used.
    pub client_cpu: Duration,
}

/// The figures of one run.
pub struct Outcome {
    /// From sending to arrival, in microseconds, of all required deliveries that count.
    pub latency: Histogram<u64>,
    /// The same, of those that went from one node to another.
    pub across: Histogram<u64>,
    /// How late edits were sent, in microseconds.
    pub lateness: Histogram<u64>,
    /// What arrived, and what it took.
    pub happened: Happened,
    /// From the moment at which the last edit was due to its arrival everywhere.
    pub backlog: Duration,
    /// Bytes of an edit on the average.
    pub edit_bytes: usize,
    /// When everybody had joined.
    pub memory_joined: Option<Memory>,
    /// When the measurement began.
    pub memory_begun: Option<Memory>,
    /// After the last delivery.
    pub memory_after: Option<Memory>,
    /// The most during the measurement.
    pub memory_peak: Option<Memory>,
    /// From reading again to the last delivery, of those that had stopped.
    pub caught_up_within: Option<Duration>,
    /// Who missed what when the time was up.
    pub late: Option<String>,
}

impl Usage {
    fn of(process: Process) -> anyhow::Result<Self> {
        Ok(Self { cpu: process.cpu()?, waited: process.waited_for_processor()? })
    }

    fn until(self, later: Self) -> Self {
        Self { cpu: later.cpu.saturating_sub(self.cpu), waited: later.waited.saturating_sub(self.waited) }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { cpu: sum.cpu + one.cpu, waited: sum.waited + one.waited })
    }
}

impl Snapshot {
    /// Now.
    pub fn take(subject: &Subject, crowd: &Gathered) -> anyhow::Result<Self> {
        let used = subject.processes().map(|processes| processes.into_iter().map(Usage::of).collect()).transpose()?;
        let service = |service: &Service| Ok((*service, service.family.cpu()?));
        let services = subject.services.iter().map(service).collect::<anyhow::Result<_>>()?;
        let client_cpu = Process::new(std::process::id()).cpu()?;
        Ok(Self { at: Instant::now(), counts: crowd.counts(), used, services, client_cpu })
    }

    /// What happened between this and a later one.
    pub fn until(&self, later: &Self) -> Happened {
        let nodes = self.used.as_ref().zip(later.used.as_ref());
        let used_by_nodes =
            nodes.map(|(before, after)| before.iter().zip(after).map(|(before, after)| before.until(*after)));
        let used_by_nodes: Option<Vec<Usage>> = used_by_nodes.map(Iterator::collect);
        Happened {
            took: later.at - self.at,
            counts: Counts {
                deliveries: later.counts.deliveries - self.counts.deliveries,
                frames: later.counts.frames - self.counts.frames,
                bytes: later.counts.bytes - self.counts.bytes,
            },
            used: used_by_nodes.as_ref().map(|nodes| nodes.iter().copied().sum()),
            used_by_nodes: used_by_nodes.unwrap_or_default(),
            services: self
                .services
                .iter()
                .zip(&later.services)
                .map(|((service, before), (_, after))| (*service, after.saturating_sub(*before)))
                .collect(),
            client_cpu: later.client_cpu.saturating_sub(self.client_cpu),
        }
    }
}

impl Outcome {
    /// One with this use of processors, and a delivery that took so long, to another node too.
    #[cfg(test)]
    pub fn example(cpu: Duration, services: Vec<(Service, Duration)>, deliveries: u64, took_ms: u64) -> Self {
        let mut latency = super::histogram();
        latency.saturating_record(took_ms * 1000);
        let counts = Counts { deliveries, ..Counts::default() };
        let used = Usage { cpu, ..Usage::default() };
        let took = Duration::from_secs(1);
        Self {
            across: latency.clone(),
            latency,
            lateness: super::histogram(),
            happened: Happened {
                took,
                counts,
                used: Some(used),
                used_by_nodes: vec![used],
                services,
                client_cpu: Duration::ZERO,
            },
            backlog: Duration::ZERO,
            edit_bytes: 0,
            memory_joined: None,
            memory_begun: None,
            memory_after: None,
            memory_peak: None,
            caught_up_within: None,
            late: None,
        }
    }

    /// From what the crowd has counted, and what happened while it did.
    pub fn new(plan: &Plan, phase: Phase, crowd: &Gathered, happened: Happened) -> Self {
        let last_due = plan.due(phase, plan.rooms - 1, phase.first + phase.count - 1);
        let script = &crowd.rooms[0].script;
        let lines = script.editors.iter().flatten();
        let (bytes, edits) = lines.fold((0, 0), |(bytes, edits), line| (bytes + line.update.len(), edits + 1));
        Self {
            latency: crowd.tally.latency.borrow().clone(),
            across: crowd.tally.across.borrow().clone(),
            lateness: crowd.tally.lateness.borrow().clone(),
            happened,
            backlog: crowd.tally.last.get().saturating_duration_since(last_due),
            edit_bytes: bytes / edits.max(1),
            memory_joined: None,
            memory_begun: None,
            caught_up_within: None,
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
        Some(self.us_per_delivery(self.happened.used?.cpu))
    }

    /// A time that was used for all deliveries, in microseconds for one.
    pub fn us_per_delivery(&self, used: Duration) -> f64 {
        used.as_secs_f64() * 1e6 / self.happened.counts.deliveries.max(1) as f64
    }

    /// A percentile of the latency in milliseconds.
    pub fn latency_ms(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1000.0
    }
}
