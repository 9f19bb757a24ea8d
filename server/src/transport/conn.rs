//! A TCP connection that says goodbye properly.
//!
//! A socket that is closed while the client is still sending is reset, and the reset can destroy the last answer
//! on its way: a close code, or the reason for a refusal. So whoever drops a connection leaves it to a short-lived
//! task that tells the client "no more", reads on for a moment, and then lets go.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit},
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::limits::{address::AddressKey, answers::Takes, counted::Place};

/// How long a dropped connection is read on.
const LINGER: Duration = Duration::from_millis(1500);

/// Bytes that are read and thrown away at most.
const LINGER_BYTES_MAX: u64 = 32 << 20;

/// Bytes that have passed through a connection: tells a slow client from a dead one.
#[derive(Debug, Default)]
pub struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
    blocked: AtomicBool,
    cut: Notify,
}

impl Traffic {
    /// Bytes read from the client.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes that the network has taken for the client.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Ends when nothing has passed in either direction for `within`, or up to twice as long: looks that seldom. Also when
    /// the client took less than `blocked_bytes_min` in that time, although more waited at both ends of it.
    pub async fn stalled(&self, within: Duration, blocked_bytes_min: u64) {
        let mut before = None;
        loop {
            let now = (self.read(), self.written());
            if let Some((read, written, was_blocked)) = before {
                let is_slow = was_blocked && self.is_blocked() && now.1 - written < blocked_bytes_min;
                if (read, written) == now || is_slow {
                    return;
                }
            }
            before = Some((now.0, now.1, self.is_blocked()));
            sleep(within).await;
        }
    }

    /// Somebody has ended the connection.
    pub async fn is_cut(&self) {
        self.cut.notified().await;
    }

    /// Whether the network has not taken all that it was given.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}

impl Takes for Traffic {
    fn cut(&self) {
        // Kept for when somebody looks.
        self.cut.notify_one();
    }
}

/// What a connection takes of what there is, until it is really closed.
#[derive(Debug)]
pub struct SocketPlace {
    /// One of the node's sockets.
    pub node: OwnedSemaphorePermit,
    /// One of those of the client's address.
    pub address: Option<Place<AddressKey>>,
}

/// A client's connection.
#[derive(Debug)]
pub struct Conn {
    /// Until nobody looks on any more.
    traffic: Option<Arc<Traffic>>,
    written: u64,
    read: u64,
    /// What is to be read before the stream.
    unread: Bytes,
    stream: Option<TcpStream>,
    place: Option<SocketPlace>,
    tracker: TaskTracker,
    /// The client has said that it sends no more, or is gone: nobody would read a goodbye.
    over: bool,
}

impl Conn {
    /// Takes over an accepted socket; `place` is given back when the connection is really closed.
    pub fn new(stream: TcpStream, place: SocketPlace, tracker: TaskTracker) -> Self {
        let (stream, place) = (Some(stream), Some(place));
        Self { traffic: None, written: 0, read: 0, unread: Bytes::new(), stream, place, tracker, over: false }
    }

    /// Counters that somebody else can look at from now on, until [`Conn::unwatched`].
    pub fn watched(&mut self) -> Arc<Traffic> {
        self.traffic.get_or_insert_default().clone()
    }

    /// The connection alone; it counts for itself.
    #[must_use]
    pub fn unwatched(mut self) -> Self {
        self.traffic = None;
        self
    }

    /// Has these bytes read before all others.
    pub fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Bytes read and written since the connection was accepted.
    pub fn passed(&self) -> (u64, u64) {
        (self.read, self.written)
    }

    /// Whether there may be something to read; if not, the task is woken when there is.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.stream {
            _ if !self.unread.is_empty() => Poll::Ready(()),
            // A connection that failed says so when it is read.
            Some(stream) => stream.poll_read_ready(cx).map(|_| ()),
            None => Poll::Ready(()),
        }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Some(traffic) = &self.traffic {
            traffic.blocked.store(written.is_pending(), Ordering::Relaxed);
        }
        match &written {
            Poll::Ready(Ok(bytes)) => {
                self.written += *bytes as u64;
                if let Some(traffic) = &self.traffic {
                    traffic.written.store(self.written, Ordering::Relaxed);
                }
            }
            Poll::Ready(Err(_)) => self.over = true,
            Poll::Pending => {}
        }
        written
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let bytes = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(bytes));
            return Poll::Ready(Ok(()));
        }
        let (wanted, before) = (buf.remaining(), buf.filled().len());
        let read = self.stream()?.poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) => {
                let bytes = buf.filled().len() - before;
                self.over |= wanted > 0 && bytes == 0;
                self.read += bytes as u64;
                if let Some(traffic) = &self.traffic {
                    traffic.read.store(self.read, Ordering::Relaxed);
                }
            }
            Poll::Ready(Err(_)) => self.over = true,
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bufs);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if let (Some(stream), false) = (self.stream.take(), self.over)
            && tokio::runtime::Handle::try_current().is_ok()
        {
            let place = self.place.take();
            self.tracker.spawn(linger(stream, place));
        }
    }
}

async fn linger(mut stream: TcpStream, _place: Option<SocketPlace>) {
    let goodbye = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    // A client that is gone already, or never stops sending, is let go all the same.
    let _ = timeout(LINGER, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_stalled_when_neither_direction_moves() {
        let traffic = Traffic::default();
        let within = Duration::from_mins(1);
        let moves = async {
            for _ in 0..5 {
                sleep(Duration::from_secs(50)).await;
                traffic.read.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(50)).await;
                traffic.written.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::Instant::now()
        };
        let ((), moved_until) = tokio::join!(traffic.stalled(within, 0), moves);
        let quiet = moved_until.elapsed();
        assert!(quiet >= within && quiet <= 2 * within, "{quiet:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_next_to_nothing_of_what_waits_is_stalled_too() {
        let (within, start) = (Duration::from_mins(1), tokio::time::Instant::now());
        for (bytes_a_second, is_blocked, is_stalled) in [(100, true, true), (1_000, true, false), (100, false, false)] {
            let traffic = Traffic::default();
            traffic.blocked.store(is_blocked, Ordering::Relaxed);
            let trickles = async {
                loop {
                    sleep(Duration::from_secs(1)).await;
                    traffic.written.fetch_add(bytes_a_second, Ordering::Relaxed);
                }
            };
            let stalled = tokio::select! {
                () = traffic.stalled(within, 32 << 10) => true,
                () = trickles => unreachable!(),
                () = sleep(Duration::from_mins(10)) => false,
            };
            assert_eq!(stalled, is_stalled, "{bytes_a_second} bytes a second after {:?}", start.elapsed());
        }
    }
}
