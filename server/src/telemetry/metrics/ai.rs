//! Requests to AI providers.

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

/// How a request to a provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AiOutcome {
    /// With a whole answer.
    Answered,
    /// With an answer that was cut at its bound.
    Length,
    /// The model would not answer.
    Declined,
    /// It was asked too often.
    RateLimited,
    /// It failed.
    Failed,
    /// It could not be reached.
    Unreachable,
    /// It took too long.
    TooSlow,
    /// The connection broke off.
    Cut,
    /// It cannot be read, or is too large.
    Unreadable,
    /// The key, the model or the request was not accepted.
    Refused,
    /// Nobody asked, because it failed several times before.
    Open,
    /// Whoever asked has gone.
    Dropped,
}

const OUTCOMES: [&str; 12] = [
    "answered",
    "length",
    "declined",
    "rate_limited",
    "failed",
    "unreachable",
    "too_slow",
    "cut",
    "unreadable",
    "refused",
    "open",
    "dropped",
];

/// Providers that are counted one by one; all others count as the last.
const PROVIDERS: [&str; 5] = ["openai", "anthropic", "gemini", "template", "other"];

/// Handles of these metrics.
pub struct AiMetrics {
    /// Seconds until an answer's first piece.
    pub first_byte_seconds: Histogram,
    /// Tokens of both directions.
    tokens: Counter,
    input_tokens: Counter,
    output_tokens: Counter,
    requests: [[Counter; OUTCOMES.len()]; PROVIDERS.len()],
}

impl AiMetrics {
    pub(super) fn install() -> Self {
        describe_counter!("ai_token_usage", "Tokens that AI providers have charged for");
        describe_counter!("synapti_ai_tokens_total", "Tokens that AI providers have charged for, by direction");
        describe_counter!("synapti_ai_requests_total", "Requests to AI providers, by provider and outcome");
        describe_histogram!(
            "synapti_ai_first_byte_seconds",
            Unit::Seconds,
            "Seconds from a request to an AI provider to the first piece of its answer"
        );
        let tokens = |direction: &'static str| counter!("synapti_ai_tokens_total", "direction" => direction);
        Self {
            first_byte_seconds: histogram!("synapti_ai_first_byte_seconds"),
            tokens: counter!("ai_token_usage"),
            input_tokens: tokens("input"),
            output_tokens: tokens("output"),
            requests: PROVIDERS.map(|provider| {
                OUTCOMES
                    .map(|outcome| counter!("synapti_ai_requests_total", "provider" => provider, "outcome" => outcome))
            }),
        }
    }

    /// Notes how a request to a provider ended.
    pub fn request(&self, provider: &'static str, outcome: AiOutcome) {
        let at = PROVIDERS.iter().position(|known| *known == provider).unwrap_or(PROVIDERS.len() - 1);
        self.requests[at][outcome as usize].increment(1);
    }

    /// Notes what a request has used up.
    pub fn used(&self, input_tokens: u64, output_tokens: u64) {
        self.tokens.increment(input_tokens + output_tokens);
        self.input_tokens.increment(input_tokens);
        self.output_tokens.increment(output_tokens);
    }
}
