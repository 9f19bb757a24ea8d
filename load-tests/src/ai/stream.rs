//! From a model's word to those who look at the map, while one answer grows or a hundred.

use std::{collections::HashSet, fmt, rc::Rc, time::Duration};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::time::{Instant, timeout};

use super::{
    api::Api,
    ground::{Ground, node_id},
    part::Part,
    provider::{Flow, all_said},
    script::{ELEMENT_TOKENS, ELEMENT_WORDS, Shape, script},
    viewers::{Viewer, Viewers, until},
    words::{WORDS_MAX, Words},
};
use crate::{
    client::ANSWERED_WITHIN,
    process::Process,
    progress::Progress,
    report::{Bar, Fact, Figure},
    stats::Sorted,
    versus::{median, percent},
};

/// The bar for a word on its way, and for the first word of a node.
const BELOW: Duration = Duration::from_millis(50);

/// Children that a server gives to a node at most.
const CHILDREN_MAX: u32 = 20;

/// Answers that grow at the same time.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Maps.
    pub maps: u32,
    /// Nodes of each map that are expanded.
    pub runs: u32,
    /// Viewers of each map.
    pub viewers: u32,
    /// Tokens of each answer in a second.
    pub rate: u32,
    /// How long an answer takes, about.
    pub seconds: u32,
    /// How often, one after the other, each time in fresh maps.
    pub rounds: u32,
    /// Whether there are bars.
    pub has_bars: bool,
}

/// What was measured.
#[derive(Default)]
struct Measured {
    words: Vec<Duration>,
    nodes: Vec<Duration>,
    late: Vec<Duration>,
    server: Vec<f64>,
    own: Vec<f64>,
}

/// A map that grows.
struct Grown {
    room: String,
    flows: Vec<Rc<Flow>>,
    viewers: Vec<Rc<Viewer>>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { maps, runs, viewers, rate, .. } = self;
        match (maps, runs) {
            (1, 1) => write!(f, "one expansion of {rate} tokens/s, {viewers} viewers"),
            (1, runs) => write!(f, "{runs} expansions of {rate} tokens/s in one map, {viewers} viewers"),
            (maps, _) if *viewers == 1 => {
                write!(f, "{maps} expansions of {rate} tokens/s in as many maps, one viewer each")
            }
            (maps, _) => write!(f, "{maps} expansions of {rate} tokens/s in as many maps, {viewers} viewers each"),
        }
    }
}

impl Plan {
    /// Measures it.
    pub async fn measure(self, ground: &Ground) -> anyhow::Result<Part> {
        let children = self.children();
        ensure!(
            children <= CHILDREN_MAX && children * ELEMENT_WORDS * self.runs <= WORDS_MAX,
            "so many tokens a second for so long are more than a server takes for one node, or a map has words for"
        );
        let mut measured = Measured::default();
        for round in 1..=self.rounds {
            let _progress = Progress::phase(&format!("{self}, round {round}"), 0);
            self.round(ground, round, &mut measured).await?;
        }
        self.part(measured)
    }

    fn children(self) -> u32 {
        (self.rate * self.seconds / ELEMENT_TOKENS).max(1)
    }

    async fn round(self, ground: &Ground, round: u32, measured: &mut Measured) -> anyhow::Result<()> {
        let mut viewers = Viewers::default();
        let mut maps = Vec::new();
        for map in 0..self.maps {
            maps.push(self.map(ground, &mut viewers, round, map).await?);
        }
        let mut apis = try_join_all((0..self.maps * self.runs).map(|_| Api::open(&ground.address))).await?;
        let bell = viewers.bell();
        let own = Process::new(std::process::id());
        let cpus = || anyhow::Ok((ground.process.cpu()?, own.cpu()?));
        let (before, begin) = (cpus()?, Instant::now());
        let work = async {
            let rooms = maps.iter().flat_map(|map| (0..self.runs as usize).map(|run| (map.room.clone(), node_id(run))));
            let asked = apis
                .iter_mut()
                .zip(rooms)
                .map(async |(api, (room, node))| api.expand(&room, &node, self.children()).await);
            let taken = try_join_all(asked).await?;
            let patience = 4 * Duration::from_secs(self.seconds.into()) + 2 * ANSWERED_WITHIN;
            let flows: Vec<_> = maps.iter().flat_map(|map| map.flows.iter().cloned()).collect();
            timeout(patience, all_said(&flows))
                .await
                .context("the server does not ask the model, or does not read what it says")??;
            let (after, took) = (cpus()?, begin.elapsed());
            measured.server.push(percent(after.0.saturating_sub(before.0), took));
            measured.own.push(percent(after.1.saturating_sub(before.1), took));
            // What did not come by then is told as lost.
            until(&bell, ANSWERED_WITHIN, || maps.iter().all(Grown::is_seen)).await;
            // The server has closed connections on which nothing was asked for so long.
            let mut api = Api::open(&ground.address).await?;
            for taken in &taken {
                api.over(&taken.job, "succeeded").await?;
            }
            for map in &maps {
                map.check(&mut api).await?;
            }
            Ok(())
        };
        viewers.during(work).await?;
        maps.iter().try_for_each(|map| map.collect(measured))
    }

    async fn map(self, ground: &Ground, viewers: &mut Viewers, round: u32, map: u32) -> anyhow::Result<Grown> {
        let name = format!("stream-{:08x}-{round}-{map}", rand::random::<u32>());
        let titles: Vec<String> = (0..self.runs).map(|run| format!("Node {run} of {name}")).collect();
        ground.map(&name, &name, &titles).await?;
        let words = self.children() * ELEMENT_WORDS;
        let every = Duration::from_secs(1) / self.rate;
        let flows: Vec<_> = (0..self.runs)
            .map(|run| Flow::new(script(Shape::SubConcepts, self.children(), run * words), every))
            .collect();
        titles.iter().zip(&flows).for_each(|(title, flow)| ground.provider.answer(title, flow));
        let mut here = Vec::new();
        for _ in 0..self.viewers {
            here.push(viewers.join(&ground.address, &name).await?);
        }
        Ok(Grown { room: name, flows, viewers: here })
    }

    fn part(self, measured: Measured) -> anyhow::Result<Part> {
        let sorted = |times| Sorted::new(times).context("nothing was measured");
        let (words, nodes, late) = (sorted(measured.words)?, sorted(measured.nodes)?, sorted(measured.late)?);
        let (word, node) = (format!("{self}: a token reaches a viewer"), format!("{self}: a node begins at a viewer"));
        let bars = [
            Bar::below(format!("{word}, p99"), BELOW, words.percentile(99)),
            Bar::below(format!("{node}, p99"), BELOW, nodes.percentile(99)),
            Bar::below(format!("{node}, max"), BELOW, nodes.percentile(100)),
        ];
        // Of a hundred that grow at once one word may meet anything.
        let bars_max = match (self.has_bars, self.maps * self.runs) {
            (false, _) => 0,
            (true, 1) => 3,
            (true, _) => 2,
        };
        let bars = bars.into_iter().take(bars_max);
        let cores = [("server", measured.server), ("clients and model", measured.own)];
        let facts = cores
            .into_iter()
            .filter_map(|(who, used)| Some(Fact::new(format!("{self}: {who}, use of a core"), "%", [median(used)?])));
        Ok(Part {
            figures: vec![
                Figure::new(word, &words),
                Figure::new(node, &nodes),
                Figure::new(format!("{self}: a token is written, after it was due"), &late),
            ],
            facts: facts.collect(),
            bars: bars.collect(),
        })
    }
}

impl Grown {
    /// Whether everybody has seen all that was said.
    fn is_seen(&self) -> bool {
        let said: usize = self.flows.iter().map(|flow| flow.written().len()).sum();
        self.viewers.iter().all(|viewer| viewer.arrivals().count() >= said)
    }

    /// Whether all that was said stays in the map.
    async fn check(&self, api: &mut Api) -> anyhow::Result<()> {
        let map = api.map(&self.room).await?.to_string();
        let stays: HashSet<u32> = Words::default().find(map.as_bytes()).collect();
        let said = self.flows.iter().flat_map(|flow| flow.written());
        let lost = said.filter(|written| !stays.contains(&written.word.number)).count();
        ensure!(lost == 0, "{lost} tokens were shown and are not in the map {}", self.room);
        Ok(())
    }

    fn collect(&self, measured: &mut Measured) -> anyhow::Result<()> {
        for flow in &self.flows {
            measured.late.extend(flow.late());
            for written in flow.written() {
                for viewer in &self.viewers {
                    let took = viewer.arrivals().of(written.word.number, written.at)? - written.at;
                    measured.words.push(took);
                    measured.nodes.extend(written.word.begins_node.then_some(took));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Plan = Plan { maps: 1, runs: 1, viewers: 100, rate: 50, seconds: 15, rounds: 3, has_bars: true };

    fn bars(plan: Plan, took_ms: u64) -> Vec<bool> {
        let took = || vec![Duration::from_millis(took_ms); 3];
        let measured = Measured { words: took(), nodes: took(), late: took(), server: vec![2.0], own: vec![1.0] };
        let part = plan.part(measured).unwrap();
        assert_eq!((part.figures.len(), part.facts.len()), (3, 2));
        part.bars.iter().map(|bar| serde_json::to_value(bar).unwrap()["met"] == true).collect()
    }

    #[test]
    fn an_answer_has_as_many_children_as_fit_into_its_time_and_no_fewer_than_one() {
        assert_eq!(ALONE.children(), CHILDREN_MAX);
        assert_eq!(Plan { rate: 30, ..ALONE }.children(), 12);
        assert_eq!(Plan { rate: 30, seconds: 1, ..ALONE }.children(), 1);
    }

    #[test]
    fn bars_are_below_fifty_milliseconds_where_there_are_any() {
        assert_eq!(bars(ALONE, 49), [true; 3]);
        assert_eq!(bars(ALONE, 50), [false; 3]);
        let maps = Plan { maps: 100, viewers: 1, ..ALONE };
        assert_eq!(bars(maps, 10), [true; 2]);
        assert_eq!(bars(Plan { runs: 100, has_bars: false, ..ALONE }, 10), [true; 0]);
        assert!(ALONE.part(Measured::default()).is_err(), "nothing was measured");
    }

    #[test]
    fn a_plan_says_what_it_is() {
        assert_eq!(ALONE.to_string(), "one expansion of 50 tokens/s, 100 viewers");
        let many = Plan { runs: 100, viewers: 3, rate: 30, ..ALONE };
        assert_eq!(many.to_string(), "100 expansions of 30 tokens/s in one map, 3 viewers");
    }
}
