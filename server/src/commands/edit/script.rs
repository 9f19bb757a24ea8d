//! Many edits, one JSON object for each line, acknowledged line by line.

use std::{collections::VecDeque, io::Write};

use serde_json::{Value, json};

use super::{
    desk::{Desk, Made},
    input::{Input, Lines},
    operation::Operation,
};
use crate::{
    commands::Failure,
    remote::{PENDING_MAX, plain::plain},
};

/// A line that has been read and not been answered.
struct Waiting {
    line: usize,
    outcome: Result<Made, String>,
}

/// Carries a script out.
pub(super) struct Script<'a> {
    desk: &'a mut Desk,
    out: &'a mut (dyn Write + Send),
    waiting: VecDeque<Waiting>,
    lines: usize,
    refused: usize,
}

impl<'a> Script<'a> {
    pub fn new(desk: &'a mut Desk, out: &'a mut (dyn Write + Send)) -> Self {
        Self { desk, out, waiting: VecDeque::new(), lines: 0, refused: 0 }
    }

    /// Reads to the end, and waits until all of it is on disk. A refused line does not hinder the others.
    pub async fn run(mut self, input: &Input, mut lines: Lines) -> Result<(), Failure> {
        let (mut number, mut is_at_end, mut unread) = (0, false, None);
        while !is_at_end || !self.waiting.is_empty() {
            let has_room = self.waiting.len() < PENDING_MAX;
            tokio::select! {
                line = lines.recv(), if !is_at_end && has_room => match line {
                    Some(Ok(line)) => {
                        number += 1;
                        self.take(number, &line);
                    }
                    Some(Err(error)) => (is_at_end, unread) = (true, Some(error)),
                    None => is_at_end = true,
                },
                stepped = self.desk.step() => if let Err(failure) = stepped {
                    self.answer()?;
                    self.give_up(&failure)?;
                    return Err(failure);
                }
            }
            self.answer()?;
        }
        if let Some(error) = unread {
            return Err(input.failure(error));
        }
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::Script { refused, lines: self.lines }),
        }
    }

    fn take(&mut self, line: usize, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.lines += 1;
        let outcome = match serde_json::from_str::<Operation>(text) {
            Ok(operation) => self.desk.make(operation).map_err(|failure| failure.to_string()),
            Err(error) => Err(plain(&format!("{error}; nothing was changed"))),
        };
        self.waiting.push_back(Waiting { line, outcome });
    }

    /// Answers the lines of which the outcome is known, in their order.
    fn answer(&mut self) -> Result<(), Failure> {
        while let Some(first) = self.waiting.front() {
            let answer = match &first.outcome {
                Ok(made) if self.desk.is_durable(made) => acknowledged(first.line, made),
                Ok(_) => break,
                Err(error) => {
                    self.refused += 1;
                    json!({"line": first.line, "ok": false, "error": error})
                }
            };
            self.waiting.pop_front();
            self.line(&answer)?;
        }
        Ok(())
    }

    /// Says of the rest that nobody knows.
    fn give_up(&mut self, failure: &Failure) -> Result<(), Failure> {
        for Waiting { line, outcome } in std::mem::take(&mut self.waiting) {
            let error = outcome.err().unwrap_or_else(|| failure.to_string());
            self.line(&json!({"line": line, "ok": false, "durable": false, "error": error}))?;
        }
        Ok(())
    }

    fn line(&mut self, answer: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{answer}")?;
        Ok(self.out.flush()?)
    }
}

fn acknowledged(line: usize, made: &Made) -> Value {
    let mut answer = json!({"line": line, "ok": true});
    if let Some(id) = &made.id {
        answer["id"] = json!(id);
    }
    answer["durable"] = json!(true);
    answer
}
