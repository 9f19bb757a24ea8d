//! Runs of the AI in a map, as they are shown among those present: under the room's own client id, which is theirs.

use serde_json::json;

use super::RoomState;

/// Time between two announcements of runs that go on unchanged: y-protocols clients forget who was silent for thirty seconds.
const RENEW_EVERY_MS: u64 = 12_000;

/// Runs of one map that are shown; more go on unseen.
const SHOWN_MAX: usize = 16;

/// In which colour the AI is shown.
const COLOR: &str = "#8B5CF6";

/// A run as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunShown {
    /// The job.
    pub job: String,
    /// What it is for: `generate`, `expand` or `coherence`.
    pub kind: &'static str,
    /// The node that it is about.
    pub node: Option<String>,
    /// What it does, in words: `expanding “Orbit”`.
    pub doing: String,
    /// How far it is, as its status says.
    pub step: &'static str,
    /// The same as a number, 0 to 1.
    pub progress: f64,
}

/// The runs in a room.
#[derive(Debug, Default)]
pub(super) struct Runs {
    shown: Vec<RunShown>,
    told_ms: u64,
}

impl RoomState {
    /// A run begins, or has got on. The room stays open until it is hidden.
    pub fn show_run(&mut self, run: RunShown, now_ms: u64) {
        match self.runs.shown.iter_mut().find(|shown| shown.job == run.job) {
            Some(shown) if *shown == run => return,
            Some(shown) => *shown = run,
            None => self.runs.shown.push(run),
        }
        self.announce_runs(now_ms);
    }

    /// A run is over.
    pub fn hide_run(&mut self, job: &str, now_ms: u64) {
        self.runs.shown.retain(|shown| shown.job != job);
        self.announce_runs(now_ms);
    }

    /// Whether no run is under way here.
    pub(super) fn is_without_runs(&self) -> bool {
        self.runs.shown.is_empty()
    }

    /// Shows runs again before others forget them.
    pub(super) fn renew_runs(&mut self, now_ms: u64) {
        if !self.runs.shown.is_empty() && now_ms >= self.runs.told_ms + RENEW_EVERY_MS {
            self.announce_runs(now_ms);
        }
    }

    fn announce_runs(&mut self, now_ms: u64) {
        let state = self.runs.state();
        self.runs.told_ms = now_ms;
        self.presence.show_room(self.replica.client_id(), state.as_deref(), now_ms);
        self.flush_presence(now_ms);
    }
}

impl Runs {
    /// What the AI shows of itself, as Yjs programs do; `None` = it is not there.
    fn state(&self) -> Option<String> {
        let newest = self.shown.last()?;
        let runs: Vec<_> = self.shown.iter().rev().take(SHOWN_MAX).map(run_json).collect();
        let name = match self.shown.len() {
            1 => format!("AI: {}", newest.doing),
            count => format!("AI: {} (+{})", newest.doing, count - 1),
        };
        Some(json!({ "user": { "name": name, "color": COLOR }, "ai": { "runs": runs } }).to_string())
    }
}

fn run_json(run: &RunShown) -> serde_json::Value {
    let RunShown { job, kind, node, doing, step, progress } = run;
    let progress = (progress * 100.0).round() / 100.0;
    json!({ "job_id": job, "kind": kind, "node_id": node, "doing": doing, "step": step, "progress": progress })
}
