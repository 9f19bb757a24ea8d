//! What the program does as a client of a server, for people and scripts. Output is the caller's; nothing is read from the
//! environment or from settings.

pub mod edit;
pub mod export;
pub mod import;
pub mod output;
pub mod watch;

use std::io;

use crate::remote::{Closed, Event};

/// Why a command has failed, in words for whoever typed it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server, or this side, has ended it for good.
    #[error("{}{}", .0.reason, advice(.0.code))]
    Closed(Closed),
    /// Nobody was reached in time.
    #[error("no connection within {seconds} seconds (--timeout): {trouble}")]
    NoContact {
        /// How long it was tried.
        seconds: u64,
        /// What went wrong last.
        trouble: String,
    },
    /// The server did not say in time that the edits are on its disk.
    #[error(
        "not saved within {seconds} seconds (--timeout): {trouble}. {edits} may still reach the map: look before you repeat it"
    )]
    NotSaved {
        /// How long it was waited.
        seconds: u64,
        /// What went wrong last.
        trouble: String,
        /// How many edits, in words.
        edits: String,
    },
    /// An edit that this map cannot take.
    #[error("{0}; nothing was changed")]
    Refused(String),
    /// Some lines of a script were refused; each has been reported.
    #[error("{refused} of {lines} lines were not carried out; see the lines with \"ok\":false")]
    Script {
        /// How many were refused.
        refused: usize,
        /// How many there were.
        lines: usize,
    },
    /// A file cannot be read.
    #[error("cannot read {name}: {error}")]
    Input {
        /// Its path.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// What was found out cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether it is only that nobody reads the output any more.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What to do about the end of a connection, where its reason does not say.
const fn advice(code: u16) -> &'static str {
    match code {
        401 | 4401 => "; put a token that is good for this map into the environment variable SYNAPTI_TOKEN",
        404 | 4404 => "; look at the id in the address, or ask somebody who may make maps",
        413 | 4413 => "; make the edit, or the map, smaller",
        _ => "",
    }
}

/// What somebody at a terminal wants to know of the connection.
fn notice(event: &Event) -> Option<String> {
    match event {
        Event::Connected(transport) => Some(format!("connected ({})", transport.as_str())),
        Event::Disconnected { reason, next, wait } if wait.is_zero() => {
            Some(format!("{reason}; trying {}", next.as_str()))
        }
        Event::Disconnected { reason, next, wait } => {
            Some(format!("{reason}; trying {} in {:.1} s", next.as_str(), wait.as_secs_f64()))
        }
        Event::Notice(text) => Some(text.clone()),
        _ => None,
    }
}

/// Tells somebody at a terminal.
fn tell(text: &str) {
    use io::Write as _;
    // Nobody reads it when it cannot be written.
    let _ = writeln!(io::stderr(), "synapti: {text}");
}
