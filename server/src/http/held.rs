//! A map on its way out, which keeps its share of what answers may hold until it has gone.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use hyper::body::{Frame, SizeHint};

use crate::{
    limits::{
        answers::{AnswerShare, Taker},
        counted::Place,
    },
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
        let share = share.and_then(|share| share.shrunk_to(text.len()));
        Self { left: text.into(), _paid: share }
    }
}

/// A large answer that `taker` has until it has gone. The connection that it goes to finds out from the response who that is.
pub fn taken(response: Response, taker: Option<Arc<Taker>>, place: Option<ClientPlace>) -> Response {
    let Some(taker) = taker else { return response };
    taker.holds(true);
    let mut response = response.map(|body| Body::new(Taken { body, _taker: taker.clone(), _place: place }));
    response.extensions_mut().insert(taker);
    response
}

/// One of the large answers of a client.
pub type ClientPlace = Place<Box<str>>;

/// A body with what it takes of what there is.
struct Taken {
    body: Body,
    _taker: Arc<Taker>,
    _place: Option<ClientPlace>,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
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
