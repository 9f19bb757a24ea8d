//! Asks a provider until it answers, within bounds of time, and tells its breaker how that went.

mod asked;
mod outcome;
mod pauses;

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::provider::{Ask, ProviderError, SharedProvider};
use crate::{
    breaker::{Breaker, Permit},
    telemetry::metrics::{self, AiOutcome},
};

pub use asked::Asked;
use pauses::Pauses;

/// How long one may wait for a provider.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Until the first piece of an answer.
    pub first_byte: Duration,
    /// Until the next piece.
    pub idle: Duration,
    /// For the whole of an answer.
    pub total: Duration,
    /// How often a request is tried again that failed in passing.
    pub retries: u32,
}

/// A provider with its breaker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Asker {
    provider: SharedProvider,
    breaker: Breaker,
    timing: Timing,
}

impl Asker {
    /// Guards this provider with this breaker.
    pub fn new(provider: SharedProvider, breaker: Breaker, timing: Timing) -> Self {
        Self { provider, breaker, timing }
    }

    /// Who is asked.
    pub fn provider(&self) -> &SharedProvider {
        &self.provider
    }

    /// What guards it.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Asks, and returns when the first words of the answer are there. `tries` of the retries have been used already.
    ///
    /// # Errors
    /// [`ProviderError`]: one that does not pass, or the last one that does when there are no more retries, or the wait would be too long.
    pub async fn ask(&self, ask: &Ask, tries: u32) -> Result<Asked, ProviderError> {
        let mut pauses = Pauses::default();
        for attempt in tries.. {
            let error = match self.once(ask).await {
                Ok(asked) => return Ok(asked),
                Err(error) => error,
            };
            let pause = (error.is_passing() && attempt < self.timing.retries).then(|| pauses.next(&error)).flatten();
            let Some(pause) = pause else { return Err(error) };
            tracing::info!(provider = self.provider.name(), %error, pause_seconds = pause.as_secs_f64(), "asking the AI again");
            tokio::time::sleep(pause).await;
        }
        Err(ProviderError::Failed("it has been asked too often".to_owned()))
    }

    /// One attempt, with a permit of its own.
    async fn once(&self, ask: &Ask) -> Result<Asked, ProviderError> {
        let permit = self.permit()?;
        let begun = Instant::now();
        let until = begun + self.timing.first_byte.min(self.timing.total);
        let mut asked = Asked::new(permit, self.provider.name(), self.timing, begun);
        let opened = timeout_at(until, async {
            let mut answer = self.provider.ask(ask).await?;
            let first = answer.next().await?;
            Ok((answer, first))
        });
        let opened = opened.await.unwrap_or_else(|_| Err(self.late(begun)));
        match opened {
            Ok((answer, first)) => {
                metrics::get().ai.first_byte_seconds.record(begun.elapsed().as_secs_f64());
                asked.begin(answer, first)?;
                // Until there is text nothing is lost by asking again.
                asked.wait_for_text().await?;
                Ok(asked)
            }
            Err(error) => Err(asked.failed(error)),
        }
    }

    fn permit(&self) -> Result<Permit, ProviderError> {
        self.breaker.permit().map_err(|open| {
            metrics::get().ai.request(self.provider.name(), AiOutcome::Open);
            ProviderError::Open(open)
        })
    }

    fn late(&self, begun: Instant) -> ProviderError {
        if begun.elapsed() >= self.timing.total {
            return ProviderError::TooLong(self.timing.total);
        }
        ProviderError::TooSlow(self.timing.first_byte)
    }
}
