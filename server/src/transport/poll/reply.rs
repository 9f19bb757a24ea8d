//! What a client that polls is told.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use synapti_protocol::bundle;

use crate::{
    http::{UNSAVED, held::taken},
    room::reads::StateFrames,
    transport::cursor::ClientCursor,
};

/// Hand it in for the next poll.
pub const CURSOR: HeaderName = HeaderName::from_static("synapti-cursor");

/// How many edits of the body are on disk, from the first on.
pub const DURABLE: HeaderName = HeaderName::from_static("synapti-durable");

/// The answer to one poll.
#[derive(Debug)]
pub(super) struct Reply {
    /// A state, before all else.
    pub(super) state: Option<Arc<StateFrames>>,
    /// Other messages.
    pub(super) frames: Vec<Bytes>,
    pub(super) cursor: ClientCursor,
    /// Of a poll with edits.
    pub(super) durable: Option<u64>,
    pub(super) is_unsaved: bool,
    /// Whether the node goes, so that the client should come back on another connection.
    pub(super) closes: bool,
}

impl Reply {
    pub(super) fn into_response(self) -> Response {
        let Self { state, frames, cursor, durable, is_unsaved, closes } = self;
        let taker = state.as_ref().and_then(|state| state.paid.taker());
        let messages = state.iter().flat_map(|state| state.iter()).cloned().chain(frames);
        let body = Bundle::of(messages, state.clone());
        let mut response = if body.bytes == 0 {
            StatusCode::NO_CONTENT.into_response()
        } else {
            let binary = HeaderValue::from_static("application/octet-stream");
            ([(header::CONTENT_TYPE, binary)], Body::new(body)).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CURSOR, cursor.header_value());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(durable) = durable {
            headers.insert(DURABLE, HeaderValue::from(durable));
        }
        if closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_unsaved {
            headers.insert(UNSAVED, HeaderValue::from_static("true"));
        }
        taken(response, taker)
    }
}

/// Messages with their lengths, as the buffers that all who get them share.
struct Bundle {
    pieces: VecDeque<Bytes>,
    bytes: u64,
    /// Keeps its share of what answers may hold until all has gone.
    _state: Option<Arc<StateFrames>>,
}

impl Bundle {
    fn of(messages: impl Iterator<Item = Bytes>, state: Option<Arc<StateFrames>>) -> Self {
        let pieces: VecDeque<Bytes> =
            messages.flat_map(|message| [bundle::header(message.len()).into(), message]).collect();
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, bytes, _state: state }
    }
}

impl HttpBody for Bundle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.bytes -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}
