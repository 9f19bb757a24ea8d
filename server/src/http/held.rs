//! A map on its way out, which keeps its share of what answers may hold until it has gone.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use crate::{
    limits::budget::Share,
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
pub(super) type HeldText = Held<Option<Share>>;

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
    pub(super) fn of(text: String, share: Option<Share>) -> Self {
        let share = share.and_then(|share| share.shrunk_to(text.len()));
        Self { left: text.into(), _paid: share }
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
