//! Why a connection ended, and what follows from that.

use std::time::Duration;

use synapti_protocol::{DecodeError, close::CloseCode};

use super::{http::HttpError, plain::plain};

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    pub why: Why,
    /// For people. Has no control characters.
    pub reason: String,
    /// When the server wants us back, if it said so.
    pub retry_after: Option<Duration>,
}

/// What the end of a connection asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The same again would end the same way. A close code, or a status.
    Final(u16),
    /// This transport does not get through; another one may.
    Unusable,
    /// The server has no sockets to give, and asks for polling.
    Overloaded,
    /// Nobody answers, or the connection broke, or the server is busy.
    Broken,
}

impl Gone {
    pub fn new(why: Why, reason: impl AsRef<str>) -> Self {
        Self { why, reason: plain(reason.as_ref()), retry_after: None }
    }

    /// The end of a socket, or of a stream that says what a socket would have said.
    pub fn closed(code: u16, reason: &str) -> Self {
        let why = match code {
            4400..=4499 => Why::Final(code),
            code if code == CloseCode::Overloaded.code() => Why::Overloaded,
            _ => Why::Broken,
        };
        let known = CloseCode::from_code(code).map_or("the server closed the connection", CloseCode::reason);
        let reason = if reason.is_empty() { known } else { reason };
        Self::new(why, format!("{reason} ({code})"))
    }

    /// Whoever came to edit may only look.
    pub fn read_only(why: &str) -> Self {
        let token = "SYNAPTI_TOKEN has to be of an editor or owner";
        Self::new(Why::Final(CloseCode::Forbidden.code()), format!("this map is read-only for you ({why}): {token}"))
    }

    /// Something came that no server of ours sends.
    pub fn nonsense(error: &DecodeError) -> Self {
        Self::new(Why::Broken, format!("the server sent what is no message: {error}"))
    }
}

impl From<HttpError> for Gone {
    fn from(error: HttpError) -> Self {
        let HttpError::Refused(refusal) = &error else { return Self::new(Why::Broken, error.to_string()) };
        // An error without a code is not one of the API: an older server, or something in between.
        let is_ours = !refusal.code.is_empty() && refusal.code != "not_found" && refusal.code != "method_not_allowed";
        let why = match (refusal.is_terminal(), is_ours) {
            (true, true) => Why::Final(refusal.status.as_u16()),
            (true, false) => Why::Unusable,
            (false, _) => Why::Broken,
        };
        Self { retry_after: refusal.retry_after, ..Self::new(why, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_ask_for_what_the_protocol_says() {
        for (code, why) in [
            (1008, Why::Broken),
            (1012, Why::Broken),
            (1013, Why::Broken),
            (1006, Why::Broken),
            (4400, Why::Final(4400)),
            (4410, Why::Final(4410)),
            (4503, Why::Overloaded),
        ] {
            assert_eq!(Gone::closed(code, "").why, why, "{code}");
        }
        assert_eq!(Gone::closed(4410, "").reason, "this graph has been deleted (4410)");
        assert_eq!(Gone::closed(4401, "token\u{7} expired").reason, "token\\u{7} expired (4401)");
    }
}
