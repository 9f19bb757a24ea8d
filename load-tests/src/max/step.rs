//! One rate, on a fresh server in a fresh room.

use std::{fmt, rc::Rc, time::Duration};

use crate::{
    cores::Cores,
    crowd::{self, Happened, Outcome, Plan, Script},
    marker::Markers,
    server::without_rates,
    subject::{Kind, Target},
    versus::percent,
};

/// The slowest of 100 deliveries has to be faster.
pub const P99_BELOW_MS: f64 = 100.0;

/// Editors that are later than that, in one of 100 edits, have no processor to run on.
const LATE_BY_AT_MOST_MS: f64 = 25.0;

/// A core that is in use for more of the time has no time left.
const FULL_PERCENT: f64 = 95.0;

/// Before a step is measured.
const WARMUP: Duration = Duration::from_secs(1);

/// The load without its rate.
pub struct Load<'a> {
    target: &'a Target,
    cores: Cores,
    plan: Plan,
    markers: Markers,
    /// Edits that were written so far; a step takes as many as it needs.
    script: Option<(u32, Rc<Script>)>,
}

/// What came of one rate.
pub struct Step {
    /// Edits in a second.
    pub rate: u32,
    /// The figures.
    pub outcome: Outcome,
    /// Whether it was kept.
    pub verdict: Verdict,
}

/// Whether a rate was kept, and what was in the way.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All was there in time.
    Kept,
    /// It was not, and not because of the clients.
    TooMuch,
    /// The clients had no time left, so this says nothing about the server.
    LimitedByTheClient,
}

impl Verdict {
    /// How often a step that ends like this is tried: something else on the machine may have been in the way.
    pub fn tries(&self) -> u32 {
        match self {
            Self::Kept => 1,
            Self::TooMuch => 2,
            Self::LimitedByTheClient => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "in time",
            Self::TooMuch => "not in time",
            Self::LimitedByTheClient => "limited by the client",
        })
    }
}

impl<'a> Load<'a> {
    /// One room with so many clients.
    pub fn new(target: &'a Target, cores: Cores, viewers: u32, editors: u32, seconds: u32) -> Self {
        let measured = Duration::from_secs(seconds.into());
        let plan = Plan {
            rooms: 1,
            viewers,
            stopped: 0,
            editors,
            rate: 1,
            warmup: WARMUP,
            measured,
            presence: false,
            edit_bytes: 0,
        };
        Self { target, cores, plan, markers: Markers::new(rand::random()), script: None }
    }

    /// Measures a rate.
    pub async fn step(&mut self, kind: Kind, rate: u32) -> anyhow::Result<Step> {
        let plan = Plan { rate, ..self.plan.clone() };
        let script = match self.script.take() {
            Some((edits, script)) if edits >= plan.edits() => (edits, script),
            _ => (plan.edits(), Rc::new(Script::write(&plan, plan.edits(), &self.markers, 0)?)),
        };
        let subject = self.target.up(kind, self.cores, &without_rates()).await?;
        let outcome = crowd::run(&subject, &plan, &self.markers, std::slice::from_ref(&script.1)).await?;
        self.script = Some(script);
        subject.down().await?;
        let verdict = judge(&outcome);
        Ok(Step { rate, outcome, verdict })
    }
}

fn judge(outcome: &Outcome) -> Verdict {
    let Happened { took, used, client_cpu, .. } = outcome.happened;
    let is_in_time = outcome.late.is_none() && outcome.latency_ms(99.0) < P99_BELOW_MS;
    let late_ms = outcome.lateness.value_at_percentile(99.0) as f64 / 1000.0;
    let is_server_full = used.is_some_and(|used| percent(used.cpu, took) > FULL_PERCENT);
    let is_client_full = percent(client_cpu, took) > FULL_PERCENT;
    // Editors that are late send in bursts, and at another rate than was asked for: no figure either.
    if late_ms > LATE_BY_AT_MOST_MS || (!is_in_time && is_client_full && !is_server_full) {
        Verdict::LimitedByTheClient
    } else if is_in_time {
        Verdict::Kept
    } else {
        Verdict::TooMuch
    }
}
