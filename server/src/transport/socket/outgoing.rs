//! What waits to be written to a connection, as the buffers that all who get it share.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use smallvec::SmallVec;
use tokio::io::AsyncWrite as _;

use crate::transport::conn::Conn;

/// Up to this size the frames of a flush are copied together, which is less work than naming the pieces.
const GATHER_BYTES_MAX: usize = 1 << 10;

/// Pieces named in one write at most.
const PIECES_MAX: usize = 64;

/// A final binary frame, as its first byte.
const FINAL_BINARY: u8 = 0x82;

/// A connection and what waits to be written to it.
pub(super) struct Outgoing {
    pub(super) conn: Conn,
    /// From `sent` on; empty when everything has been written. A message is a header and one or two pieces.
    queue: SmallVec<[Piece; 2]>,
    sent: usize,
    /// Bytes of the library's own frames in the queue.
    control_bytes: usize,
}

/// Bytes in the queue.
enum Piece {
    /// The header of the message that follows; the first `len` bytes of `bytes` from `at`.
    Header { bytes: [u8; 10], at: u8, len: u8 },
    /// A message, shared with everybody who gets it.
    Message(Bytes),
    /// A frame of the library's own.
    Control(Bytes),
}

impl Outgoing {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, queue: SmallVec::new(), sent: 0, control_bytes: 0 }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: Bytes) {
        self.queue.push(header(message.len()));
        self.queue.push(Piece::Message(message));
    }

    /// Queues a message that is `prefix` and `message` in a row; both stay shared with whoever else sends them.
    pub(super) fn push_prefixed(&mut self, prefix: Bytes, message: Bytes) {
        self.queue.push(header(prefix.len() + message.len()));
        self.queue.push(Piece::Message(prefix));
        self.queue.push(Piece::Message(message));
    }

    /// Queues a frame of the library's own.
    pub(super) fn push_control(&mut self, frame: &[u8]) {
        self.control_bytes += frame.len();
        self.queue.push(Piece::Control(Bytes::copy_from_slice(frame)));
    }

    /// Whether everything has been written.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of the library's own frames that wait.
    pub(super) fn control_bytes(&self) -> usize {
        self.control_bytes
    }

    /// Writes what is queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let written = ready!(self.poll_write(cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut gathered = [0; GATHER_BYTES_MAX];
        let mut bytes = 0;
        for piece in self.waiting().iter().map(Piece::bytes) {
            let Some(place) = gathered.get_mut(bytes..bytes + piece.len()) else {
                return self.poll_write_vectored(cx);
            };
            place.copy_from_slice(piece);
            bytes += piece.len();
        }
        Pin::new(&mut self.conn).poll_write(cx, &gathered[..bytes])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let waiting = &self.queue[self.sent..];
        let pieces = slices.iter_mut().zip(waiting).map(|(slice, piece)| *slice = IoSlice::new(piece.bytes()));
        let pieces = pieces.count();
        Pin::new(&mut self.conn).poll_write_vectored(cx, &slices[..pieces])
    }

    fn waiting(&self) -> &[Piece] {
        &self.queue[self.sent..]
    }

    /// Takes what has been written out of the queue.
    fn written(&mut self, mut bytes: usize) {
        while let Some(piece) = self.queue.get_mut(self.sent) {
            let taken = bytes.min(piece.bytes().len());
            bytes -= taken;
            if matches!(piece, Piece::Control(_)) {
                self.control_bytes -= taken;
            }
            if !piece.advance(taken) {
                return;
            }
            self.sent += 1;
        }
        // Whoever has been sent many messages keeps no room for them.
        self.queue = SmallVec::new();
        self.sent = 0;
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Header { bytes, at, len } => &bytes[usize::from(*at)..usize::from(*len)],
            Self::Message(bytes) | Self::Control(bytes) => bytes,
        }
    }

    /// Leaves out the first bytes; says whether none are left.
    fn advance(&mut self, by: usize) -> bool {
        match self {
            Self::Header { at, .. } => *at += by as u8,
            Self::Message(bytes) | Self::Control(bytes) => bytes.advance(by),
        }
        self.bytes().is_empty()
    }
}

/// The header of an unmasked final binary frame, as servers send it (RFC 6455, section 5.2).
fn header(message_bytes: usize) -> Piece {
    let mut bytes = [FINAL_BINARY, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let len = match message_bytes {
        0..126 => {
            bytes[1] = message_bytes as u8;
            2
        }
        126..=0xffff => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(message_bytes as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(message_bytes as u64).to_be_bytes());
            10
        }
    };
    Piece::Header { bytes, at: 0, len }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

    use super::*;

    #[test]
    fn headers_are_those_that_the_library_reads() {
        for bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
            let header = header(bytes);
            let (parsed, length) = FrameHeader::parse(&mut Cursor::new(header.bytes())).unwrap().unwrap();
            assert_eq!(length, bytes as u64);
            assert!(parsed.is_final && parsed.mask.is_none());
        }
    }
}
