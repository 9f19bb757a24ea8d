//! Connections whose request waits: nothing of them is kept but the socket and what the answer waits for.
//!
//! The HTTP library keeps some ten kilobytes for each connection. It is taken off a connection whose request waits, and put on again
//! when the answer is there: then it is shown a request to which that answer is the response.

use std::{future::poll_fn, io, sync::Arc, task::Poll};

use axum::{
    http::{HeaderMap, Request, Version, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt as _, sync::oneshot};

use super::{conn::Conn, deferred::Waiting};

/// What a client may have sent of its next request before the answer to this one.
const AHEAD_BYTES_MAX: usize = 16 << 10;

/// What is set aside to read into.
const READ_BYTES: usize = 512;

/// Where a request says that it waits: the task of its connection looks here.
#[derive(Clone, Default)]
pub(super) struct Parking(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waits: Mutex<Option<Parked>>,
    waker: AtomicWaker,
}

/// A request that waits.
pub(super) struct Parked {
    pub(super) waiting: Waiting,
    /// Says in the words of HTTP/1 whether its connection goes on.
    pub(super) manner: Manner,
    /// Where to hand it back, should it have to wait where it was.
    back: oneshot::Sender<Waiting>,
}

/// What decides whether an HTTP/1 connection outlives its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    is_1_0: bool,
    /// The header `Connection`, as far as it matters.
    says: Option<&'static str>,
}

impl Manner {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self { is_1_0: request.version() == Version::HTTP_10, says: says(request.headers()) }
    }

    /// A request of the same manner.
    fn request(self) -> String {
        let version = if self.is_1_0 { "1.0" } else { "1.1" };
        let connection = self.says.map_or_else(String::new, |says| format!("connection: {says}\r\n"));
        format!("GET / HTTP/{version}\r\nhost: parked\r\n{connection}\r\n")
    }
}

fn says(headers: &HeaderMap) -> Option<&'static str> {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let said: Vec<String> =
        lines.flat_map(|line| line.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect();
    ["close", "keep-alive"].into_iter().find(|word| said.iter().any(|said| said == word))
}

impl Parking {
    /// Waits for an answer without the connection, or with it if that is not possible.
    pub(super) async fn park(&self, waiting: Waiting, manner: Manner) -> Response {
        let (back, returned) = oneshot::channel();
        *self.0.waits.lock() = Some(Parked { waiting, manner, back });
        self.0.waker.wake();
        // If it is parked this future is dropped.
        match returned.await {
            Ok(waiting) => waiting.await,
            Err(_) => std::future::pending().await,
        }
    }

    /// A request of this connection waits.
    pub(super) async fn parked(&self) -> Parked {
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            self.0.waits.lock().take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Parked {
    /// Has the request wait where it is.
    pub(super) fn hand_back(self) {
        // It may have been given up.
        let _ = self.back.send(self.waiting);
    }

    /// Waits for the answer; answers it, and the connection with a request that it is the response to. `None` when the client has gone.
    pub(super) async fn wait(self, mut conn: Conn, ahead: Bytes) -> Option<(Conn, Response)> {
        let Self { waiting, manner, back } = self;
        drop(back);
        // A copy: what the library has read ahead is part of a large buffer.
        let read = ahead;
        let mut ahead = BytesMut::from(&read[..]);
        drop(read);
        let answer = tokio::select! {
            biased;
            answer = waiting => answer,
            () = gone(&mut conn, &mut ahead) => return None,
        };
        let mut unread = BytesMut::from(manner.request().as_bytes());
        unread.extend_from_slice(&ahead);
        conn.unread(unread.freeze());
        Some((conn, answer))
    }
}

/// Ends when the client has gone. What it sends meanwhile is kept, up to a limit.
async fn gone(conn: &mut Conn, ahead: &mut BytesMut) {
    while ahead.len() < AHEAD_BYTES_MAX {
        // Nothing is set aside for reading before there is something to read.
        poll_fn(|cx| conn.poll_readable(cx)).await;
        if !matches!(read_some(conn, ahead).await, Ok(1..)) {
            return;
        }
    }
    // Whoever sends so much before an answer may as well be gone: nobody could tell.
}

/// Reads what is there onto the end of what was read before; nothing when the client is gone.
pub(super) async fn read_some(conn: &mut Conn, ahead: &mut BytesMut) -> io::Result<usize> {
    ahead.reserve(READ_BYTES);
    conn.read_buf(ahead).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn manner(version: Version, connection: &[&str]) -> String {
        let mut request = Request::builder().version(version);
        for line in connection {
            request = request.header(header::CONNECTION, *line);
        }
        Manner::of(&request.body(Body::empty()).unwrap()).request()
    }

    #[test]
    fn the_request_that_is_shown_goes_on_or_ends_like_the_real_one() {
        assert_eq!(manner(Version::HTTP_11, &[]), "GET / HTTP/1.1\r\nhost: parked\r\n\r\n");
        assert_eq!(
            manner(Version::HTTP_11, &["x, Close"]),
            "GET / HTTP/1.1\r\nhost: parked\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            manner(Version::HTTP_10, &["Keep-Alive"]),
            "GET / HTTP/1.0\r\nhost: parked\r\nconnection: keep-alive\r\n\r\n"
        );
        assert_eq!(manner(Version::HTTP_10, &["TE"]), "GET / HTTP/1.0\r\nhost: parked\r\n\r\n");
    }
}
