//! Who answers: a model behind an API, or the built-in templates.

pub mod anthropic;
mod events;
pub mod gemini;
mod http;
pub mod openai;
pub mod refusal;
mod retry_after;
mod schema;
mod shape;
pub mod template;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use synapti_crdt::map::Source;

use super::task::Task;

/// One request to a provider.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it is about; templates answer this, models what follows.
    pub task: Task,
    /// Instructions.
    pub system: String,
    /// The question, with what people wrote kept apart from instructions.
    pub user: String,
    /// Name of the answer's schema: letters and underscores.
    pub schema_name: &'static str,
    /// JSON schema of the answer; every object closed, every property required.
    pub schema: Arc<Value>,
    /// Tokens that the answer may have.
    pub output_tokens_max: u32,
    /// How long a template takes for its answer, so that people can read along. Models take what they take.
    pub pace: Duration,
}

/// Part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// More of the answer's text.
    Text(String),
    /// What has been used up, so far or in all; the last one counts.
    Usage(Usage),
    /// The end. Nothing follows but the end of the stream.
    End(Finish),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is whole.
    Whole,
    /// It was cut at the bound of its length.
    Length,
}

/// Tokens that were used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u64,
    /// Written by it, thoughts included.
    pub output_tokens: u64,
}

/// Why there is no answer, or no more of it. No message holds a key, a URL's query or what people wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It cannot be reached.
    #[error("the AI provider cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the AI provider sent nothing for {} s: try again, or allow it more time", .0.as_secs_f64())]
    TooSlow(Duration),
    /// The whole took too long.
    #[error("the AI provider's answer was not whole after {} s", .0.as_secs_f64())]
    TooLong(Duration),
    /// It wants fewer requests.
    #[error("the AI provider asks for fewer requests{}", .retry_after.map(|after| format!("; it asks to wait {} s", after.as_secs())).unwrap_or_default())]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It failed, and may not fail next time.
    #[error("the AI provider failed: {0}")]
    Failed(String),
    /// The key is missing or wrong, the account has no credit, or the model is not there: trying again does not help.
    #[error("the AI provider refused the request: {0}")]
    Refused(String),
    /// The model will not say anything about this.
    #[error("the model declined to answer{}", if .0.is_empty() { String::new() } else { format!(": {}", .0) })]
    Declined(String),
    /// What came is not what its protocol says.
    #[error("the AI provider's answer cannot be read: {0}")]
    Malformed(String),
    /// The connection ended before the answer did.
    #[error("the AI provider's answer broke off")]
    Cut,
    /// The answer is larger than it may be.
    #[error("the AI provider's answer is larger than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// It has failed several times and is left alone.
    #[error("the AI provider cannot be asked: {0}")]
    Open(crate::breaker::Open),
}

impl ProviderError {
    /// Whether the same request may succeed a little later.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TooSlow(_) | Self::RateLimited { .. } | Self::Failed(_) | Self::Cut => true,
            Self::TooLong(_)
            | Self::Refused(_)
            | Self::Declined(_)
            | Self::Malformed(_)
            | Self::TooLarge { .. }
            | Self::Open(_) => false,
        }
    }
}

/// Answers requests.
///
/// Guarantees every provider gives:
/// - `ask` returns when the answer begins; what comes before has no effect that would be paid for twice unknowingly;
/// - the text of all pieces together is the answer's JSON, perhaps with prose or a code fence around it;
/// - dropping an answer ends the request at once.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Its name: `openai`, `anthropic`, `gemini` or `template`.
    fn name(&self) -> &'static str;

    /// Which model answers.
    fn model(&self) -> &str;

    /// What nodes made of its answers say of their origin.
    fn source(&self) -> Source;

    /// Asks once.
    async fn ask(&self, ask: &Ask) -> Result<Box<dyn Answer>, ProviderError>;
}

/// An answer that is coming.
#[async_trait]
pub trait Answer: Send {
    /// The next piece; `None` after [`Piece::End`]. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Piece>, ProviderError>;
}

/// A provider shared by all who ask.
pub type SharedProvider = Arc<dyn Provider>;
