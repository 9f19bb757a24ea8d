//! One HTTP request on a connection of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::client::answered;

/// How often a server has replaced the tail of a map by a snapshot.
pub const COMPACTIONS: &str = "synapti_compactions_total";

/// An answer, read to its end.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// From the start of the connection to the last byte of the body.
    pub took: Duration,
}

/// Sends a request without a body. `authority` is `host:port`.
pub async fn request(method: Method, authority: &str, path: &str) -> anyhow::Result<Answer> {
    let what = format!("{method} {path}");
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    answered(&what, exchange(authority, request)).await.with_context(|| format!("{what} at {authority}"))
}

/// Deletes a map over the HTTP API, which is beside the rooms at `url`.
pub async fn remove_map(url: &str, id: &str) -> anyhow::Result<()> {
    let place = url.trim_end_matches('/').strip_prefix("ws://").and_then(|place| place.strip_suffix("/ws"));
    let (authority, path) = place.and_then(|place| place.split_once('/')).context("no HTTP API beside this address")?;
    let answer = request(Method::DELETE, authority, &format!("/{path}/graphs/{id}")).await?;
    let is_gone = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
    ensure!(is_gone, "deleting it is answered with {}", answer.status);
    Ok(())
}

/// A counter of the server's `/metrics`, since it started.
pub async fn counter(authority: &str, name: &str) -> anyhow::Result<f64> {
    let answer = request(Method::GET, authority, "/metrics").await?;
    let text = String::from_utf8_lossy(&answer.body);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    // A counter that was never raised need not be there, but its description is.
    ensure!(value.is_some() || text.contains(name), "this server does not count {name}");
    Ok(value.unwrap_or(0.0))
}

async fn exchange(authority: &str, request: Request<Empty<Bytes>>) -> anyhow::Result<Answer> {
    let started = Instant::now();
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Answer { status, body, took: started.elapsed() })
    };
    // The exchange is driven by its connection, which ends with it.
    let (answer, ()) = tokio::try_join!(exchange, connection)?;
    Ok(answer)
}
