//! Many edits, one JSON object for each line, acknowledged line by line.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    desk::{Desk, Made},
    input::{Input, Lines},
    operation::Operation,
};
use crate::{
    commands::Failure,
    remote::{PENDING_MAX, plain::plain},
};

/// What became of a line.
#[derive(Debug, Default, Serialize)]
struct Answer<'a> {
    line: usize,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    durable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

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
        while let Some(Waiting { line, outcome }) =
            self.waiting.pop_front_if(|first: &mut Waiting| match &first.outcome {
                Ok(made) => self.desk.is_durable(made),
                Err(_) => true,
            })
        {
            match outcome {
                Ok(made) => {
                    self.line(&Answer { line, ok: true, id: made.id.as_deref(), durable: true, error: None })?;
                }
                Err(error) => {
                    self.refused += 1;
                    self.line(&Answer { line, error: Some(&error), ..Answer::default() })?;
                }
            }
        }
        Ok(())
    }

    /// Says of the rest that nobody knows.
    fn give_up(&mut self, failure: &Failure) -> Result<(), Failure> {
        for Waiting { line, outcome } in std::mem::take(&mut self.waiting) {
            let error = outcome.err().unwrap_or_else(|| failure.to_string());
            self.line(&Answer { line, error: Some(&error), ..Answer::default() })?;
        }
        Ok(())
    }

    fn line(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        let answer = serde_json::to_string(answer).map_err(io::Error::from)?;
        writeln!(self.out, "{answer}")?;
        Ok(self.out.flush()?)
    }
}
