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
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// How long a dropped connection is read on.
const LINGER: Duration = Duration::from_millis(1500);

/// Bytes that are read and thrown away at most.
const LINGER_BYTES_MAX: u64 = 32 << 20;

/// How many bytes the network has taken from a connection: tells a client that reads slowly from one that does not
/// read. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<AtomicU64>);

impl Written {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.0.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

/// A client's connection.
#[derive(Debug)]
pub struct Conn {
    stream: Option<TcpStream>,
    place: Option<OwnedSemaphorePermit>,
    tracker: TaskTracker,
    written: Written,
    /// The client has said that it sends no more, or is gone: nobody would read a goodbye.
    over: bool,
}

impl Conn {
    /// Takes over an accepted socket; `place` is given back when the connection is really closed.
    pub fn new(stream: TcpStream, place: OwnedSemaphorePermit, tracker: TaskTracker) -> Self {
        Self { stream: Some(stream), place: Some(place), tracker, written: Written::default(), over: false }
    }

    /// What the network has taken, for whoever writes through layers that do not tell.
    pub fn written(&self) -> Written {
        self.written.clone()
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (wanted, before) = (buf.remaining(), buf.filled().len());
        let read = self.stream()?.poll_read(cx, buf);
        let nothing_more = matches!(read, Poll::Ready(Ok(()))) && wanted > 0 && buf.filled().len() == before;
        if nothing_more || matches!(read, Poll::Ready(Err(_))) {
            self.over = true;
        }
        read
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, buf);
        self.written.note(&written);
        if matches!(written, Poll::Ready(Err(_))) {
            self.over = true;
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bufs);
        self.written.note(&written);
        written
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

async fn linger(mut stream: TcpStream, _place: Option<OwnedSemaphorePermit>) {
    let goodbye = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(LINGER_BYTES_MAX), &mut tokio::io::sink()).await
    };
    // A client that is gone already, or never stops sending, is let go all the same.
    let _ = timeout(LINGER, goodbye).await;
}
