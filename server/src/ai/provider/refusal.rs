//! What a provider says when it does not answer, as one of our errors, without anything that is nobody's business.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::{ProviderError, retry_after};
use crate::config::{HIDDEN, Secret};

/// Characters that are kept of what a provider says.
const MESSAGE_CHARS_MAX: usize = 300;

/// What a refusal begins with that every further request would meet.
const OF_ACCOUNT: &str = "the key, the account or the model";

/// A key that must not show in anything that a provider is quoted with.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrubber(Option<Secret>);

impl Scrubber {
    pub fn new(key: Option<Secret>) -> Self {
        Self(key)
    }

    /// The beginning of what was said, on one line, without the key.
    pub fn clean(&self, said: &str) -> String {
        let hidden = self.0.as_ref().map_or_else(|| said.to_owned(), |key| said.replace(key.expose(), HIDDEN));
        let visible = hidden.chars().map(|c| if c.is_control() { ' ' } else { c });
        visible.take(MESSAGE_CHARS_MAX).collect::<String>().trim().to_owned()
    }
}

/// Whether nobody's request would fare better, so that it is of no use to go on asking.
pub fn is_of_account(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Refused(why) if why.starts_with(OF_ACCOUNT))
}

/// The part of a body that says what is wrong, as `OpenAI`, Anthropic, Google, `Ollama` and `vLLM` have it.
pub(super) fn error_in(body: &Value) -> Option<&Value> {
    let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
    ["error", "detail", "message"].iter().find_map(|key| body.get(key)).filter(|error| !error.is_null())
}

/// What it says in words.
pub(super) fn words_of(error: &Value) -> &str {
    error.as_str().or_else(|| error["message"].as_str()).unwrap_or_default()
}

/// What an answer with this status means.
pub(super) fn of_status(
    status: StatusCode,
    error: Option<&Value>,
    retry_after: Option<Duration>,
    scrubber: &Scrubber,
) -> ProviderError {
    let said = scrubber.clean(error.map_or("", words_of));
    let told =
        if said.is_empty() { format!("HTTP {}", status.as_u16()) } else { format!("HTTP {}: {said}", status.as_u16()) };
    let retry_after = retry_after.or_else(|| error.and_then(retry_after::from_body));
    match status.as_u16() {
        408 | 409 | 425 | 429 if error.is_some_and(is_out_of_credit) => account(&told),
        408 | 409 | 425 | 429 => ProviderError::RateLimited { retry_after },
        500..=599 if retry_after.is_some() => ProviderError::RateLimited { retry_after },
        500..=599 => ProviderError::Failed(told),
        401..=404 => account(&told),
        300..=399 => ProviderError::Refused(format!(
            "{told}: it sends us elsewhere, where the key does not go; set SYNAPTI_AI_BASE_URL to where the API is"
        )),
        _ => ProviderError::Refused(told),
    }
}

/// What an error means that comes within a stream, where there is no status any more.
pub(super) fn of_stream(error: &Value, scrubber: &Scrubber) -> ProviderError {
    let status = |number: &Value| number.as_u64().and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    if let Some(status) = status(&error["code"]).filter(|status| status.as_u16() >= 400) {
        return of_status(status, Some(error), None, scrubber);
    }
    let kind = error["type"].as_str().or_else(|| error["code"].as_str()).or_else(|| error["status"].as_str());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let said = scrubber.clean(words_of(error));
    let told = if said.is_empty() { "it says so without a reason".to_owned() } else { said };
    if is_out_of_credit(error)
        || ["authentication", "permission", "billing", "not_found"].iter().any(|word| kind.contains(word))
    {
        account(&told)
    } else if kind.contains("rate_limit") || kind.contains("resource_exhausted") {
        ProviderError::RateLimited { retry_after: retry_after::from_body(error) }
    } else if kind.contains("invalid_request") {
        ProviderError::Refused(told)
    } else {
        ProviderError::Failed(told)
    }
}

/// Some say "too many requests" to those who have not paid, who would wait for nothing.
fn is_out_of_credit(error: &Value) -> bool {
    let is = |key: &str| {
        error[key].as_str().is_some_and(|word| matches!(word, "insufficient_quota" | "billing_hard_limit_reached"))
    };
    is("code") || is("type")
}

fn account(told: &str) -> ProviderError {
    ProviderError::Refused(format!(
        "{OF_ACCOUNT} is not accepted ({told}); check SYNAPTI_AI_MODEL and the provider's key"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_status_has_its_meaning() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let of = |status: u16, body: Value, after| {
            of_status(StatusCode::from_u16(status).unwrap(), error_in(&body), after, &Scrubber::default())
        };
        let quota = json!({"error": {"code": "insufficient_quota", "message": "Pay first."}});
        for (status, body) in
            [(401, json!({})), (403, json!({})), (404, json!({"error": "no model"})), (402, json!({})), (429, quota)]
        {
            let error = of(status, body, None);
            assert!(is_of_account(&error) && !error.is_passing(), "{status}: {error}");
        }
        for status in [400, 413, 422, 302] {
            let error = of(status, json!({"detail": "too long"}), None);
            assert!(!is_of_account(&error) && matches!(error, ProviderError::Refused(_)), "{status}: {error}");
        }
        assert_eq!(of(429, json!(null), seconds(3)), ProviderError::RateLimited { retry_after: seconds(3) });
        assert_eq!(of(503, json!(null), seconds(3)), ProviderError::RateLimited { retry_after: seconds(3) });
        assert_eq!(
            of(529, json!({"error": {"message": "Overloaded"}}), None),
            ProviderError::Failed("HTTP 529: Overloaded".into())
        );
        assert_eq!(of(500, json!(null), None), ProviderError::Failed("HTTP 500".into()));
    }

    #[test]
    fn errors_within_a_stream_are_told_apart() {
        let of = |error: Value| of_stream(&error, &Scrubber::default());
        assert_eq!(
            of(json!({"type": "overloaded_error", "message": "Overloaded"})),
            ProviderError::Failed("Overloaded".into())
        );
        assert_eq!(
            of(json!({"code": 429, "details": [{"retryDelay": "2s"}]})),
            ProviderError::RateLimited { retry_after: Some(Duration::from_secs(2)) }
        );
        assert_eq!(of(json!({"type": "rate_limit_error"})), ProviderError::RateLimited { retry_after: None });
        assert!(is_of_account(&of(json!({"type": "authentication_error"}))));
        assert!(matches!(of(json!({"type": "invalid_request_error"})), ProviderError::Refused(_)));
        assert!(matches!(of(json!("out of memory")), ProviderError::Failed(why) if why == "out of memory"));
    }

    #[test]
    fn what_is_quoted_is_short_and_holds_no_key() {
        let scrubber = Scrubber::new(Some(Secret::new("sk-123456")));
        let cleaned = scrubber.clean(&format!("bad\nkey\u{1b} sk-123456 {}", "x".repeat(1000)));
        assert!(cleaned.starts_with("bad key  (hidden) xxx"), "{cleaned}");
        assert_eq!(cleaned.chars().count(), MESSAGE_CHARS_MAX);
        assert!(!format!("{scrubber:?}").contains("123456"));
    }
}
