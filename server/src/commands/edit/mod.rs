//! `synapti edit`: edits a map, and ends when the edit is on the server's disk.

mod desk;
mod input;
mod operation;
mod script;

use std::{io::Write, time::Duration};

use super::{Failure, tell};
use crate::{
    clock::Clock,
    remote::{Choice, Link, http::Token, url::MapUrl},
};
use desk::Desk;
pub use input::Input;
pub use operation::Operation;
use script::Script;

/// What to edit, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditRequest {
    /// The map.
    pub map: MapUrl,
    /// How to connect.
    pub choice: Choice,
    /// How long the server may take without getting on.
    pub timeout: Duration,
    /// What to do.
    pub task: Task,
}

/// What to do with a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// One edit.
    Operation(Operation),
    /// A Yjs update (v1), as it is.
    Apply(Input),
    /// Many edits, one JSON object for each line.
    Script(Input),
}

/// Edits, and waits until that is on the server's disk.
///
/// # Errors
/// When it is not, or may not be.
pub async fn run(
    request: EditRequest,
    token: Option<Token>,
    clock: Clock,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let EditRequest { map, choice, timeout, task } = request;
    let link = |map| Link::editor(map, token, choice);
    // What cannot be read is found out before anybody is asked.
    match task {
        Task::Operation(operation) => {
            let is_new = matches!(operation, Operation::Add { .. });
            let mut desk = Desk::new(link(map), clock, timeout);
            desk.sync().await?;
            let made = desk.make(operation)?;
            while !desk.is_durable(&made) {
                desk.step().await?;
            }
            if let Some(id) = made.id.filter(|_| is_new) {
                writeln!(out, "{id}")?;
                out.flush()?;
            }
            desk.close().await;
        }
        Task::Apply(input) => {
            let update = input.read()?;
            let mut desk = Desk::new(link(map), clock, timeout);
            desk.sync().await?;
            let made = desk.apply(&update)?;
            if made.number.is_none() {
                tell("the map has all of this update already");
            }
            while !desk.is_durable(&made) {
                desk.step().await?;
            }
            desk.close().await;
        }
        Task::Script(input) => {
            let lines = input.lines()?;
            let mut desk = Desk::new(link(map), clock, timeout);
            desk.sync().await?;
            Script::new(&mut desk, out).run(&input, lines).await?;
            desk.close().await;
        }
    }
    Ok(())
}
