//! The accept loop: from a listening socket to HTTP.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    conn::{Conn, SocketPlace},
    connection::{Connection, Http},
};
use crate::{
    limits::{
        address::{AddressKey, TrustedProxies},
        counted::Counted,
    },
    telemetry::metrics,
};

/// How long a client may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// What the system takes of our bytes ahead of the client. It would grow to megabytes by itself, and then tell of a slow
/// client's progress only in steps so large that the client looks dead; and a stopped client would hold as much.
const SEND_BUFFER_BYTES: usize = 128 << 10;

/// How long what was sent may stay without an answer of the client's system before the connection counts as dead: more than any
/// client may take to read.
const UNANSWERED_AFTER: Duration = Duration::from_secs(100);

/// Headers in one request at most.
const HEADERS_MAX: usize = 64;

/// Bytes of headers, and of a request's body read ahead.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Streams in one HTTP/2 connection at most.
const HTTP2_STREAMS_MAX: u32 = 100;

/// Sockets beyond the connection limit, for requests that are no sessions and for refusals that say why.
const SPARE_SOCKETS: usize = 1000;

/// What to do when the system has no more sockets to give.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Serves `router` until `stop`, then lets requests under way finish.
#[derive(Debug)]
pub struct Acceptor {
    /// Where to listen.
    pub listener: TcpListener,
    /// Sessions that may be open; 0 = no limit.
    pub connections_max: usize,
    /// Sockets that may be open from one address; loopback and proxies are exempt.
    pub sockets_by_address: Counted<AddressKey>,
    /// Who speaks for many.
    pub proxies: TrustedProxies,
    /// No new connections after this.
    pub stop: CancellationToken,
    /// Every task that is spawned here.
    pub tracker: TaskTracker,
}

impl Acceptor {
    /// Accepts connections until told to stop.
    pub async fn run(self, router: Router) {
        let places = match self.connections_max {
            0 => Semaphore::MAX_PERMITS,
            max => max + SPARE_SOCKETS,
        };
        let places = Arc::new(Semaphore::new(places));
        let http = Arc::new(http());
        loop {
            // Held before accepting: what cannot be served waits in the system's queue and costs nothing here.
            let Some(Ok(place)) = self.stop.run_until_cancelled(places.clone().acquire_owned()).await else { return };
            match self.stop.run_until_cancelled(self.listener.accept()).await {
                None => return,
                Some(Ok((stream, peer))) => match self.place(peer.ip(), place) {
                    Some(place) => self.serve(&http, &router, stream, peer, place),
                    None => metrics::get().sockets_refused.increment(1),
                },
                Some(Err(error)) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
    }

    /// The place of one more socket from `ip`, if there may be one more.
    fn place(&self, ip: IpAddr, node: OwnedSemaphorePermit) -> Option<SocketPlace> {
        let address = match AddressKey::of(ip).filter(|_| !self.proxies.contains(ip)) {
            Some(address) => Some(self.sockets_by_address.take(address)?),
            None => None,
        };
        Some(SocketPlace { node, address })
    }

    fn serve(&self, http: &Arc<Http>, router: &Router, stream: TcpStream, peer: SocketAddr, place: SocketPlace) {
        // These only fail on a socket that is closed already, which the first read will tell.
        let _ = stream.set_nodelay(true);
        let socket = SockRef::from(&stream);
        let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
        let _ = socket.set_tcp_user_timeout(Some(UNANSWERED_AFTER));
        let conn = Conn::new(stream, place, self.tracker.clone());
        let connection = Connection { http: http.clone(), router: router.clone(), peer, stop: self.stop.clone() };
        self.tracker.spawn(connection.serve(conn));
    }
}

fn http() -> Http {
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        // No pings of our own: they, and their answers, would pass for traffic on a connection that nobody uses.
        .max_header_list_size(HEADER_BYTES_MAX as u32);
    Http { http1, http2 }
}
