//! What an error says about the provider.

use crate::{
    ai::provider::{ProviderError, refusal},
    telemetry::metrics::AiOutcome,
};

/// What a breaker learns from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The provider's fault, or one that every request would meet.
    Provider,
    /// The provider works; it is the request.
    Request,
    /// Neither is known.
    Nobody,
}

/// Who is to blame.
pub(super) fn blame(error: &ProviderError) -> Blame {
    match error {
        ProviderError::Unreachable(_)
        | ProviderError::TooSlow(_)
        | ProviderError::TooLong(_)
        | ProviderError::RateLimited { .. }
        | ProviderError::Failed(_)
        | ProviderError::Malformed(_)
        | ProviderError::Cut => Blame::Provider,
        ProviderError::Refused(_) if refusal::is_of_account(error) => Blame::Provider,
        ProviderError::Declined(_) => Blame::Request,
        ProviderError::Refused(_) | ProviderError::TooLarge { .. } | ProviderError::Open(_) => Blame::Nobody,
    }
}

/// Its label in the metrics.
pub(super) const fn label(error: &ProviderError) -> AiOutcome {
    match error {
        ProviderError::Unreachable(_) => AiOutcome::Unreachable,
        ProviderError::TooSlow(_) | ProviderError::TooLong(_) => AiOutcome::TooSlow,
        ProviderError::RateLimited { .. } => AiOutcome::RateLimited,
        ProviderError::Failed(_) => AiOutcome::Failed,
        ProviderError::Refused(_) => AiOutcome::Refused,
        ProviderError::Declined(_) => AiOutcome::Declined,
        ProviderError::Malformed(_) | ProviderError::TooLarge { .. } => AiOutcome::Unreadable,
        ProviderError::Cut => AiOutcome::Cut,
        ProviderError::Open(_) => AiOutcome::Open,
    }
}
