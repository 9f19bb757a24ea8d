//! How a connection ends.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use synapti_protocol::close::{CloseCode, fit_reason};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    self,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

use super::wire::Wire;
use crate::{room::Refusal, telemetry::metrics};

/// How long a client has to answer a close frame.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Protocol error, of RFC 6455.
const PROTOCOL_ERROR: u16 = 1002;

/// Text that is not UTF-8, of RFC 6455.
const INVALID_PAYLOAD: u16 = 1007;

/// How a connection ends.
#[derive(Debug)]
pub(in crate::transport) enum Goodbye {
    /// The client has closed it, or is gone.
    Gone,
    /// With a close frame. A read that failed must not be repeated.
    Close { code: u16, reason: String, may_read: bool },
}

impl From<Refusal> for Goodbye {
    fn from(refusal: Refusal) -> Self {
        Self::Close { code: refusal.code.code(), reason: refusal.reason, may_read: true }
    }
}

/// Ends a connection: says why, after `last_word` if there is one, and reads on until the client has understood, so that a reset does not swallow the
/// reason.
pub(in crate::transport) async fn close(mut wire: Wire, goodbye: Goodbye, last_word: Option<Bytes>) {
    match goodbye {
        Goodbye::Gone => {
            wire.settle();
            let _ = timeout(CLOSED_WITHIN, poll_fn(|cx| wire.poll_flush(cx))).await;
        }
        Goodbye::Close { code, reason, may_read } => {
            metrics::get().closes(code).increment(1);
            tracing::debug!(code, %reason, "closing a connection");
            // Not to a client that still has to take something else: it may never do so.
            if let Some(last_word) = last_word.filter(|_| wire.is_flushed()) {
                wire.push(last_word);
            }
            let frame = CloseFrame { code: WireCode::from(code), reason: fit_reason(&reason).into() };
            let said = wire.close(frame).is_ok()
                && timeout(CLOSED_WITHIN, poll_fn(|cx| wire.poll_flush(cx))).await.is_ok_and(|flushed| flushed.is_ok());
            if said && may_read {
                let _ =
                    timeout(CLOSED_WITHIN, async { while let Some(Ok(_)) = poll_fn(|cx| wire.poll_read(cx)).await {} })
                        .await;
            }
        }
    }
}

/// What a failed read means for the client.
pub(in crate::transport) fn reading_failed(error: &tungstenite::Error) -> Goodbye {
    let code = match error {
        tungstenite::Error::Capacity(_) => CloseCode::TooLarge.code(),
        tungstenite::Error::Utf8(_) => INVALID_PAYLOAD,
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Goodbye::Gone,
        tungstenite::Error::Protocol(_) => PROTOCOL_ERROR,
        _ => return Goodbye::Gone,
    };
    Goodbye::Close { code, reason: error.to_string(), may_read: false }
}
