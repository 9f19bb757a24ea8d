//! The accept loop: from a listening socket to HTTP.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::conn::{Conn, SocketPlace};
use crate::{
    limits::{
        address::{AddressKey, TrustedProxies},
        counted::Counted,
    },
    telemetry::metrics,
};

/// How long a client may take to send a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// How long a client may take for its first request, before or while it chooses a version of HTTP.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(12);

/// How long nothing may pass in either direction before a connection is dropped. Who waits for the next request is
/// dropped sooner (`HEADERS_WITHIN`) and every handler answers sooner, so this is a client that does not read its answer,
/// or does not send a body that no handler waits for. Sessions are not concerned: the upgrade ends this.
const STALLED_AFTER: Duration = Duration::from_mins(1);

/// What a client takes at least within [`STALLED_AFTER`] of an answer that waits for it: half a kilobyte a second.
const TAKEN_BYTES_MIN: u64 = 32 << 10;

/// What the system takes of our bytes ahead of the client. It would grow to megabytes by itself, and then tell of a slow
/// client's progress only in steps so large that the client looks dead; and a stopped client would hold as much.
const SEND_BUFFER_BYTES: usize = 128 << 10;

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

    fn serve(
        &self,
        http: &Arc<auto::Builder<TokioExecutor>>,
        router: &Router,
        stream: TcpStream,
        peer: SocketAddr,
        place: SocketPlace,
    ) {
        // These only fail on a socket that is closed already, which the first read will tell.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        let mut conn = Conn::new(stream, place, self.tracker.clone());
        let watched = conn.watched();
        let (http, router, stop) = (http.clone(), router.clone(), self.stop.clone());
        let asked = Arc::new(AtomicBool::new(false));
        let overdue = overdue(asked.clone());
        self.tracker.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                router.clone().oneshot(request)
            });
            let connection = http.serve_connection_with_upgrades(TokioIo::new(conn), service);
            tokio::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = overdue => {
                    metrics::get().end(metrics::End::NoRequest);
                    tracing::debug!(%peer, "connection without a request dropped");
                    return;
                }
                () = watched.stalled(STALLED_AFTER, TAKEN_BYTES_MIN) => {
                    metrics::get().end(metrics::End::Stalled);
                    tracing::debug!(%peer, "connection dropped whose client neither sends nor reads");
                    return;
                }
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%peer, error, "connection ended with an error");
            }
        });
    }
}

/// Ends when a connection has not brought a request in time, and never otherwise. The library's own time limit begins
/// only when it has seen which version of HTTP the client speaks.
async fn overdue(asked: Arc<AtomicBool>) {
    tokio::time::sleep(FIRST_REQUEST_WITHIN).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        // No pings of our own: they, and their answers, would pass for traffic on a connection that nobody uses.
        .max_header_list_size(HEADER_BYTES_MAX as u32);
    http
}
