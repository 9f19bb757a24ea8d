//! Logs go to standard error: for a person on a terminal, JSON lines for everything else.

use std::{
    io::{self, IsTerminal},
    panic::PanicHookInfo,
};

use tracing_subscriber::EnvFilter;

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse; the configuration checks it before, so this is a fault in that check.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something has set up logging already.
    #[error(transparent)]
    Twice(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Starts logging for the whole process, panics included. `filter` is [`crate::config::Config::log`].
pub fn init(filter: &str) -> Result<(), LogError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let is_terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_terminal);
    if is_terminal {
        builder.compact().try_init()?;
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()?;
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a line of the log like any other, so that whatever reads the log as JSON can read it too.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let thread = std::thread::current().name().map(str::to_owned);
    tracing::error!(reason = message, location, thread, "panic");
}
