//! An answer that is coming, watched by the clock and by the breaker.

use std::fmt;

use tokio::time::{Instant, timeout_at};

use super::{
    Timing,
    outcome::{self, Blame},
};
use crate::{
    ai::provider::{Answer, Finish, Piece, ProviderError, Usage},
    breaker::Permit,
    telemetry::metrics::{self, AiOutcome},
};

/// An answer whose first words are there. Dropping it ends the request at once; that says nothing about the provider.
pub struct Asked {
    answer: Option<Box<dyn Answer>>,
    /// What came and has not been handed out: the last usage, and the first piece of the answer.
    usage: Option<Usage>,
    first: Option<Piece>,
    /// What has been used up so far.
    used: Usage,
    /// Until it is known how the request ends.
    permit: Option<Permit>,
    failed: Option<ProviderError>,
    provider: &'static str,
    timing: Timing,
    until: Instant,
}

impl Asked {
    pub(super) fn new(permit: Permit, provider: &'static str, timing: Timing, begun: Instant) -> Self {
        let until = begun + timing.total;
        Self {
            answer: None,
            usage: None,
            first: None,
            used: Usage::default(),
            permit: Some(permit),
            failed: None,
            provider,
            timing,
            until,
        }
    }

    /// The next piece; `None` after the end. Cancel-safe.
    ///
    /// # Errors
    /// [`ProviderError`], and the same again from then on.
    pub async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        if let Some(usage) = self.usage.take() {
            return Ok(Some(Piece::Usage(usage)));
        }
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        self.receive().await
    }

    /// Takes over the answer with its first piece.
    pub(super) fn begin(&mut self, answer: Box<dyn Answer>, first: Option<Piece>) -> Result<(), ProviderError> {
        self.answer = Some(answer);
        // An answer has at least an end.
        let Some(first) = first else { return Err(self.failed(ProviderError::Cut)) };
        self.note(&first);
        self.keep(first);
        Ok(())
    }

    /// Goes on until there is something to show, or the end.
    pub(super) async fn wait_for_text(&mut self) -> Result<(), ProviderError> {
        while self.first.is_none() {
            match self.receive().await? {
                Some(piece) => self.keep(piece),
                None => return Err(self.failed(ProviderError::Cut)),
            }
        }
        Ok(())
    }

    fn keep(&mut self, piece: Piece) {
        match piece {
            Piece::Usage(usage) => self.usage = Some(usage),
            piece => self.first = Some(piece),
        }
    }

    async fn receive(&mut self) -> Result<Option<Piece>, ProviderError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(answer) = &mut self.answer else { return Ok(None) };
        let now = Instant::now();
        let until = self.until.min(now + self.timing.idle);
        let received = timeout_at(until, answer.next()).await.unwrap_or_else(|_| {
            let is_total = until == self.until;
            Err(if is_total {
                ProviderError::TooLong(self.timing.total)
            } else {
                ProviderError::TooSlow(self.timing.idle)
            })
        });
        match received {
            Ok(Some(piece)) => {
                self.note(&piece);
                Ok(Some(piece))
            }
            Ok(None) if self.permit.is_none() => {
                self.answer = None;
                Ok(None)
            }
            Ok(None) => Err(self.failed(ProviderError::Cut)),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn note(&mut self, piece: &Piece) {
        match piece {
            Piece::Usage(usage) => self.used = *usage,
            Piece::End(finish) => {
                let outcome = if *finish == Finish::Length { AiOutcome::Length } else { AiOutcome::Answered };
                self.settle(outcome, Permit::succeed);
            }
            Piece::Text(_) => {}
        }
    }

    /// Notes why it failed; the connection is given up.
    pub(super) fn failed(&mut self, error: ProviderError) -> ProviderError {
        self.answer = None;
        self.failed = Some(error.clone());
        self.settle(outcome::label(&error), |permit| match outcome::blame(&error) {
            Blame::Provider => permit.fail(&error.to_string()),
            Blame::Request => permit.succeed(),
            Blame::Nobody => drop(permit),
        });
        error
    }

    /// Tells breaker and metrics, once.
    fn settle(&mut self, outcome: AiOutcome, tell: impl FnOnce(Permit)) {
        if let Some(permit) = self.permit.take() {
            tell(permit);
            let ai = &metrics::get().ai;
            ai.request(self.provider, outcome);
            ai.used(self.used.input_tokens, self.used.output_tokens);
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.settle(AiOutcome::Dropped, drop);
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("provider", &self.provider).field("failed", &self.failed).finish_non_exhaustive()
    }
}
