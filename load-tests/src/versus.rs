//! Synapti and the naive relay in turn, under the same load.

use std::{rc::Rc, time::Duration};

use crate::{
    cores::Cores,
    crowd::{self, Outcome, Plan, Script},
    marker::Markers,
    report::{Fact, Figure},
    subject::{Kind, Target},
};

/// How a comparison is made.
#[derive(clap::Args, Clone)]
pub struct Comparison {
    /// Put the same load on the naive relay, in turn with the server
    #[arg(long)]
    against_relay: bool,
    /// Rounds, each on fresh processes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
}

/// What came out, round by round.
pub struct Versus {
    /// Who ran where.
    pub cores: Cores,
    /// The server.
    pub synapti: Vec<Outcome>,
    /// The relay; none if it was not asked for.
    pub relay: Vec<Outcome>,
}

impl Versus {
    /// Measures. Anything lost is an error.
    pub async fn measure(target: &Target, how: &Comparison, plan: &Plan) -> anyhow::Result<Self> {
        let cores = Cores::of_this_machine()?;
        cores.pin_client()?;
        let markers = Markers::new(rand::random());
        let scripts = crowd::scripts(plan, &markers)?;
        let mut versus = Self { cores, synapti: Vec::new(), relay: Vec::new() };
        for round in 1..=how.rounds {
            if how.against_relay {
                eprintln!("relay, round {round} of {}", how.rounds);
                versus.relay.push(once(target, Kind::Relay, cores, plan, &markers, &scripts).await?);
            }
            eprintln!("server, round {round} of {}", how.rounds);
            versus.synapti.push(once(target, Kind::Synapti, cores, plan, &markers, &scripts).await?);
        }
        Ok(versus)
    }

    /// The server's CPU time for a delivery over the relay's: the ratio of the medians.
    pub fn ratio(&self) -> Option<f64> {
        let cost = |outcomes: &[Outcome]| median(outcomes.iter().filter_map(Outcome::cpu_us_per_delivery));
        Some(cost(&self.synapti)? / cost(&self.relay)?)
    }

    /// The median of the rounds' p99, in milliseconds.
    pub fn p99_ms(&self) -> Option<f64> {
        median(self.synapti.iter().map(|outcome| outcome.latency_ms(99.0)))
    }

    /// The latencies of every round.
    pub fn figures(&self) -> Vec<Figure> {
        let of = |whose: &'static str, outcomes: &[Outcome]| -> Vec<Figure> {
            let figure = |(round, outcome): (usize, &Outcome)| {
                Figure::of_us(format!("{whose}, round {}: an edit reaches a viewer", round + 1), &outcome.latency)
            };
            outcomes.iter().enumerate().map(figure).collect()
        };
        [of("server", &self.synapti), of("relay", &self.relay)].into_iter().flatten().collect()
    }

    /// What else was counted.
    pub fn facts(&self) -> Vec<Fact> {
        [facts("server", &self.synapti), facts("relay", &self.relay)].into_iter().flatten().collect()
    }
}

async fn once(
    target: &Target,
    kind: Kind,
    cores: Cores,
    plan: &Plan,
    markers: &Markers,
    scripts: &[Rc<Script>],
) -> anyhow::Result<Outcome> {
    let subject = target.up(kind, cores, &[]).await?;
    let outcome = crowd::run(&subject, plan, markers, scripts).await?.whole()?;
    subject.down().await?;
    Ok(outcome)
}

/// Rows for one server.
pub fn facts(whose: &str, outcomes: &[Outcome]) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: &str, unit, value: &dyn Fn(&Outcome) -> Option<f64>| {
        let values: Vec<f64> = outcomes.iter().filter_map(value).collect();
        if !values.is_empty() {
            facts.push(Fact::new(format!("{whose}: {name}"), unit, values));
        }
    };
    let mb = |bytes: u64| bytes as f64 / 1e6;
    add("CPU per delivery", "µs", &Outcome::cpu_us_per_delivery);
    add("core in use", "%", &|o| Some(percent(o.happened.used?.cpu, o.happened.took)));
    add("clients' core in use", "%", &|o| Some(percent(o.happened.client_cpu, o.happened.took)));
    add("waited for a processor", "ms", &|o| Some(o.happened.used?.waited.as_secs_f64() * 1000.0));
    add("deliveries in a second", "", &|o| Some(o.happened.counts.deliveries as f64 / o.happened.took.as_secs_f64()));
    add("edits in a frame", "", &|o| {
        Some(o.happened.counts.deliveries as f64 / o.happened.counts.frames.max(1) as f64)
    });
    add("bytes of frames for a delivery", "B", &|o| {
        Some(o.happened.counts.bytes as f64 / o.happened.counts.deliveries.max(1) as f64)
    });
    add("last edit to last delivery", "ms", &|o| Some(o.backlog.as_secs_f64() * 1000.0));
    add("edits sent late by (p99)", "ms", &|o| Some(o.lateness.value_at_percentile(99.0) as f64 / 1000.0));
    add("anonymous memory, all joined", "MB", &|o| Some(mb(o.memory_joined?.anon)));
    add("anonymous memory, in the end", "MB", &|o| Some(mb(o.memory_after?.anon)));
    add("anonymous memory, peak", "MB", &|o| Some(mb(o.memory_peak?.anon)));
    add("resident memory, in the end", "MB", &|o| Some(mb(o.memory_after?.rss)));
    facts
}

/// How much of a time was used.
pub fn percent(used: Duration, of: Duration) -> f64 {
    used.as_secs_f64() / of.as_secs_f64().max(f64::EPSILON) * 100.0
}

/// The middle one, or the mean of the two in the middle.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[values.len() / 2 - 1], upper) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
