//! What goes on, on standard error: a bar on a terminal, else one line for each phase.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

/// How often a bar is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(250);

/// A phase that goes on. Its bar goes when this is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins a phase of so many steps; 0 when nobody knows.
    pub fn phase(name: &str, steps: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("  {name}");
            return Self(ProgressBar::hidden());
        }
        let style = if steps == 0 { "  {msg}" } else { "  {msg} {wide_bar} {human_pos}/{human_len}" };
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(steps).with_style(style).with_message(name.to_owned()))
    }

    /// Goes on by so many steps.
    pub fn step(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// Shows for ever how many steps are left.
    pub async fn follow(&self, left: impl Fn() -> u64) {
        let mut ticks = interval(DRAWN_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.0.set_position(self.0.length().unwrap_or(0).saturating_sub(left()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
