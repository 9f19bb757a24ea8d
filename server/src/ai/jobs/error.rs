//! Why a job failed, in words for people and a code for programs.

use serde::{Deserialize, Serialize};

use crate::{
    ai::{provider::ProviderError, reader::ReadError},
    room::RoomError,
    store::StoreError,
};

/// A failure, as a job keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// For programs: stable, in `snake_case`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether the same may succeed a little later.
    #[serde(skip)]
    pub is_passing: bool,
}

impl JobError {
    /// A failure that trying again does not cure.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), is_passing: false }
    }

    /// Whether it is a fault of the answer, or of who gave it.
    pub fn is_of_answer(&self) -> bool {
        !matches!(self.code.as_str(), "store_unavailable" | "room_unavailable")
    }

    fn passing(self, is_passing: bool) -> Self {
        Self { is_passing, ..self }
    }
}

impl From<ProviderError> for JobError {
    fn from(error: ProviderError) -> Self {
        let code = match &error {
            ProviderError::Unreachable(_) => "provider_unreachable",
            ProviderError::TooSlow(_) | ProviderError::TooLong(_) => "provider_too_slow",
            ProviderError::RateLimited { .. } => "provider_rate_limited",
            ProviderError::Failed(_) => "provider_failed",
            ProviderError::Refused(_) => "provider_refused",
            ProviderError::Declined(_) => "model_declined",
            ProviderError::Malformed(_) => "answer_malformed",
            ProviderError::Cut => "answer_broke_off",
            ProviderError::TooLarge { .. } => "answer_too_large",
            ProviderError::Open(_) => "provider_open",
        };
        Self::new(code, error.to_string()).passing(error.is_passing())
    }
}

impl From<ReadError> for JobError {
    fn from(error: ReadError) -> Self {
        let code = if matches!(error, ReadError::TooLarge { .. }) { "answer_too_large" } else { "answer_malformed" };
        // Another answer may be one.
        Self::new(code, error.to_string()).passing(code == "answer_malformed")
    }
}

impl From<RoomError> for JobError {
    fn from(error: RoomError) -> Self {
        let code = match &error {
            RoomError::NotFound => "graph_not_found",
            RoomError::Gone => "graph_deleted",
            RoomError::Exists => "graph_exists",
            RoomError::TooLarge { .. } | RoomError::TooMany { .. } => "graph_too_large",
            RoomError::Store(_) | RoomError::Unavailable(_) | RoomError::NotSaved | RoomError::Stalled => {
                "store_unavailable"
            }
            RoomError::Unreadable(_) => "graph_damaged",
            _ => "room_unavailable",
        };
        let is_passing = matches!(code, "store_unavailable" | "room_unavailable");
        Self::new(code, error.to_string()).passing(is_passing)
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::new("store_unavailable", "the database does not answer").passing(true)
    }
}
