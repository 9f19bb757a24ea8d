//! Why a request came to nothing, in words for whoever typed the command.

use std::{io, time::Duration};

use hyper::{HeaderMap, StatusCode, header};

use super::{plain::plain, url::ServerUrl};

/// What a server may ask us to wait, at most: whoever waits is a person.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there, or the certificate is not good.
    #[error("cannot connect to {place}: {reason}")]
    Connect {
        /// Host and port.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// The time for it is over.
    #[error("nothing came within {seconds} seconds")]
    TooSlow {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The other side does not speak HTTP, or hung up.
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
    /// The answer came in part.
    #[error("the answer broke off")]
    BrokeOff,
    /// The answer is longer than anybody would send.
    #[error("the answer is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The address cannot stand in a request.
    #[error("the address cannot be asked for")]
    Address,
    /// The server said no.
    #[error("{0}")]
    Refused(Refusal),
}

/// A server's no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server answered {status}: {message}")]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The error's code, when the answer is one of our API; else empty.
    pub code: String,
    /// For people. Has no control characters.
    pub message: String,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

impl HttpError {
    pub(super) fn connect(server: &ServerUrl, error: &io::Error) -> Self {
        let place = format!("{}:{}", server.host(), server.port());
        Self::Connect { place, reason: plain(&error.to_string()) }
    }

    pub(super) const fn too_slow(within: Duration) -> Self {
        Self::TooSlow { seconds: within.as_secs() }
    }
}

impl Refusal {
    /// Reads the error's body, if it is one.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let field = |name: &str| json["error"][name].as_str().unwrap_or_default();
        let message = match (field("message"), text(header::LOCATION)) {
            ("", Some(elsewhere)) if status.is_redirection() => {
                format!("it sends us to {elsewhere}; use that address if it is the right one")
            }
            ("", _) => format!("{} (not an answer of Synapti)", status.canonical_reason().unwrap_or("no reason")),
            (message, _) => with_details(message, &json["error"]["details"]),
        };
        let retry_after = text(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        Self {
            status,
            code: field("code").to_owned(),
            message: plain(&message),
            retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
        }
    }

    /// Whether asking again is pointless.
    pub fn is_terminal(&self) -> bool {
        let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
        (self.status.is_client_error() || self.status.is_redirection()) && !passes.contains(&self.status)
    }
}

/// What is wrong with each field, when the answer says so.
fn with_details(message: &str, details: &serde_json::Value) -> String {
    let text =
        |detail: &serde_json::Value| Some(format!("{}: {}", detail["field"].as_str()?, detail["message"].as_str()?));
    let told: Vec<String> = details.as_array().into_iter().flatten().filter_map(text).collect();
    if told.is_empty() { message.to_owned() } else { format!("{message} ({})", told.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Refusal::read(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn a_refusal_says_what_the_server_said() {
        let gone = refusal(410, &[], r#"{"error":{"code":"gone","message":"it was\u001b[2J deleted"}}"#);
        assert_eq!(gone.to_string(), "the server answered 410 Gone: it was\\u{1b}[2J deleted");
        assert!(gone.is_terminal() && gone.code == "gone");
        let details = r#"[{"field":"a","message":"is wrong"},{"field":"b","message":"too"}]"#;
        let fields = refusal(422, &[], &format!(r#"{{"error":{{"code":"x","message":"no","details":{details}}}}}"#));
        assert_eq!(fields.message, "no (a: is wrong; b: too)");
        let busy = refusal(429, &[("retry-after", "7")], r#"{"error":{"code":"x","message":"later"}}"#);
        assert!(!busy.is_terminal() && busy.retry_after == Some(Duration::from_secs(7)));
        assert_eq!(refusal(503, &[("retry-after", "99999")], "").retry_after, Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn an_answer_of_something_else_is_called_that() {
        assert!(refusal(502, &[], "<html>").message.contains("not an answer of Synapti"));
        let moved = refusal(301, &[("location", "https://example.org/")], "");
        assert!(moved.is_terminal() && moved.message.contains("https://example.org/"));
    }
}
