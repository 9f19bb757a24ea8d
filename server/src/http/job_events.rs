//! `/v1/jobs/{job_id}/events`: how the AI's work is getting on, as it goes.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use synapti_protocol::close::CloseCode;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    error::{ApiError, ErrorBody},
    jobs::{InJob, find},
    state::AppState,
};
use crate::{
    ai::jobs::{Watcher, report::JobReport},
    auth::rights::Action,
    store::JobId,
    telemetry::metrics,
    transport::{
        to_api_error,
        visitor::{Visitor, Waits},
    },
};

/// A stream of a job's status says something at least this often, so that proxies and dead peers are noticed.
const COMMENT_EVERY: Duration = Duration::from_secs(10);

/// Tells how a job is getting on, as a stream of events
///
/// `event: job`, the same JSON as data, and the state's number as `id`. The stream ends with the job, and with the token: `event: close` with
/// `{code: 4401, reason}`. A client with a name may have 16 of them, and the token may stand in the URL.
#[utoipa::path(get, path = "/v1/jobs/{job_id}/events", tag = "ai", params(
    ("job_id" = String, Path, description = "The job"),
), responses(
    (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 429, description = "As many requests of this client wait for the AI as may", body = ErrorBody),
))]
pub async fn job_events(State(app): State<AppState>, visitor: Visitor, InJob(id): InJob) -> Result<Response, ApiError> {
    events(&app, &visitor, id).await
}

/// The stream, for who may read the map.
pub(super) async fn events(app: &AppState, visitor: &Visitor, id: JobId) -> Result<Response, ApiError> {
    let watcher = app.jobs.watch(id);
    find(app, &visitor.access, id, Action::Read).await?;
    let waits = visitor.waits(&app.gate, Duration::MAX, app.clock.now()).await.map_err(to_api_error)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let following = Following { watcher, told: -1, is_over: false, draining: app.draining.clone(), waits };
    let texts = stream::unfold(following, |following| async move {
        let (text, following) = following.next().await?;
        Some((Ok::<Bytes, Infallible>(text), following))
    });
    Ok((headers, Body::from_stream(texts)).into_response())
}

/// A client that follows a job.
struct Following {
    watcher: Watcher,
    /// The state that it knows.
    told: i64,
    is_over: bool,
    draining: CancellationToken,
    /// Its place, until its token ends.
    waits: Waits,
}

impl Following {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.is_over {
            return None;
        }
        let newer = self.watcher.newer_than(self.told, Instant::now() + COMMENT_EVERY);
        let newer = tokio::select! {
            newer = newer => newer,
            () = sleep_until(self.waits.until()) => return Some(self.expired()),
            // A node that stops tells its clients to ask another one.
            () = self.draining.cancelled() => return None,
        };
        let record = newer.ok().flatten()?;
        if record.revision <= self.told {
            return Some((Bytes::from_static(b":\n\n"), self));
        }
        let report = JobReport::of(&record);
        (self.told, self.is_over) = (record.revision, report.is_over());
        let json = serde_json::to_string(&report).unwrap_or_default();
        let text = format!("event: job\nid: {}\ndata: {json}\n\n", record.revision);
        Some((text.into(), self))
    }

    /// The last word, as streams of maps say it.
    fn expired(mut self) -> (Bytes, Self) {
        self.is_over = true;
        let code = CloseCode::Unauthenticated.code();
        metrics::get().closes(code).increment(1);
        let why = json!({ "code": code, "reason": "token expired" });
        (format!("event: close\ndata: {why}\n\n").into(), self)
    }
}
