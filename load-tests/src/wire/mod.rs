//! A WebSocket that costs next to nothing to read.
//!
//! A thousand viewers that each read through a buffer of their own would measure the client's caches. These read
//! through one buffer that all share, and look at frames where they lie.

mod frames;
mod handshake;
mod outbox;

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use anyhow::Context as _;
use bytes::Bytes;
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::tcp::OwnedReadHalf,
    time::Instant,
};

use frames::{Deframer, Frame};
pub use handshake::Address;
pub use outbox::{Outbox, wire_frame};

/// Bytes that one look at a socket can take: several merged frames.
const SCRATCH_BYTES: usize = 128 << 10;

/// The buffer that all sockets of a thread read through.
#[derive(Clone)]
pub struct Scratch(Rc<RefCell<Box<[u8]>>>);

/// The receiving half of a socket in a room.
pub struct Inbox {
    half: OwnedReadHalf,
    deframer: Deframer,
    /// What came together with the answer to the handshake.
    early: Bytes,
    outbox: Rc<Outbox>,
    scratch: Scratch,
}

/// The server has said goodbye.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The close code.
    pub code: u16,
    /// For people.
    pub reason: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server closed the connection: {} {}", self.code, self.reason)
    }
}

impl std::error::Error for Closed {}

/// The connection has ended without a word.
#[derive(Debug)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server closed the connection")
    }
}

impl std::error::Error for Ended {}

impl Default for Scratch {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice())))
    }
}

/// Opens a socket on a room.
pub async fn open(address: &Address, room: &str, scratch: &Scratch) -> anyhow::Result<(Inbox, Rc<Outbox>)> {
    let (stream, early) = address.open(room).await?;
    let (half, out) = stream.into_split();
    let outbox = Rc::new(Outbox::new(out));
    let inbox = Inbox { half, deframer: Deframer::default(), early, outbox: outbox.clone(), scratch: scratch.clone() };
    Ok((inbox, outbox))
}

impl Inbox {
    /// Waits until something arrives and hands on the messages that it makes whole, with the time of their arrival.
    /// Cancel-safe.
    pub async fn read(&mut self, mut take: impl FnMut(&[u8], Instant) -> anyhow::Result<()>) -> anyhow::Result<()> {
        poll_fn(|cx| self.poll_read(cx, &mut take)).await
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut impl FnMut(&[u8], Instant) -> anyhow::Result<()>,
    ) -> Poll<anyhow::Result<()>> {
        let Self { half, deframer, early, outbox, scratch } = self;
        let mut scratch = scratch.0.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        let bytes = if early.is_empty() {
            ready!(Pin::new(half).poll_read(cx, &mut buffer)).context("the connection broke")?;
            buffer.filled()
        } else {
            &std::mem::take(early)[..]
        };
        if bytes.is_empty() {
            return Poll::Ready(Err(Ended.into()));
        }
        let now = Instant::now();
        Poll::Ready(deframer.feed(bytes, |frame| match frame {
            Frame::Binary(payload) => take(payload, now),
            Frame::Ping(payload) => outbox.pong(payload),
            Frame::Pong => Ok(()),
            Frame::Close(code, reason) => Err(Closed { code, reason }.into()),
        }))
    }
}
