//! The server's HTTP API, on a connection that stays open.

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

use crate::{client::answered, wire::Address};

/// How often a job is looked at that is about to end. Nothing is measured then.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(50);

/// A connection.
pub struct Api {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    // Carries bytes until this is dropped.
    _carrying: JoinSet<()>,
}

/// A job that the server has taken in.
#[derive(Debug)]
pub struct Taken {
    /// Its name.
    pub job: String,
    /// When the request left.
    pub sent: Instant,
    /// From then to the answer.
    pub took: Duration,
}

impl Api {
    /// Connects.
    pub async fn open(address: &Address) -> anyhow::Result<Self> {
        let stream = address.connect().await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut carrying = JoinSet::new();
        carrying.spawn_local(async {
            // Whoever sends on it is told.
            let _ = connection.await;
        });
        Ok(Self { sender, authority: address.authority().to_owned(), _carrying: carrying })
    }

    /// Asks for children of a node.
    pub async fn expand(&mut self, room: &str, node: &str, children_max: u32) -> anyhow::Result<Taken> {
        let wanted = json!({ "max_children": children_max });
        self.submit(&format!("/v1/graphs/{room}/nodes/{node}/expand"), &wanted).await
    }

    /// Asks for a map.
    pub async fn generate(&mut self, room: &str, topic: &str, nodes_max: u32) -> anyhow::Result<Taken> {
        let wanted = json!({ "graph_id": room, "topic": topic, "max_nodes": nodes_max });
        self.submit("/v1/graphs/generate", &wanted).await
    }

    /// Stops a job; answers when that was asked for.
    pub async fn stop(&mut self, job: &str) -> anyhow::Result<Instant> {
        let sent = Instant::now();
        self.wanted(Method::DELETE, &format!("/v1/jobs/{job}"), None, StatusCode::OK).await?;
        Ok(sent)
    }

    /// A job when it is over, with this status or else it is an error.
    pub async fn over(&mut self, job: &str, status: &str) -> anyhow::Result<Value> {
        answered("the end of a job", async {
            loop {
                let found = self.job(job).await?;
                match found["status"].as_str() {
                    Some("queued" | "running") => sleep(LOOKED_AT_EVERY).await,
                    Some(ended) if ended == status => return Ok(found),
                    _ => bail!("a job that should have {status} is this instead: {found}"),
                }
            }
        })
        .await
    }

    /// A job.
    pub async fn job(&mut self, job: &str) -> anyhow::Result<Value> {
        self.wanted(Method::GET, &format!("/v1/jobs/{job}"), None, StatusCode::OK).await
    }

    /// A map.
    pub async fn map(&mut self, room: &str) -> anyhow::Result<Value> {
        self.wanted(Method::GET, &format!("/v1/graphs/{room}"), None, StatusCode::OK).await
    }

    async fn submit(&mut self, path: &str, wanted: &Value) -> anyhow::Result<Taken> {
        let sent = Instant::now();
        let taken = self.wanted(Method::POST, path, Some(wanted), StatusCode::ACCEPTED).await?;
        let job = taken["job_id"].as_str().context("the server takes a job in and does not name it")?.to_owned();
        Ok(Taken { job, sent, took: sent.elapsed() })
    }

    async fn wanted(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        wanted: StatusCode,
    ) -> anyhow::Result<Value> {
        let what = format!("{method} {path}");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.map_or_else(Vec::new, |body| body.to_string().into_bytes())))?;
        let (status, body) = answered(&what, async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        })
        .await?;
        ensure!(status == wanted, "{what} is answered with {status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).with_context(|| format!("{what} is answered with something that is not JSON"))
    }
}
