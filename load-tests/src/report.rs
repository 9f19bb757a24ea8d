//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::stats::{Sorted, ms};

/// The result of one command.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which command.
    pub command: &'static str,
    /// What was measured, in words.
    pub about: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// What they had to be.
    pub bars: Vec<Bar>,
}

/// One thing that was measured several times.
#[derive(Debug, Serialize)]
pub struct Figure {
    name: String,
    samples: usize,
    min_ms: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// A figure that has to stay below a limit.
#[derive(Debug, Serialize)]
pub struct Bar {
    name: String,
    below_ms: f64,
    measured_ms: f64,
    met: bool,
}

impl Figure {
    /// Summarises measurements.
    pub fn new(name: impl Into<String>, measured: &Sorted) -> Self {
        let percentile = |percent| ms(measured.percentile(percent));
        Self {
            name: name.into(),
            samples: measured.count(),
            min_ms: percentile(0),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            max_ms: percentile(100),
        }
    }
}

impl Bar {
    /// Holds a measurement against its limit.
    pub fn new(name: impl Into<String>, below: Duration, measured: Duration) -> Self {
        let (below_ms, measured_ms) = (ms(below), ms(measured));
        Self { name: name.into(), below_ms, measured_ms, met: measured < below }
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
        let width = self.figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
        let columns = ["min", "p50", "p90", "p99", "max"].map(|column| format!("{column:>9}")).concat();
        let _ = writeln!(text, "  {:width$}{columns}  ms", "");
        for figure in &self.figures {
            let Figure { name, min_ms, p50_ms, p90_ms, p99_ms, max_ms, .. } = figure;
            let values = [min_ms, p50_ms, p90_ms, p99_ms, max_ms].map(|value| format!("{value:9.2}")).concat();
            let _ = writeln!(text, "  {name:width$}{values}");
        }
        for Bar { name, below_ms, measured_ms, met } in &self.bars {
            let verdict = if *met { "met" } else { "MISSED" };
            let _ = writeln!(text, "  bar: {name} < {below_ms} ms: {verdict}, {measured_ms:.2} ms");
        }
        text.truncate(text.trim_end().len());
        text
    }
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
            bars: vec![Bar::new("median", Duration::from_millis(5), measured.median())],
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
    fn json_has_the_figures_by_name() {
        let json: serde_json::Value = serde_json::from_str(&report(4).json()).unwrap();
        assert_eq!(json["command"], "latency");
        assert_eq!(json["figures"][0]["p50_ms"], 4.0);
        assert_eq!(json["figures"][0]["samples"], 3);
        assert_eq!(json["bars"][0]["met"], true);
    }
}
