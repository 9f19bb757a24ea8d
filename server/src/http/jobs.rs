//! `/v1/jobs/{job_id}`: how the AI's work is getting on, and what becomes of it.

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Query, RawPathParams, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use synapti_crdt::map::Verdict;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    access::forbidden,
    body::Valid,
    dto::{ChosenNodes, Nothing},
    error::{ApiError, ErrorBody},
    etag,
    graphs::limit_of,
    job_events,
    path::InGraph,
    state::AppState,
};
use crate::{
    ai::jobs::report::JobReport,
    auth::{Access, rights::Action},
    store::{JobId, JobRecord},
    transport::{deferred::Deferred, poll, visitor::Visitor},
};

/// How long stopping waits for the run to be over.
const STOPPED_WITHIN: Duration = Duration::from_secs(2);

/// The job that `{job_id}` names.
#[derive(Debug)]
pub struct InJob(pub JobId);

impl<S: Send + Sync> FromRequestParts<S> for InJob {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| no_such_job())?;
        let id = params.iter().find(|(name, _)| *name == "job_id").and_then(|(_, text)| Uuid::try_parse(text).ok());
        id.map(|id| Self(JobId(id))).ok_or_else(no_such_job)
    }
}

/// How to be told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobParams {
    /// Seconds, at most 55, to wait for a change of the state in If-None-Match.
    #[param(value_type = Option<u32>, maximum = 55)]
    wait: Option<String>,
}

/// Which page of a map's jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobsParams {
    /// Jobs on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
}

/// One page of a map's jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    #[schema(value_type = Vec<Object>)]
    jobs: Vec<JobReport>,
    /// Hand it in as `before` for the next page; null on the last one.
    next: Option<String>,
}

/// What became of a run's nodes.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettledNodes {
    /// The job.
    job_id: String,
    /// Nodes that are proposals no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Vec<String>>,
    /// Nodes that are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Vec<String>>,
    /// Nodes that stay as they are, because somebody has edited or moved them or given them children.
    kept: Vec<String>,
}

/// Tells how a job is getting on
///
/// With `wait` and `If-None-Match` it answers when the job has changed; with `Accept: text/event-stream` it is a stream of events,
/// each with the same JSON, that ends with the job.
#[utoipa::path(get, path = "/v1/jobs/{job_id}", tag = "ai", params(
    ("job_id" = String, Path, description = "The job"), JobParams,
    ("If-None-Match" = Option<String>, Header, description = "Tag of the state that the client has"),
), responses(
    (status = 200, description = "The job", body = Object, headers(("ETag" = String, description = "Names its state"))),
    (status = 304, description = "The client has this state"),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 422, description = "Not a time that a client may wait", body = ErrorBody),
    (status = 429, description = "A stream, and as many requests of this client follow jobs as may", body = ErrorBody),
))]
pub async fn get_job(
    State(app): State<AppState>,
    visitor: Visitor,
    InJob(id): InJob,
    Query(params): Query<JobParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wants_events = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if wants_events.flat_map(|line| line.split(',')).any(|kind| kind.trim().starts_with("text/event-stream")) {
        return job_events::events(&app, &visitor, id).await;
    }
    let wait = params.wait.as_deref().map(poll::wait).transpose()?.unwrap_or_default();
    let mut watcher = app.jobs.watch(id);
    let record = find(&app, &visitor.access, id, Action::Read).await?;
    let tag = tag(&record);
    if wait.is_zero() || !etag::none_match_fails(&headers, &tag) {
        return Ok(as_asked(&headers, &record));
    }
    // Where there is no place to wait it is told what there is.
    let Ok(waits) = visitor.waits(&app.gate, wait, app.clock.now()).await else {
        return Ok(as_asked(&headers, &record));
    };
    Ok(Deferred::response(async move {
        let record = watcher.newer_than(record.revision, waits.until()).await?.ok_or_else(no_such_job)?;
        Ok(as_asked(&headers, &record))
    }))
}

/// Stops a job
///
/// What it has finished stays as proposals; what was half-written goes. Answers the job as it is then.
#[utoipa::path(delete, path = "/v1/jobs/{job_id}", tag = "ai", params(
    ("job_id" = String, Path, description = "The job"),
), responses(
    (status = 200, description = "The job", body = Object),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 409, description = "It was over before", body = ErrorBody),
))]
pub async fn stop_job(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InJob(id): InJob,
) -> Result<Response, ApiError> {
    let record = find(&app, &access, id, Action::Edit).await?;
    if JobReport::of(&record).is_over() {
        let message = "the job was over before: undo or reject what it has made instead";
        return Err(ApiError::new(StatusCode::CONFLICT, "job_over", message));
    }
    let mut watcher = app.jobs.watch(id);
    app.jobs.stop(id).await?;
    let record = watcher.over(Instant::now() + STOPPED_WITHIN).await?.ok_or_else(no_such_job)?;
    Ok(Json(JobReport::of(&record)).into_response())
}

/// Accepts what a job has made
///
/// All of its nodes, or those that are named: they are proposals no longer.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/accept", tag = "ai", request_body = ChosenNodes, params(
    ("job_id" = String, Path, description = "The job"),
), responses(
    (status = 200, description = "What became of the nodes", body = SettledNodes),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 409, description = "It is still running; single nodes can be named", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn accept_job(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InJob(id): InJob,
    Valid(chosen): Valid<ChosenNodes>,
) -> Result<Json<SettledNodes>, ApiError> {
    settle(&app, &access, id, Verdict::Accept, chosen.node_ids).await
}

/// Rejects what a job has made
///
/// All of its proposals that nobody has touched, or those that are named; a node with children that stay is kept.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/reject", tag = "ai", request_body = ChosenNodes, params(
    ("job_id" = String, Path, description = "The job"),
), responses(
    (status = 200, description = "What became of the nodes", body = SettledNodes),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 409, description = "It is still running; single nodes can be named", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn reject_job(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InJob(id): InJob,
    Valid(chosen): Valid<ChosenNodes>,
) -> Result<Json<SettledNodes>, ApiError> {
    settle(&app, &access, id, Verdict::Reject, chosen.node_ids).await
}

/// Takes back what a job has made
///
/// Accepted or not: every node of it that nobody has edited, moved or given children since. From any node, also after a restart.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/undo", tag = "ai", request_body = Nothing, params(
    ("job_id" = String, Path, description = "The job"),
), responses(
    (status = 200, description = "What became of the nodes", body = SettledNodes),
    (status = 404, description = "No such job", body = ErrorBody),
    (status = 409, description = "It is still running", body = ErrorBody),
))]
pub async fn undo_job(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InJob(id): InJob,
    Valid(Nothing {}): Valid<Nothing>,
) -> Result<Json<SettledNodes>, ApiError> {
    settle(&app, &access, id, Verdict::Undo, None).await
}

/// Lists the jobs of a map, newest first
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/jobs", tag = "ai", params(
    ("graph_id" = String, Path, description = "The graph", example = "photosynthesis"), JobsParams,
), responses(
    (status = 200, description = "A page", body = JobList),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 422, description = "Parameters that are not valid", body = ErrorBody),
))]
pub async fn list_jobs(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Query(params): Query<JobsParams>,
) -> Result<Json<JobList>, ApiError> {
    let limit = limit_of(params.limit.as_deref())?;
    let before = params.before.as_deref().map(|text| {
        Uuid::try_parse(text).map(JobId).map_err(|_| ApiError::field("before", "is not `next` of a page".to_owned()))
    });
    let mut records = app.jobs.jobs_of(&graph, before.transpose()?, limit + 1).await?;
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| has_more).map(|record| record.id.to_string());
    Ok(Json(JobList { jobs: records.iter().map(JobReport::of).collect(), next }))
}

/// A job, for who may do this in its map; whether it is there is nobody else's business.
pub(super) async fn find(app: &AppState, access: &Access, id: JobId, action: Action) -> Result<JobRecord, ApiError> {
    let record = app.jobs.job(id).await?.filter(|record| access.may(Action::Read, &record.graph));
    let record = record.ok_or_else(no_such_job)?;
    if access.may(action, &record.graph) { Ok(record) } else { Err(forbidden()) }
}

async fn settle(
    app: &AppState,
    access: &Access,
    id: JobId,
    what: Verdict,
    nodes: Option<Vec<String>>,
) -> Result<Json<SettledNodes>, ApiError> {
    let record = find(app, access, id, Action::Edit).await?;
    let settled = app.jobs.settle(&record, what, nodes).await?;
    let is_accepted = what == Verdict::Accept;
    let (accepted, removed) = if is_accepted { (Some(settled.changed), None) } else { (None, Some(settled.changed)) };
    Ok(Json(SettledNodes { job_id: id.to_string(), accepted, removed, kept: settled.kept }))
}

/// The job, unless the client has this state.
fn as_asked(headers: &HeaderMap, record: &JobRecord) -> Response {
    let tag = tag(record);
    let validators = [
        (header::ETAG, HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"0\""))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if etag::none_match_fails(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    (validators, Json(JobReport::of(record))).into_response()
}

fn tag(record: &JobRecord) -> String {
    format!("\"{}\"", record.revision)
}

pub(super) fn no_such_job() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "job_not_found", "there is no such job")
}
