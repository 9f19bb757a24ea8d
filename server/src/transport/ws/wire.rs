//! WebSocket frames on a connection.
//!
//! The WebSocket library reads, answers pings and closes; what it writes, and the messages of the room, leave through
//! one queue. A message stands in it as the buffer that all its viewers share, so that a viewer costs no copy of it and
//! an idle connection keeps no buffer for writing.

use std::{
    io::{self, IoSlice, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use smallvec::SmallVec;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext},
};

use crate::transport::conn::Conn;

/// Bytes that are read at once, and what an idle connection holds for reading. For a larger message the library makes the
/// buffer as large, and keeps it.
const READ_BUFFER_BYTES: usize = 1 << 10;

/// Bytes of answers to pings that may wait; beyond them the client is not read.
const CONTROL_BYTES_MAX: usize = 1 << 10;

/// Up to this size the frames of a flush are copied together, which is less work than naming the pieces.
const GATHER_BYTES_MAX: usize = 1 << 10;

/// Pieces named in one write at most.
const PIECES_MAX: usize = 64;

/// A final binary frame, as its first byte.
const FINAL_BINARY: u8 = 0x82;

/// A connection that speaks WebSocket.
pub(super) struct Wire {
    context: WebSocketContext,
    out: Outgoing,
    /// The library may hold something that it has read and not yet handed over.
    may_hold: bool,
}

/// A connection and what waits to be written to it.
struct Outgoing {
    conn: Conn,
    /// From `sent` on; empty when everything has been written. Two pieces are one message.
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

impl Wire {
    /// Takes over a connection after the handshake; `read` is what the client sent behind it.
    pub(super) fn new(conn: Conn, read: &[u8], message_bytes_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(CONTROL_BYTES_MAX)
            .max_frame_size(Some(message_bytes_max))
            .max_message_size(Some(message_bytes_max));
        let context = if read.is_empty() {
            WebSocketContext::new(Role::Server, Some(config))
        } else {
            WebSocketContext::from_partially_read(read.to_vec(), Role::Server, Some(config))
        };
        let out = Outgoing { conn: conn.unwatched(), queue: SmallVec::new(), sent: 0, control_bytes: 0 };
        Self { context, out, may_hold: true }
    }

    /// Bytes read and written: tells a slow client from a dead one.
    pub(super) fn passed(&self) -> (u64, u64) {
        self.out.conn.passed()
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: Bytes) {
        self.out.queue.push(header(message.len()));
        self.out.queue.push(Piece::Message(message));
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self) -> Result<(), tungstenite::Error> {
        self.control(Message::Ping(Bytes::new()))
    }

    /// Queues a close frame; nothing may be pushed after it.
    pub(super) fn close(&mut self, frame: CloseFrame) -> Result<(), tungstenite::Error> {
        self.control(Message::Close(Some(frame)))
    }

    /// Queues what the library still has to say: the answer to the client's close frame.
    pub(super) fn settle(&mut self) {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let Self { context, out, .. } = self;
        // A connection that is over has nothing to say.
        let _ = context.flush(&mut Attached { out, cx: &mut nobody });
    }

    /// Whether everything has been written.
    pub(super) fn is_flushed(&self) -> bool {
        self.out.queue.is_empty()
    }

    /// Whether the client takes the answers to its pings.
    pub(super) fn may_read(&self) -> bool {
        self.out.control_bytes < CONTROL_BYTES_MAX
    }

    /// The client's next message; `None` when it has closed the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, tungstenite::Error>>> {
        // Asking the library costs a look at its buffer, which is cold where there are many sockets.
        if !self.may_hold {
            ready!(self.out.conn.poll_readable(cx));
        }
        let Self { context, out, may_hold } = self;
        *may_hold = true;
        match context.read(&mut Attached { out, cx }) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                *may_hold = false;
                Poll::Pending
            }
            Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Writes what is queued.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_flush(cx)
    }

    fn control(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let Self { context, out, .. } = self;
        match context.write(&mut Attached { out, cx: &mut nobody }, message) {
            // It stands in the queue.
            Ok(()) | Err(tungstenite::Error::ConnectionClosed) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Outgoing {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

/// The connection as the library sees it while it is called: reads come from the network, writes go into the queue.
struct Attached<'a, 'b, 'c> {
    out: &'a mut Outgoing,
    cx: &'b mut Context<'c>,
}

impl Read for Attached<'_, '_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut self.out.conn).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Attached<'_, '_, '_> {
    /// The library hands over whole frames, so that they stand between messages and not in them.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.out.control_bytes += frame.len();
        self.out.queue.push(Piece::Control(Bytes::copy_from_slice(frame)));
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, sync::Arc};

    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
        sync::Semaphore,
    };
    use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// A wire, and the client's end of it.
    async fn wire() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        (Wire::new(Conn::new(stream, place, TaskTracker::new()), &[], 1 << 20), client)
    }

    fn polled<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn headers_are_those_that_the_library_reads() {
        for bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
            let header = header(bytes);
            let (parsed, length) = FrameHeader::parse(&mut Cursor::new(header.bytes())).unwrap().unwrap();
            assert_eq!(length, bytes as u64);
            assert!(parsed.is_final && parsed.mask.is_none());
        }
    }

    #[tokio::test]
    async fn messages_of_any_size_arrive_whole_and_in_order_whatever_the_network_takes_at_once() {
        let (mut wire, mut client) = wire().await;
        let messages: Vec<Bytes> = [0, 3, 126, 5_000, 70_000, 1, 3 << 20, 9]
            .into_iter()
            .enumerate()
            .map(|(at, bytes)| Bytes::from(vec![at as u8; bytes]))
            .collect();
        for message in &messages {
            wire.push(message.clone());
        }
        let reading = async {
            for message in &messages {
                let mut head = vec![0; header(message.len()).bytes().len()];
                client.read_exact(&mut head).await.unwrap();
                assert_eq!(head, header(message.len()).bytes());
                let mut read = vec![0; message.len()];
                client.read_exact(&mut read).await.unwrap();
                assert_eq!(&read, message);
            }
        };
        let (flushed, ()) = tokio::join!(std::future::poll_fn(|cx| wire.poll_flush(cx)), reading);
        flushed.unwrap();
        assert!(wire.is_flushed());
    }

    #[tokio::test]
    async fn the_librarys_own_frames_stand_between_messages() {
        let (mut wire, mut client) = wire().await;
        wire.push(Bytes::from_static(b"one"));
        wire.ping().unwrap();
        wire.push(Bytes::from_static(b"two"));
        std::future::poll_fn(|cx| wire.poll_flush(cx)).await.unwrap();
        let mut read = [0; 12];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"\x82\x03one\x89\x00\x82\x03two");
        assert_eq!(wire.out.control_bytes, 0);
    }

    #[tokio::test]
    async fn a_client_that_pings_and_does_not_read_is_not_read_for_long() {
        let (mut wire, client) = wire().await;
        // So much that the network takes no more answers.
        wire.push(Bytes::from(vec![0; 32 << 20]));
        let pings: Vec<u8> = [0x89, 0x80, 0, 0, 0, 0].repeat(100_000);
        let mut sent = 0;
        let mut rounds = 0;
        while wire.may_read() {
            if let Ok(more) = client.try_write(&pings[sent..]) {
                sent += more;
            }
            polled(|cx| drop(wire.poll_flush(cx)));
            tokio::task::yield_now().await;
            polled(|cx| drop(wire.poll_read(cx)));
            rounds += 1;
            assert!(rounds < 100_000, "{} bytes of answers wait", wire.out.control_bytes);
        }
        assert!(wire.out.control_bytes <= CONTROL_BYTES_MAX + 127);
    }
}
