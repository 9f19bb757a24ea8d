//! A map on its way out, which keeps its share of what answers may hold until it has gone.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use hyper::body::{Frame, SizeHint};

use crate::{
    limits::answers::{AnswerShare, Taker},
    room::{GraphView, Snapshot},
};

/// Handed out at once at most: the rest follows when the network has taken it.
const CHUNK_BYTES: usize = 64 << 10;

/// Bytes, and what their share goes with.
pub(super) struct Held<T> {
    left: Bytes,
    _paid: T,
}

/// The JSON of a view.
pub(super) type HeldJson = Held<Arc<GraphView>>;

/// A text that was made for one answer.
pub(super) type HeldText = Held<Option<AnswerShare>>;

impl HeldJson {
    pub(super) fn new(view: &Arc<GraphView>) -> Self {
        Self { left: view.body.clone(), _paid: view.clone() }
    }
}

/// A snapshot, as it is or compressed.
pub(super) type HeldSnapshot = Held<Arc<Snapshot>>;

impl HeldSnapshot {
    pub(super) fn of(bytes: Bytes, snapshot: &Arc<Snapshot>) -> Self {
        Self { left: bytes, _paid: snapshot.clone() }
    }
}

impl HeldText {
    pub(super) fn of(text: String, share: Option<AnswerShare>) -> Self {
        Self { left: text.into(), _paid: share }
    }
}

/// A large answer that `taker` has until it has gone. The connection that it goes to finds out from the response who that is.
pub fn taken(response: Response, taker: Option<Arc<Taker>>) -> Response {
    let Some(taker) = taker else { return response };
    let mut response = response.map(|body| Body::new(Taken { body, taker: taker.clone() }));
    response.extensions_mut().insert(taker);
    response
}

/// A body that says how much of it was taken.
struct Taken {
    body: Body,
    taker: Arc<Taker>,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.taker.took(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<T: Unpin> HttpBody for Held<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.left.len().min(CHUNK_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
