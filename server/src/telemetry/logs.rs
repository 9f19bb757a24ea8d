//! Logs go to standard error: for a person on a terminal, JSON lines for everything else.

use std::{
    io::{self, IsTerminal},
    panic::PanicHookInfo,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Libraries that hold whole requests, with the tokens in them. What they write at level `debug` or `trace` is theirs to choose and
/// may change with any version, so of these only what is more important is logged, whatever the filter says.
const TALKATIVE: [&str; 8] =
    ["axum", "h2", "hyper", "hyper_util", "rustls", "tokio_tungstenite", "tower_http", "tungstenite"];

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse; the configuration checks it before, so this is a fault in that check.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something has set up logging already.
    #[error(transparent)]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the whole process, panics included. `filter` is [`crate::config::Config::log`].
pub fn init(filter: &str) -> Result<(), LogError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let is_terminal = io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(is_terminal);
    let lines = if is_terminal {
        lines.compact().boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).boxed()
    };
    let lines = lines.with_filter(filter_fn(tells_no_secret));
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn tells_no_secret(line: &Metadata<'_>) -> bool {
    let library = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || !TALKATIVE.contains(&library)
}

/// A panic is a line of the log like any other, so that whatever reads the log as JSON can read it too.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current().name().map(str::to_owned);
    tracing::error!(reason = message, location, thread, "panic");
}
