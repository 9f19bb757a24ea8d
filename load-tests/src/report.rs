//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::stats::{Sorted, ms};

/// The result of one command.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which command.
    pub command: &'static str,
    /// What was measured, in words.
    pub about: String,
    /// Times that were measured often.
    pub figures: Vec<Figure>,
    /// Everything else.
    pub facts: Vec<Fact>,
    /// What they had to be.
    pub bars: Vec<Bar>,
}

/// A time that was measured several times.
#[derive(Debug, Serialize)]
pub struct Figure {
    name: String,
    samples: u64,
    min_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// A quantity, once for each round.
#[derive(Debug, Serialize)]
pub struct Fact {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
}

/// A figure that has to keep to a limit.
#[derive(Debug, Serialize)]
pub struct Bar {
    name: String,
    limit: Limit,
    unit: &'static str,
    measured: f64,
    met: bool,
}

/// On which side of a number a figure has to be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `<`
    Below(f64),
    /// `≤`
    AtMost(f64),
    /// `≥`
    AtLeast(f64),
}

impl Figure {
    /// Summarises measurements.
    pub fn new(name: impl Into<String>, measured: &Sorted) -> Self {
        let percentile = |percent| ms(measured.percentile(percent));
        Self {
            name: name.into(),
            samples: measured.count() as u64,
            min_ms: percentile(0),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            max_ms: percentile(100),
        }
    }

    /// Summarises a histogram of microseconds.
    pub fn of_us(name: impl Into<String>, measured: &Histogram<u64>) -> Self {
        let percentile = |percent| measured.value_at_percentile(percent) as f64 / 1000.0;
        Self {
            name: name.into(),
            samples: measured.len(),
            min_ms: measured.min() as f64 / 1000.0,
            p50_ms: percentile(50.0),
            p90_ms: percentile(90.0),
            p99_ms: percentile(99.0),
            max_ms: measured.max() as f64 / 1000.0,
        }
    }
}

impl Fact {
    /// A quantity with its unit.
    pub fn new(name: impl Into<String>, unit: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        Self { name: name.into(), unit, values: values.into_iter().collect() }
    }
}

impl Limit {
    fn is_kept(self, measured: f64) -> bool {
        match self {
            Self::Below(limit) => measured < limit,
            Self::AtMost(limit) => measured <= limit,
            Self::AtLeast(limit) => measured >= limit,
        }
    }

    fn sign(self) -> (&'static str, f64) {
        match self {
            Self::Below(limit) => ("<", limit),
            Self::AtMost(limit) => ("≤", limit),
            Self::AtLeast(limit) => ("≥", limit),
        }
    }
}

impl Bar {
    /// Holds a quantity against its limit.
    pub fn new(name: impl Into<String>, limit: Limit, unit: &'static str, measured: f64) -> Self {
        Self { name: name.into(), limit, unit, measured, met: limit.is_kept(measured) }
    }

    /// Holds a time against its limit, below which it has to be.
    pub fn below(name: impl Into<String>, limit: Duration, measured: Duration) -> Self {
        Self::new(name, Limit::Below(ms(limit)), "ms", ms(measured))
    }
}

impl Report {
    /// Whether every bar is met.
    pub fn bars_met(&self) -> bool {
        self.bars.iter().all(|bar| bar.met)
    }

    /// For programs: one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("figures and texts are JSON")
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.command, self.about);
        let names = self.figures.iter().map(|figure| &figure.name).chain(self.facts.iter().map(|fact| &fact.name));
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
        if !self.figures.is_empty() {
            let columns = ["min", "p50", "p90", "p99", "max"].map(|column| format!("{column:>9}")).concat();
            let _ = writeln!(text, "  {:width$}{columns}  ms", "");
        }
        for figure in &self.figures {
            let Figure { name, min_ms, p50_ms, p90_ms, p99_ms, max_ms, .. } = figure;
            let values = [min_ms, p50_ms, p90_ms, p99_ms, max_ms].map(|value| format!("{value:9.2}")).concat();
            let _ = writeln!(text, "  {name:width$}{values}");
        }
        for Fact { name, unit, values } in &self.facts {
            let values: Vec<String> = values.iter().map(|&value| format!("{:>9}", number(value))).collect();
            let _ = writeln!(text, "  {name:width$}{}  {unit}", values.concat());
        }
        for Bar { name, limit, unit, measured, met } in &self.bars {
            let verdict = if *met { "met" } else { "MISSED" };
            let (sign, limit) = limit.sign();
            let _ = writeln!(text, "  bar: {name} {sign} {} {unit}: {verdict}, {} {unit}", limit, number(*measured));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Two digits behind the point where they mean something.
fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(measured_ms: u64) -> Report {
        let measured = Sorted::new(vec![Duration::from_millis(measured_ms); 3]).unwrap();
        Report {
            command: "latency",
            about: "three edits".into(),
            figures: vec![Figure::new("an edit", &measured)],
            facts: vec![Fact::new("memory", "MB", [1.5, 2048.0])],
            bars: vec![Bar::below("median", Duration::from_millis(5), measured.median())],
        }
    }

    #[test]
    fn a_bar_is_met_below_its_limit_and_not_at_it() {
        assert!(report(4).bars_met());
        assert!(!report(5).bars_met());
        assert!(report(4).text().ends_with("bar: median < 5 ms: met, 4.00 ms"));
        assert!(report(5).text().ends_with("bar: median < 5 ms: MISSED, 5.00 ms"));
    }

    #[test]
    fn a_limit_knows_its_side() {
        let met = |limit, measured| Bar::new("", limit, "", measured).met;
        assert!(met(Limit::AtMost(1.15), 1.15) && !met(Limit::AtMost(1.15), 1.16));
        assert!(met(Limit::AtLeast(6000.0), 6000.0) && !met(Limit::AtLeast(6000.0), 5999.0));
        assert!(!met(Limit::AtMost(1.0), f64::NAN), "what could not be computed is not met");
    }

    #[test]
    fn json_has_the_figures_by_name() {
        let json: serde_json::Value = serde_json::from_str(&report(4).json()).unwrap();
        assert_eq!(json["command"], "latency");
        assert_eq!(json["figures"][0]["p50_ms"], 4.0);
        assert_eq!(json["figures"][0]["samples"], 3);
        assert_eq!(json["facts"][0]["values"][1], 2048.0);
        assert_eq!(json["bars"][0]["met"], true);
        assert_eq!(json["bars"][0]["limit"]["below"], 5.0);
    }

    #[test]
    fn a_histogram_of_microseconds_is_shown_in_milliseconds() {
        let mut measured = crate::crowd::histogram();
        (1..=100).for_each(|value| measured.record(value * 1000).unwrap());
        let figure = Figure::of_us("an edit", &measured);
        assert_eq!(figure.samples, 100);
        assert!((figure.p50_ms - 50.0).abs() < 0.1 && (figure.max_ms - 100.0).abs() < 0.2);
    }
}
