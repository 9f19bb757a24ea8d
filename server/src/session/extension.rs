//! What `synapti.v1` adds for one client: how many of its edits are on disk, and news about its connection.

use bytes::Bytes;
use serde_json::json;
use synapti_protocol::{close::CloseCode, message};

use crate::room::slot::News;

/// At most one thing of each kind waits: the newest counts.
#[derive(Debug, Default)]
pub(super) struct Extension {
    acked: Option<u64>,
    /// Whether the client is to be told that it sees something unsaved, or that it does not any more.
    unsaved: Option<bool>,
    is_told_unsaved: bool,
    reconnect_after_ms: Option<u64>,
}

impl Extension {
    pub(super) fn new(has_unsaved: bool) -> Self {
        Self { unsaved: has_unsaved.then_some(true), ..Self::default() }
    }

    pub(super) fn hear(&mut self, news: &News) {
        self.acked = news.acked.or(self.acked);
        self.unsaved = news.unsaved.or(self.unsaved);
    }

    /// The node goes; the client should come back after so long.
    pub(super) fn depart(&mut self, reconnect_after_ms: u64) {
        self.reconnect_after_ms = Some(reconnect_after_ms);
    }

    /// The next thing to say, as a frame. That something is unsaved comes before it, what is saved before "all is saved".
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if self.unsaved == Some(true) {
            self.unsaved = None;
            if !std::mem::replace(&mut self.is_told_unsaved, true) {
                return Some(notice(&json!({ "kind": "unsaved" })));
            }
        }
        if let Some(edits) = self.acked.take() {
            return Some(message::encode_ack(edits).into());
        }
        if self.unsaved.take() == Some(false) && std::mem::take(&mut self.is_told_unsaved) {
            return Some(notice(&json!({ "kind": "saved" })));
        }
        let reconnect_after_ms = self.reconnect_after_ms.take()?;
        Some(notice(&json!({ "kind": "draining", "reconnect_after_ms": reconnect_after_ms })))
    }
}

/// When a client that was sent to polling may try again to be let in.
const FALLBACK_RETRY_AFTER_MS: u32 = 15_000;

/// The last word to an extended client that is sent away, in more words than a close frame has room for.
pub fn refused(code: u16, reason: &str) -> Bytes {
    if code == CloseCode::Overloaded.code() {
        return notice(&json!({ "kind": "fallback", "transport": "poll", "retry_after_ms": FALLBACK_RETRY_AFTER_MS }));
    }
    notice(&json!({ "kind": "error", "code": code, "message": reason }))
}

fn notice(json: &serde_json::Value) -> Bytes {
    message::encode_notice(&json.to_string()).into()
}

#[cfg(test)]
mod tests {
    use synapti_protocol::message::{Message, parse};

    use super::*;

    fn said(extension: &mut Extension) -> Vec<String> {
        let frames = std::iter::from_fn(|| extension.next());
        let words = frames.map(|frame| match parse(&frame) {
            Ok(Message::Ack(edits)) => format!("ack {edits}"),
            Ok(Message::Notice(json)) => json.to_owned(),
            other => panic!("{other:?}"),
        });
        words.collect()
    }

    fn news(acked: Option<u64>, unsaved: Option<bool>) -> News {
        News { acked, unsaved, ..News::default() }
    }

    #[test]
    fn the_newest_of_each_kind_is_said_once() {
        let mut extension = Extension::new(false);
        assert!(said(&mut extension).is_empty());
        extension.hear(&news(Some(3), None));
        extension.hear(&news(Some(5), Some(true)));
        extension.hear(&news(None, None));
        assert_eq!(said(&mut extension), [r#"{"kind":"unsaved"}"#, "ack 5"]);
        extension.hear(&news(None, Some(true)));
        assert!(said(&mut extension).is_empty());
        extension.hear(&news(Some(9), Some(false)));
        assert_eq!(said(&mut extension), ["ack 9", r#"{"kind":"saved"}"#]);
        extension.depart(700);
        assert_eq!(said(&mut extension), [r#"{"kind":"draining","reconnect_after_ms":700}"#]);
    }

    #[test]
    fn what_was_over_before_it_could_be_said_is_not_said() {
        let mut extension = Extension::new(false);
        extension.hear(&news(None, Some(true)));
        extension.hear(&news(None, Some(false)));
        assert!(said(&mut extension).is_empty());
        assert_eq!(said(&mut Extension::new(true)), [r#"{"kind":"unsaved"}"#]);
    }
}
