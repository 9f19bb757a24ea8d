//! WebSocket frames on a connection.
//!
//! The WebSocket library reads, answers pings and closes; what it writes, and the messages of the room, leave through
//! one queue. A message stands in it as the buffer that all its viewers share, so that a viewer costs no copy of it and
//! an idle connection keeps no buffer for writing.

use std::{
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext},
};

use super::{
    incoming::{Incoming, LargeMessages},
    outgoing::Outgoing,
};
use crate::{session::SessionLimits, transport::conn::Conn};

/// Bytes that are read at once, and what an idle connection holds for reading. For a larger message the library makes the
/// buffer as large.
const READ_BUFFER_BYTES: usize = 1 << 10;

/// Bytes of answers to pings that may wait; beyond them the client is not read.
const CONTROL_BYTES_MAX: usize = 1 << 10;

/// What a message adds to the update in it: frame, type, length and address.
const MESSAGE_OVERHEAD_BYTES: usize = 2 << 10;

/// A connection that speaks WebSocket.
pub(in crate::transport) struct Wire {
    context: WebSocketContext,
    out: Outgoing,
    incoming: Incoming,
    message_bytes_max: usize,
    /// A close frame was sent or received: the library knows how the connection ends.
    is_closing: bool,
    /// The library may hold something that it has read and not yet handed over.
    may_hold: bool,
}

impl Wire {
    /// Takes over a connection after the handshake; `read` is what the client sent behind it.
    pub(in crate::transport) fn new(conn: Conn, read: &[u8], message_bytes_max: usize, budget: LargeMessages) -> Self {
        let context = if read.is_empty() {
            WebSocketContext::new(Role::Server, Some(config(message_bytes_max)))
        } else {
            WebSocketContext::from_partially_read(read.to_vec(), Role::Server, Some(config(message_bytes_max)))
        };
        let mut incoming = Incoming::new(budget);
        incoming.read(read);
        let out = Outgoing::new(conn.unwatched());
        Self { context, out, incoming, message_bytes_max, is_closing: false, may_hold: true }
    }

    /// Bytes read and written: tells a slow client from a dead one.
    pub(in crate::transport) fn passed(&self) -> (u64, u64) {
        self.out.conn.passed()
    }

    /// Queues a message.
    pub(in crate::transport) fn push(&mut self, message: Bytes) {
        self.out.push(message);
    }

    /// Queues a message that is `prefix` and `message` in a row.
    pub(in crate::transport) fn push_prefixed(&mut self, prefix: Bytes, message: Bytes) {
        self.out.push_prefixed(prefix, message);
    }

    /// Queues a ping.
    pub(in crate::transport) fn ping(&mut self) -> Result<(), tungstenite::Error> {
        self.control(Message::Ping(Bytes::new()))
    }

    /// Queues a close frame; nothing may be pushed after it.
    pub(in crate::transport) fn close(&mut self, frame: CloseFrame) -> Result<(), tungstenite::Error> {
        self.is_closing = true;
        self.control(Message::Close(Some(frame)))
    }

    /// Queues what the library still has to say: the answer to the client's close frame.
    pub(in crate::transport) fn settle(&mut self) {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let Self { context, out, incoming, .. } = self;
        // A connection that is over has nothing to say.
        let _ = context.flush(&mut Attached { out, incoming, cx: &mut nobody });
    }

    /// Whether everything has been written.
    pub(in crate::transport) fn is_flushed(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether the client sends a large message so slowly that it keeps others from sending theirs.
    pub(in crate::transport) fn is_crawling(&mut self) -> bool {
        self.incoming.is_crawling()
    }

    /// Whether the client's message waits for those of others.
    pub(in crate::transport) fn is_waiting(&self) -> bool {
        self.incoming.is_waiting()
    }

    /// Whether the client takes the answers to its pings.
    pub(in crate::transport) fn may_read(&self) -> bool {
        self.out.control_bytes() < CONTROL_BYTES_MAX
    }

    /// The client's next message; `None` when it has closed the connection.
    pub(in crate::transport) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, tungstenite::Error>>> {
        // Asking the library costs a look at its buffer, which is cold where there are many sockets.
        if !self.may_hold {
            ready!(self.out.conn.poll_readable(cx));
        }
        let Self { context, out, incoming, may_hold, is_closing, .. } = self;
        *may_hold = true;
        match context.read(&mut Attached { out, incoming, cx }) {
            Ok(message) => {
                *is_closing |= matches!(message, Message::Close(_));
                Poll::Ready(Some(Ok(message)))
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                *may_hold = false;
                self.forget_large();
                Poll::Pending
            }
            Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Writes what is queued.
    pub(in crate::transport) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_flush(cx)
    }

    /// After a large message: the library's buffer would stay as large. It holds nothing now, because it has asked for more.
    fn forget_large(&mut self) {
        if self.incoming.is_large() && self.incoming.is_between_messages() {
            self.incoming.release();
            if !self.is_closing {
                self.context = WebSocketContext::new(Role::Server, Some(config(self.message_bytes_max)));
            }
        }
    }

    fn control(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        let Self { context, out, incoming, .. } = self;
        match context.write(&mut Attached { out, incoming, cx: &mut nobody }, message) {
            // It stands in the queue.
            Ok(()) | Err(tungstenite::Error::ConnectionClosed) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The largest message that any limit allows; its own limit is checked when its kind is known.
pub(in crate::transport) fn message_bytes_max(limits: &SessionLimits) -> usize {
    match limits.message_bytes_max.max(limits.sync_bytes_max) {
        _ if limits.message_bytes_max == 0 || limits.sync_bytes_max == 0 => usize::MAX,
        max => max + MESSAGE_OVERHEAD_BYTES,
    }
}

fn config(message_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(CONTROL_BYTES_MAX)
        .max_frame_size(Some(message_bytes_max))
        .max_message_size(Some(message_bytes_max))
}

/// The connection as the library sees it while it is called: reads come from the network, writes go into the queue.
struct Attached<'a, 'b, 'c> {
    out: &'a mut Outgoing,
    incoming: &'a mut Incoming,
    cx: &'b mut Context<'c>,
}

impl Read for Attached<'_, '_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.incoming.poll_may_read(self.cx).is_pending() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut self.out.conn).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => {
                self.incoming.read(buf.filled());
                read.map(|()| buf.filled().len())
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Attached<'_, '_, '_> {
    /// The library hands over whole frames, so that they stand between messages and not in them.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.out.push_control(frame);
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::Semaphore,
    };
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::transport::conn::SocketPlace;

    /// A final binary frame, as its first byte.
    const FINAL_BINARY: u8 = 0x82;

    /// A wire, and the client's end of it.
    async fn wire() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let node = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let place = SocketPlace { node, address: None };
        (Wire::new(Conn::new(stream, place, TaskTracker::new()), &[], 1 << 20, LargeMessages::default()), client)
    }

    fn polled<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(std::task::Waker::noop()))
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
                let head = match message.len() {
                    0..126 => 2,
                    126..=0xffff => 4,
                    _ => 10,
                };
                client.read_exact(&mut vec![0; head]).await.unwrap();
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
    async fn a_prefix_and_what_follows_it_are_one_message_whatever_is_empty() {
        let (mut wire, mut client) = wire().await;
        let message = Bytes::from(vec![7; 70_000]);
        wire.push_prefixed(Bytes::from_static(b"a"), Bytes::from_static(b"bc"));
        wire.push_prefixed(Bytes::new(), Bytes::from_static(b"d"));
        wire.push_prefixed(Bytes::from_static(b"e"), message.clone());
        wire.push(Bytes::from_static(b"f"));
        let reading = async {
            let mut read = vec![0; 5 + 3 + 10 + 70_001 + 3];
            client.read_exact(&mut read).await.unwrap();
            read
        };
        let (flushed, read) = tokio::join!(std::future::poll_fn(|cx| wire.poll_flush(cx)), reading);
        flushed.unwrap();
        assert_eq!(&read[..8], b"\x82\x03abc\x82\x01d");
        assert_eq!(&read[8..18], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x71]);
        assert!(read[18] == b'e' && read[19..70_019] == message && read.ends_with(b"\x82\x01f"));
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
        assert_eq!(wire.out.control_bytes(), 0);
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
            assert!(rounds < 100_000, "{} bytes of answers wait", wire.out.control_bytes());
        }
        assert!(wire.out.control_bytes() <= CONTROL_BYTES_MAX + 127);
    }

    /// A masked frame; the mask of zeros changes nothing.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0xff];
        frame.extend((payload.len() as u64).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    #[tokio::test]
    async fn after_large_messages_nothing_of_their_size_is_kept_and_nothing_is_lost() {
        let (mut wire, mut client) = wire().await;
        let sizes = [300_000, 10, 200_000, 0, 90_000, 5];
        let mut stream = Vec::new();
        for (at, size) in sizes.into_iter().enumerate() {
            stream.extend(frame(FINAL_BINARY, &vec![at as u8; size]));
        }
        // The last message is in two frames, with a ping between them.
        stream.extend(frame(0x02, &vec![7; 70_000]));
        stream.extend(frame(0x89, b"x"));
        stream.extend(frame(0x80, &vec![7; 70_000]));
        let mut read = Vec::new();
        let sending = async {
            for chunk in stream.chunks(10_007) {
                client.write_all(chunk).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            while read.len() < sizes.len() + 1 {
                match std::future::poll_fn(|cx| wire.poll_read(cx)).await.unwrap().unwrap() {
                    Message::Binary(message) => read.push(message),
                    other => assert_eq!(other, Message::Ping(Bytes::from_static(b"x"))),
                }
            }
        };
        tokio::join!(sending, reading);
        for (at, size) in sizes.into_iter().enumerate() {
            assert_eq!(read[at], vec![at as u8; size]);
        }
        assert_eq!(read[sizes.len()], vec![7; 140_000]);
        assert!(wire.incoming.is_large());
        polled(|cx| assert!(wire.poll_read(cx).is_pending()));
        assert!(!wire.incoming.is_large());
        client.write_all(&frame(FINAL_BINARY, b"on")).await.unwrap();
        let next = std::future::poll_fn(|cx| wire.poll_read(cx)).await.unwrap().unwrap();
        assert_eq!(next, Message::Binary(Bytes::from_static(b"on")));
    }
}
