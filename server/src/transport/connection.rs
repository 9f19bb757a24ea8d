//! One connection: which HTTP it speaks, its requests, and the time while one of them waits.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request, response::Response};
use bytes::{Bytes, BytesMut};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    conn::{Conn, Traffic},
    deferred::{Deferred, finished},
    parked::{Manner, Parked, Parking, read_some},
    read_body::WatchedBody,
};
use crate::{limits::answers::Taker, telemetry::metrics};

/// How long a client may take for its first request, and within that to show which version of HTTP it speaks.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_secs(12);

/// How long nothing may pass in either direction before a connection is dropped. Who waits for the next request is
/// dropped sooner (`HEADERS_WITHIN`) and every handler answers sooner, so this is a client that does not read its answer,
/// or does not send a body that no handler waits for. Sessions are not concerned: the upgrade ends this.
const STALLED_AFTER: Duration = Duration::from_mins(1);

/// What a client takes at least within [`STALLED_AFTER`] of an answer that waits for it: half a kilobyte a second.
const TAKEN_BYTES_MIN: u64 = 32 << 10;

/// How HTTP/2 begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The two versions of HTTP with their limits.
pub(super) struct Http {
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
}

/// What a connection needs.
pub(super) struct Connection {
    pub(super) http: Arc<Http>,
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    /// After this the connection serves only what has begun.
    pub(super) stop: CancellationToken,
}

impl Connection {
    /// Serves all requests of a connection.
    pub(super) async fn serve(self, mut conn: Conn) {
        let asked = Arc::new(AtomicBool::new(false));
        let version = self.stop.run_until_cancelled(timeout(FIRST_REQUEST_WITHIN, speaks_http2(&mut conn)));
        match version.await {
            // Boxed, so that a connection does not keep room for both.
            Some(Ok(Ok(true))) => Box::pin(self.http2(conn, asked)).await,
            Some(Ok(Ok(false))) => self.http1(conn, asked).await,
            Some(Err(_)) => self.no_request(),
            // It is gone, or nobody new is served.
            Some(Ok(Err(_))) | None => {}
        }
    }

    /// HTTP/1, put on anew after each request that had to wait.
    async fn http1(&self, mut conn: Conn, asked: Arc<AtomicBool>) {
        let mut ready = None;
        while let Some((parked, left, ahead)) = Box::pin(self.http1_until_parked(conn, ready, asked.clone())).await {
            let Some((waited, response)) = parked.wait(left, ahead).await else { return };
            (conn, ready) = (waited, Some(response));
        }
    }

    /// Serves requests until the connection is over, or one waits: then what is left of the connection.
    async fn http1_until_parked(
        &self,
        mut conn: Conn,
        ready: Option<Response>,
        asked: Arc<AtomicBool>,
    ) -> Option<(Parked, Conn, Bytes)> {
        let (traffic, parking) = (conn.watched(), Parking::default());
        let overdue = pin!(overdue(asked.clone()));
        let stalled = pin!(stalled(&traffic));
        let (router, peer, at) = (self.router.clone(), self.peer, parking.clone());
        let ready = Arc::new(Mutex::new(ready));
        let taking = traffic.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let (router, parking, ready) = (router.clone(), at.clone(), ready.lock().take());
            let taking = taking.clone();
            async move {
                if let Some(ready) = ready {
                    return Ok::<_, Infallible>(going_to(&taking, ready));
                }
                let manner = Manner::of(&request);
                let (parts, body) = request.into_parts();
                let (body, end) = WatchedBody::new(body);
                let request = Request::from_parts(parts, Body::new(body));
                match Deferred::of(answer(router, peer, request).await) {
                    Ok(waiting) if end.is_reached() => Ok(going_to(&taking, parking.park(waiting, manner).await)),
                    Ok(waiting) => Ok(going_to(&taking, waiting.await)),
                    Err(response) => Ok(going_to(&taking, *response)),
                }
            }
        });
        let mut connection = self.http.http1.serve_connection(TokioIo::new(conn), service).with_upgrades();
        let mut ends = pin!(ends(overdue, stalled, traffic.is_cut()));
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                served = &mut connection => {
                    self.served(served);
                    return None;
                }
                // What was said before may not have gone yet; then it waits where it is.
                parked = parking.parked() => {
                    if !traffic.is_blocked() {
                        let parts = connection.into_parts()?;
                        return Some((parked, parts.io.into_inner(), parts.read_buf));
                    }
                    parked.hand_back();
                }
                end = &mut ends => {
                    self.ended(end);
                    return None;
                }
                () = self.stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    }

    async fn http2(&self, mut conn: Conn, asked: Arc<AtomicBool>) {
        let traffic = conn.watched();
        let overdue = pin!(overdue(asked.clone()));
        let stalled = pin!(stalled(&traffic));
        let (router, peer, taking) = (self.router.clone(), self.peer, traffic.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let (answer, taking) = (answer(router.clone(), peer, request.map(Body::new)), taking.clone());
            async move { Ok::<_, Infallible>(going_to(&taking, finished(answer.await).await)) }
        });
        let mut connection = pin!(self.http.http2.serve_connection(TokioIo::new(conn), service));
        let mut ends = pin!(ends(overdue, stalled, traffic.is_cut()));
        tokio::select! {
            biased;
            served = connection.as_mut() => self.served(served),
            end = &mut ends => self.ended(end),
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                self.served(connection.await);
            }
        }
    }

    fn served(&self, served: hyper::Result<()>) {
        if let Err(error) = served {
            tracing::debug!(peer = %self.peer, %error, "connection ended with an error");
        }
    }

    fn ended(&self, end: End) {
        match end {
            End::NoRequest => self.no_request(),
            End::Stalled => {
                metrics::get().end(metrics::End::Stalled);
                tracing::debug!(peer = %self.peer, "connection dropped whose client neither sends nor reads");
            }
            End::Cut => {
                tracing::debug!(peer = %self.peer, "connection dropped that took a large answer slowly while others waited");
            }
        }
    }

    fn no_request(&self) {
        metrics::get().end(metrics::End::NoRequest);
        tracing::debug!(peer = %self.peer, "connection without a request dropped");
    }
}

async fn answer(router: Router, peer: SocketAddr, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(ConnectInfo(peer));
    let Ok(response) = router.oneshot(request).await;
    response
}

/// Why a connection is ended from this side.
#[derive(Clone, Copy)]
enum End {
    NoRequest,
    Stalled,
    Cut,
}

async fn ends(
    overdue: impl Future<Output = ()>,
    stalled: impl Future<Output = ()>,
    cut: impl Future<Output = ()>,
) -> End {
    tokio::select! {
        () = overdue => End::NoRequest,
        () = stalled => End::Stalled,
        () = cut => End::Cut,
    }
}

/// The same, after whoever holds a large answer has learned which connection takes it.
fn going_to(connection: &Arc<Traffic>, mut response: Response) -> Response {
    if let Some(taker) = response.extensions_mut().remove::<Arc<Taker>>() {
        taker.goes_to(connection.clone());
    }
    response
}

async fn stalled(traffic: &Traffic) {
    traffic.stalled(STALLED_AFTER, TAKEN_BYTES_MIN).await;
}

/// Ends when a connection has not brought a request in time, and never otherwise. The library's own time limit is for each
/// request, and with HTTP/2 there is none.
async fn overdue(asked: Arc<AtomicBool>) {
    sleep(FIRST_REQUEST_WITHIN).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Whether a client begins as HTTP/2 does. What was read to find that out is read again.
async fn speaks_http2(conn: &mut Conn) -> io::Result<bool> {
    let mut read = BytesMut::new();
    loop {
        let is_over = read_some(conn, &mut read).await? == 0;
        let known = read.len().min(HTTP2_PREFACE.len());
        let fits = read[..known] == HTTP2_PREFACE[..known];
        if is_over || !fits || known == HTTP2_PREFACE.len() {
            conn.unread(read.freeze());
            return Ok(fits && !is_over);
        }
    }
}
