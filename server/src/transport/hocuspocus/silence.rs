//! Who has shown no token may not make this node keep much (GHSA-xwhh-v746-pj9m).

use std::ops::ControlFlow;

use super::{document::Document, inbox::Waiting};
use crate::transport::socket::Goodbye;

/// Documents of one socket that have not shown a token.
const DOCUMENTS_MAX: usize = 100;

/// Messages of those documents.
const MESSAGES_MAX: usize = 1_000;

/// Their bytes.
const BYTES_MAX: usize = 5 << 20;

/// Hocuspocus' close code for a client that goes beyond what it may have.
const RESET: u16 = 4205;

/// Ends a socket that keeps more than it may.
pub(super) fn check(documents: &[Document]) -> ControlFlow<Goodbye> {
    let silent = || documents.iter().filter_map(Document::silent);
    let waiting = Waiting::of(silent());
    let what = if silent().count() > DOCUMENTS_MAX {
        format!("more than {DOCUMENTS_MAX} documents")
    } else if waiting.messages > MESSAGES_MAX {
        format!("more than {MESSAGES_MAX} messages")
    } else if waiting.bytes > BYTES_MAX {
        format!("more than {BYTES_MAX} bytes")
    } else {
        return ControlFlow::Continue(());
    };
    let reason = format!("{what} before their Auth message: send that first");
    ControlFlow::Break(Goodbye::Close { code: RESET, reason, may_read: true })
}
