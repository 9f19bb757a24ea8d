//! What came out, with the bars.

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    latency::{self, Measured},
    member::Way,
    waiting::{Plan, Round, Used},
};
use crate::{
    cores::Cores,
    report::{Bar, Fact, Figure, Limit, Report},
    stats::{Sorted, ms},
    versus::median,
};

/// The bar for the whole server with so many polls that wait, in megabytes; a megabyte is a million bytes.
const SERVER_BELOW_MB: f64 = 200.0;
const SERVER_WAITING: u32 = 5000;

/// The bar for a poll that waits: it costs no more than an idle socket.
const RATIO_AT_MOST: f64 = 1.0;

/// Fewer do not show what one costs.
const RATIO_WAITING_MIN: u32 = 1000;

/// The bar for how much later an edit reaches a poller than a viewer at a WebSocket, in milliseconds.
const BEHIND_BELOW_MS: f64 = 100.0;

/// Of many that wait.
pub fn waiting(plan: Plan, cores: Cores, polls: &[Round], sockets: &[Round]) -> Report {
    let ways = [(Way::Poll, polls), (Way::Socket, sockets)];
    let (mut figures, mut facts, mut bars) = (Vec::new(), Vec::new(), Vec::new());
    for (way, rounds) in ways {
        figures.extend(rounds.iter().enumerate().map(|(round, measured)| {
            Figure::new(format!("{way}, round {}: told of the edit of their room", round + 1), &measured.told)
        }));
    }
    for (way, rounds) in ways {
        facts.extend(facts_of(plan, way, rounds));
    }
    let each = |rounds: &[Round]| median(rounds.iter().filter_map(|round| Some(each_kb(plan, round.used.as_ref()?))));
    if let Some((poll, socket)) = each(polls).zip(each(sockets)).filter(|_| plan.waiting >= RATIO_WAITING_MIN) {
        let name = "memory of a poll that waits, over that of an idle WebSocket";
        bars.push(Bar::new(name, Limit::AtMost(RATIO_AT_MOST), "×", poll / socket));
    }
    let whole = polls.iter().filter_map(|round| Some(mb(round.used.as_ref()?.peak.rss))).reduce(f64::max);
    if let Some(whole) = whole.filter(|_| plan.waiting == SERVER_WAITING) {
        let name = format!("resident memory of the server with {SERVER_WAITING} polls that wait, peak");
        bars.push(Bar::new(name, Limit::Below(SERVER_BELOW_MB), "MB", whole));
    }
    Report {
        command: "poll",
        about: format!(
            "{} polls that wait in {} rooms for {} s, and as many idle WebSockets, in turn; then one edit in each room, which \
             everybody was told of; 1 KB is 1000 bytes; {}",
            plan.waiting,
            plan.rooms,
            plan.stays.as_secs(),
            cores.about()
        ),
        figures,
        facts,
        bars,
    }
}

fn facts_of(plan: Plan, way: Way, rounds: &[Round]) -> Vec<Fact> {
    let mut facts =
        vec![Fact::new(format!("{way}: all told after"), "ms", rounds.iter().map(|round| ms(round.all_told)))];
    let mut add = |name: &str, unit, value: &dyn Fn(&Used) -> f64| {
        let values: Vec<f64> = rounds.iter().filter_map(|round| round.used.as_ref()).map(value).collect();
        if !values.is_empty() {
            facts.push(Fact::new(format!("{way}: {name}"), unit, values));
        }
    };
    let kb = |memory: u64, before: u64| memory.saturating_sub(before) as f64 / f64::from(plan.waiting) / 1000.0;
    add("CPU until all were told", "ms", &|used| ms(used.cpu_told));
    add("core in use while they wait", "%", &|used| used.cpu_percent);
    add("anonymous memory of one, all wait", "KB", &|used| kb(used.waiting.anon, used.before.anon));
    add("anonymous memory of one, in the end", "KB", &|used| kb(used.after.anon, used.before.anon));
    add("anonymous memory of one, peak with the edits", "KB", &|used| kb(used.peak.anon, used.before.anon));
    add("resident memory of one, in the end", "KB", &|used| kb(used.after.rss, used.before.rss));
    add("resident memory of the server, nobody there", "MB", &|used| mb(used.before.rss));
    add("resident memory of the server, peak", "MB", &|used| mb(used.peak.rss));
    facts
}

/// As `idle` reads it: the larger of when all have joined and of the end.
fn each_kb(plan: Plan, used: &Used) -> f64 {
    let most = used.waiting.anon.max(used.after.anon);
    most.saturating_sub(used.before.anon) as f64 / f64::from(plan.waiting) / 1000.0
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Of one edit after the other.
pub fn latency(plan: latency::Plan, cores: Cores, measured: &Measured) -> anyhow::Result<Report> {
    let Measured { sent, socket, poll, events } = measured;
    let figure = |name: &str, arrived: &[Instant]| {
        let took = sent.iter().zip(arrived).map(|(sent, arrived)| arrived.saturating_duration_since(*sent)).collect();
        Some(Figure::new(name, &Sorted::new(took)?))
    };
    let ways = [
        ("an edit reaches a viewer at a WebSocket", socket),
        ("an edit reaches a poller", poll),
        ("an edit reaches a viewer of events", events),
    ];
    let figures: Option<Vec<Figure>> = ways.iter().map(|(name, arrived)| figure(name, arrived)).collect();
    let (of_poll, of_events) = (behind_ms(poll, socket), behind_ms(events, socket));
    let shown = |behind: &[f64]| [50, 99, 100].map(|percent| nearest_rank(behind, percent));
    Ok(Report {
        command: "poll",
        about: format!(
            "{} edits in one room, {} in a second, to a viewer at a WebSocket, one that polls and one with a stream of events; all \
             of them arrived, and all three have the document that was written; {}",
            plan.edits,
            plan.rate,
            cores.about()
        ),
        figures: figures.context("nothing was measured")?,
        facts: vec![
            Fact::new("poller after the WebSocket: median, p99, max", "ms", shown(&of_poll)),
            Fact::new("events after the WebSocket: median, p99, max", "ms", shown(&of_events)),
        ],
        bars: vec![Bar::new(
            "an edit reaches a poller after a viewer at a WebSocket, at most",
            Limit::Below(BEHIND_BELOW_MS),
            "ms",
            nearest_rank(&of_poll, 100),
        )],
    })
}

/// How much later each edit came, in ascending order; less than nothing where it came sooner.
fn behind_ms(arrived: &[Instant], first: &[Instant]) -> Vec<f64> {
    let behind = |(late, first): (&Instant, &Instant)| {
        ms(late.saturating_duration_since(*first)) - ms(first.saturating_duration_since(*late))
    };
    let mut behind: Vec<f64> = arrived.iter().zip(first).map(behind).collect();
    behind.sort_by(f64::total_cmp);
    behind
}

/// See [`Sorted::percentile`].
fn nearest_rank(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn how_much_later_may_be_less_than_nothing() {
        let begun = Instant::now();
        let at = |values: [u64; 3]| values.map(|value| begun + Duration::from_millis(value));
        let behind = behind_ms(&at([5, 20, 31]), &at([7, 20, 30]));
        assert_eq!(format!("{behind:?}"), "[-2.0, 0.0, 1.0]");
        let ranks = [50, 99, 100].map(|percent| nearest_rank(&behind, percent));
        assert_eq!(format!("{ranks:?}"), "[0.0, 1.0, 1.0]");
        assert!(nearest_rank(&[], 50).is_nan());
    }
}
