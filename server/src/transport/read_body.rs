//! Whether a request's body has been read to its end.
//!
//! What is left of a body stands in front of the next request: a connection may be taken from the HTTP library only when nothing
//! is left, or a body would be taken for a request.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Tells when the body is over.
#[derive(Clone, Debug)]
pub(super) struct BodyEnd(Arc<AtomicBool>);

impl BodyEnd {
    /// Whether nothing of the body is left.
    pub(super) fn is_reached(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body whose end is noted.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Incoming,
    end: BodyEnd,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming) -> (Self, BodyEnd) {
        let end = BodyEnd(Arc::new(AtomicBool::new(body.is_end_stream())));
        (Self { body, end: end.clone() }, end)
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.end.0.store(true, Ordering::Relaxed);
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
