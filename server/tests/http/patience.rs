//! Clients that begin and do not go on. Time passes by itself as soon as everybody waits.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, header},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use synapti_server::{
    limits::{address::TrustedProxies, counted::Counted},
    transport::accept::Acceptor,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::app::{TestApp, request};

/// More than any system keeps for a reader that does not read.
const ANSWER_BYTES: usize = 64 << 20;

/// Time that passes only when nobody does anything any more.
const LONG: Duration = Duration::from_hours(1);

/// The router on a socket, with the tasks of its connections.
async fn listen(router: Router) -> (SocketAddr, TaskTracker) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tracker = TaskTracker::new();
    let acceptor = Acceptor {
        listener,
        connections_max: 0,
        sockets_by_address: Counted::new(0),
        proxies: TrustedProxies::default(),
        stop: CancellationToken::new(),
        tracker: tracker.clone(),
    };
    TaskTracker::new().spawn(acceptor.run(router));
    (address, tracker)
}

/// A connection that has sent this much, and has been accepted.
async fn begin(address: SocketAddr, tracker: &TaskTracker, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    while tracker.is_empty() {
        tokio::task::yield_now().await;
    }
    tracker.close();
    stream
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let app = TestApp::with_map().await;
    tokio::time::pause();
    for (method, path) in [
        (Method::POST, "/v1/graphs"),
        (Method::PATCH, "/v1/graphs/m"),
        (Method::POST, "/v1/graphs/m/nodes"),
        (Method::PATCH, "/v1/graphs/m/nodes/mars"),
        (Method::POST, "/v1/graphs/m/edges"),
        (Method::PATCH, "/v1/graphs/m/edges/near"),
    ] {
        let begun = stream::iter([Ok::<_, std::io::Error>("{")]).chain(stream::pending());
        let mut request = request(method.clone(), path, None);
        request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        *request.body_mut() = Body::from_stream(begun);
        let asked = Instant::now();
        let answer = timeout(LONG, app.send(request)).await.expect("an answer");
        answer.expect_error(408, "request_timeout");
        let waited = asked.elapsed();
        assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(12), "{method} {path}: {waited:?}");
    }
}

#[tokio::test]
async fn a_socket_that_sends_half_a_request_is_told_so_and_closed() {
    let app = TestApp::new().await;
    let (address, tracker) = listen(app.router.clone()).await;
    let half = "POST /v1/graphs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{\"i";
    let mut client = begin(address, &tracker, half).await;
    tokio::time::pause();
    let mut answer = String::new();
    timeout(LONG, client.read_to_string(&mut answer)).await.expect("the server closes").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"request_timeout\""), "{answer}");
    timeout(LONG, tracker.wait()).await.expect("nothing is left of the connection");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_dropped() {
    let large = Router::new().route("/", get(async || Bytes::from(vec![0; ANSWER_BYTES])));
    let (address, tracker) = listen(large).await;
    let mut client = begin(address, &tracker, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    timeout(LONG, tracker.wait()).await.expect("nothing is left of the connection");
    let mut answer = Vec::new();
    // How the end is told depends on what was on its way.
    let _ = client.read_to_end(&mut answer).await;
    assert!(!answer.is_empty() && answer.len() < ANSWER_BYTES, "{}", answer.len());
}
