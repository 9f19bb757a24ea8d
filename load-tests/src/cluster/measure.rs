//! One run, and what is told of several.

use std::rc::Rc;

use super::{
    bus::Counts,
    ground::{Ground, Shape},
};
use crate::{
    cores::Cores,
    crowd::{self, Outcome, Plan, Script},
    marker::Markers,
    report::{Fact, Figure},
    versus::{self, median, percent},
};

/// Runs of one shape.
pub struct Side {
    /// Which nodes there were.
    pub shape: Shape,
    outcomes: Vec<Outcome>,
    /// What the nodes have counted, if there were two.
    bus: Vec<Counts>,
}

/// The load of all runs.
pub struct Load {
    plan: Plan,
    markers: Markers,
    scripts: Vec<Rc<Script>>,
}

impl Load {
    /// Makes the edits.
    pub fn new(plan: Plan) -> anyhow::Result<Self> {
        let markers = Markers::new(rand::random());
        let scripts = crowd::scripts(&plan, &markers)?;
        Ok(Self { plan, markers, scripts })
    }
}

impl Side {
    /// No runs.
    pub fn new(shape: Shape) -> Self {
        Self { shape, outcomes: Vec::new(), bus: Vec::new() }
    }

    /// One run more, on fresh nodes. Anything lost, and maps that are not the same on all nodes, is an error.
    pub async fn add(&mut self, ground: &Ground, cores: Option<Cores>, load: &Load) -> anyhow::Result<()> {
        let Load { plan, markers, scripts } = load;
        let (outcome, bus) = ground
            .with_cluster(self.shape, cores, &[], async |mut cluster| {
                let mut subject = cluster.subject().await?;
                let ran = crowd::run(&subject, plan, markers, scripts).await.and_then(Outcome::whole);
                let outcome = ran.map_err(|error| subject.blame(error))?;
                let bus = if subject.nodes() > 1 { Some(Counts::of(&subject).await?) } else { None };
                subject.down().await?;
                cluster.end().await?;
                Ok((outcome, bus))
            })
            .await?;
        self.outcomes.push(outcome);
        self.bus.extend(bus);
        Ok(())
    }

    /// Bytes of an edit on the average.
    pub fn edit_bytes(&self) -> usize {
        self.outcomes.first().map_or(0, |outcome| outcome.edit_bytes)
    }

    /// Microseconds of the nodes' processors for one delivery: the median of the rounds.
    pub fn cpu_us(&self) -> Option<f64> {
        median(self.outcomes.iter().filter_map(Outcome::cpu_us_per_delivery))
    }

    /// The median of the rounds' p99 of all deliveries, in milliseconds.
    pub fn p99_ms(&self) -> Option<f64> {
        median(self.outcomes.iter().map(|outcome| outcome.latency_ms(99.0)))
    }

    /// The same, of those that went from one node to the other.
    pub fn across_p99_ms(&self) -> Option<f64> {
        median(self.outcomes.iter().map(|outcome| outcome.across.value_at_percentile(99.0) as f64 / 1000.0))
    }

    /// The latencies of every round.
    pub fn figures(&self, of: &str) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (round, outcome) in self.outcomes.iter().enumerate() {
            let name = format!("{of}: {}, round {}", self.shape, round + 1);
            if !outcome.across.is_empty() {
                figures.push(Figure::of_us(format!("{name}: to the other node"), &outcome.across));
            }
            figures.push(Figure::of_us(format!("{name}: to everybody"), &outcome.latency));
        }
        figures
    }

    /// What else was counted.
    pub fn facts(&self, of: &str) -> Vec<Fact> {
        let whose = format!("{of}: {}", self.shape);
        let mut facts = versus::facts(&whose, &self.outcomes);
        if self.shape == Shape::Two {
            let nodes = self.outcomes.iter().map(|outcome| outcome.happened.used_by_nodes.len()).min().unwrap_or(0);
            for node in 0..nodes {
                let each = |outcome: &Outcome| outcome.us_per_delivery(outcome.happened.used_by_nodes[node].cpu);
                let name = format!("{whose}: CPU per delivery, of which node {}", node + 1);
                facts.push(Fact::new(name, "µs", self.outcomes.iter().map(each)));
            }
        }
        let services = self.outcomes.first().map(|outcome| outcome.happened.services.len()).unwrap_or_default();
        for service in 0..services {
            let used = |outcome: &Outcome| outcome.happened.services[service].1;
            let name = self.outcomes[0].happened.services[service].0.name;
            let core = self.outcomes.iter().map(|outcome| percent(used(outcome), outcome.happened.took));
            facts.push(Fact::new(format!("{whose}: {name}: core in use"), "%", core));
            let each = self.outcomes.iter().map(|outcome| outcome.us_per_delivery(used(outcome)));
            facts.push(Fact::new(format!("{whose}: {name}: CPU per delivery"), "µs", each));
        }
        let rounds: Vec<Vec<_>> = self.bus.iter().map(|counts| counts.named().collect()).collect();
        for counter in 0..rounds.first().map(Vec::len).unwrap_or_default() {
            let values = rounds.iter().map(|counts| counts[counter].1);
            facts.push(Fact::new(format!("{whose}: {}", rounds[0][counter].0), "", values));
        }
        facts
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        process::{Family, Process},
        subject::Service,
    };

    /// Runs with 1000 deliveries each: CPU of the nodes, of Redis, and how long a delivery took, all in milliseconds.
    pub fn side(shape: Shape, runs: &[(u64, u64, u64)]) -> Side {
        let redis = Service { name: "Redis", family: Family::of(Process::new(std::process::id())) };
        let ms = Duration::from_millis;
        let run = |&(cpu, of_redis, took)| Outcome::example(ms(cpu), vec![(redis, ms(of_redis))], 1000, took);
        Side { shape, outcomes: runs.iter().map(run).collect(), bus: Vec::new() }
    }

    #[test]
    fn the_median_of_the_rounds_counts() {
        let side = side(Shape::Two, &[(20, 1, 3), (90, 1, 5), (30, 1, 40)]);
        assert_eq!(side.cpu_us(), Some(30.0));
        let near = |found: Option<f64>| found.is_some_and(|ms| (ms - 5.0).abs() < 0.01);
        assert!(near(side.p99_ms()) && near(side.across_p99_ms()), "{:?}", side.p99_ms());
    }

    #[test]
    fn what_the_nodes_lean_on_is_told_apart_from_the_nodes() {
        let facts = side(Shape::Two, &[(20, 5, 3), (40, 25, 3)]).facts("viewers");
        let facts = serde_json::to_value(facts).unwrap();
        let values = |name: &str| {
            let fact = facts.as_array().unwrap().iter().find(|fact| fact["name"] == name).unwrap();
            fact["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(values("viewers: two nodes: CPU per delivery"), [20.0, 40.0]);
        assert_eq!(values("viewers: two nodes: CPU per delivery, of which node 1"), [20.0, 40.0]);
        assert_eq!(values("viewers: two nodes: Redis: CPU per delivery"), [5.0, 25.0]);
        assert_eq!(values("viewers: two nodes: Redis: core in use"), [0.5, 2.5]);
    }

    #[test]
    fn deliveries_to_the_other_node_are_a_figure_of_their_own_if_there_is_one() {
        let names = |side: Side| serde_json::to_value(side.figures("edits")).unwrap();
        let two = names(side(Shape::Two, &[(1, 1, 1), (1, 1, 1)]));
        assert_eq!(two.as_array().unwrap().len(), 4);
        assert_eq!(two[2]["name"], "edits: two nodes, round 2: to the other node");
        let mut one = side(Shape::Alone, &[(1, 1, 1)]);
        one.outcomes[0].across.reset();
        let one = names(one);
        assert_eq!(one.as_array().unwrap().len(), 1);
        assert_eq!(one[0]["name"], "edits: one node, round 1: to everybody");
    }
}
