//! The name of one request, for finding it in logs.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::ids;

/// The header that carries the id in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids are not taken over: they would be copied into every log line.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The name of one request. A request extension: handlers may log it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own id when it is harmless, else a fresh one.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let sane = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            !bytes.is_empty() && bytes.len() <= REQUEST_ID_BYTES_MAX && bytes.iter().all(harmless)
        };
        headers.get(X_REQUEST_ID).filter(sane).cloned().map_or_else(|| Self::fresh(now), Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("only visible ASCII gets in")
    }

    /// The id as a header's value.
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    fn fresh(now: Timestamp) -> Self {
        Self(HeaderValue::from_str(&ids::fresh(now).to_string()).expect("a UUID is visible ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
        RequestId::of(&headers, Timestamp::UNIX_EPOCH).as_str().to_owned()
    }

    #[test]
    fn harmless_ids_are_kept() {
        for sent in ["a", "8d3e-42_x.Y", &"x".repeat(128)] {
            assert_eq!(id_for(sent.as_bytes()), sent);
        }
    }

    #[test]
    fn others_are_replaced() {
        for sent in [&b""[..], b"a b", b"<script>", b"\xff", &[b'x'; 129]] {
            let id = id_for(sent);
            assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7, "{sent:?} gave {id}");
        }
        assert!(uuid::Uuid::parse_str(RequestId::of(&HeaderMap::new(), Timestamp::UNIX_EPOCH).as_str()).is_ok());
    }
}
