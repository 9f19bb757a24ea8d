//! What people ask the AI for: a new map, children for a node, what a map is worth.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::json;
use synapti_crdt::map::projection::NodeJson;
use synapti_protocol::graph_id::GraphId;
use utoipa::ToSchema;

use super::{
    access::forbidden,
    body::Valid,
    dto::{CheckCoherence, ExpandNode, GenerateMap},
    error::{ApiError, ErrorBody},
    graphs::{self, location},
    job_errors::of_job,
    path::{self, Element, InGraph},
    state::AppState,
};
use crate::{
    ai::jobs::{Submission, SubmitError, request::JobRequest},
    auth::rights::Action,
    ids,
    room::RoomError,
    store::{JobId, JobRecord, JobStatus},
    transport::{deferred::Deferred, visitor::Visitor},
};

/// The caller's own name for a request, so that a second attempt does not do it twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Bytes of that name.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 200;

/// What a client would rather have (RFC 7240): `wait=10`.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Seconds that a request waits for its result at most.
const WAIT_SECONDS_MAX: u64 = 60;

/// When to try again when the queue is full.
const QUEUE_RETRY_SECONDS: u32 = 5;

/// A job that was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Its name.
    #[schema(example = "0198c0de-0000-7000-8000-000000000000")]
    job_id: String,
    /// The map.
    #[schema(example = "photosynthesis")]
    graph_id: String,
    /// Where its status is.
    #[schema(example = "/v1/jobs/0198c0de-0000-7000-8000-000000000000")]
    status_url: String,
}

/// Grows a map from a topic
///
/// The map is there at once; its root and its nodes grow in it, live for all who have it open, as proposals until somebody
/// accepts them. `Prefer: wait=N` answers the map itself when it is ready in time. With `Idempotency-Key` the same request is done once.
#[utoipa::path(post, path = "/v1/graphs/generate", tag = "ai", request_body = GenerateMap, params(
    ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds, at most 60, to wait for the result"),
    ("Idempotency-Key" = Option<String>, Header, description = "Your own name for this request"),
), responses(
    (status = 200, description = "The map, when it was waited for", body = super::schema::Graph),
    (status = 202, description = "Taken in", body = Accepted, headers(("Location" = String, description = "Path of the job"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 409, description = "There is something in the map, or the key was used for another request", body = ErrorBody),
    (status = 422, description = "Fields that are not valid, such as an empty topic", body = ErrorBody),
    (status = 429, description = "The budget for today is spent", body = ErrorBody),
    (status = 502, description = "It was waited for and failed", body = ErrorBody),
    (status = 503, description = "Too many requests wait for the AI", body = ErrorBody),
    (status = 504, description = "It was waited for, and the AI was too slow", body = ErrorBody),
))]
pub async fn generate_graph(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Valid(wanted): Valid<GenerateMap>,
) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let named = wanted.graph_id.as_deref().map(path::graph_id).transpose()?;
    let may_create =
        named.as_ref().map_or(visitor.access.may_in_any(Action::Create), |id| visitor.access.may(Action::Create, id));
    if !may_create {
        return Err(forbidden());
    }
    let key = Key::of(&headers, "generate", &wanted)?;
    let graph = match named {
        Some(graph) => {
            // With a name of the caller's own it may be what an earlier request has made.
            if key.0.is_none() || app.jobs.jobs_of(&graph, None, 1).await?.is_empty() {
                must_be_empty(&app, &graph).await?;
            }
            graph
        }
        None => path::graph_id(&ids::fresh(now).to_string())?,
    };
    let request = wanted.into_request(ids::fresh(now).to_string());
    let asked = Asked { app, visitor, headers, graph, key };
    let record = asked.submit(JobRequest::Generate(request)).await?;
    // A request that came before has its own map.
    if record.graph == asked.graph {
        if let (JobStatus::Queued, Ok(JobRequest::Generate(request))) =
            (record.status, serde_json::from_str(&record.request))
        {
            asked.app.jobs.make_map(&asked.graph, &request).await.map_err(not_empty)?;
        } else {
            // The run makes the rest, in its first edit.
            asked.app.hub.ensure(&asked.graph).await?;
        }
    }
    Ok(asked.answer(record).await)
}

/// A map that is to grow from a topic must have nothing in it yet; it need not be there.
async fn must_be_empty(app: &AppState, graph: &GraphId) -> Result<(), ApiError> {
    match app.hub.map(graph).await {
        Ok(map) if map.nodes.is_empty() && map.schema.is_none() => Ok(()),
        Ok(_) => Err(not_empty(RoomError::Exists)),
        Err(RoomError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn not_empty(error: RoomError) -> ApiError {
    match error {
        RoomError::Exists => {
            let message = "there is something in this map: choose another id";
            ApiError::new(StatusCode::CONFLICT, "graph_exists", message)
        }
        error => error.into(),
    }
}

/// Expands a node
///
/// Its children grow live in the map, as proposals until somebody accepts them. The answer with `Prefer: wait=N` is
/// `{job_id, graph_id, node_id, nodes}`.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/nodes/{node_id}/expand", tag = "ai", request_body = ExpandNode, params(
    ("graph_id" = String, Path, description = "The graph", example = "photosynthesis"),
    ("node_id" = String, Path, description = "The node", example = "light"),
    ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds, at most 60, to wait for the result"),
    ("Idempotency-Key" = Option<String>, Header, description = "Your own name for this request"),
), responses(
    (status = 200, description = "The new nodes, when they were waited for", body = Object),
    (status = 202, description = "Taken in", body = Accepted, headers(("Location" = String, description = "Path of the job"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph or node", body = ErrorBody),
    (status = 409, description = "The node is not expandable, or the key was used for another request", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
    (status = 429, description = "The budget for today is spent", body = ErrorBody),
    (status = 502, description = "It was waited for and failed", body = ErrorBody),
    (status = 503, description = "Too many requests wait for the AI", body = ErrorBody),
    (status = 504, description = "It was waited for, and the AI was too slow", body = ErrorBody),
))]
pub async fn expand_node(
    State(app): State<AppState>,
    visitor: Visitor,
    InGraph(graph): InGraph,
    Element(node): Element,
    headers: HeaderMap,
    Valid(wanted): Valid<ExpandNode>,
) -> Result<Response, ApiError> {
    let map = app.hub.map(&graph).await?;
    let Some(found) = map.nodes.get(&node) else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "node_not_found", format!("there is no node `{node}`")));
    };
    if !found.expandable {
        let message = "this node is marked as not expandable: change that first if you want children for it";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_expandable", message));
    }
    let key = Key::of(&headers, &format!("expand {graph} {node}"), &wanted)?;
    let asked = Asked { app, visitor, headers, graph, key };
    let record = asked.submit(JobRequest::Expand(wanted.into_request(node))).await?;
    Ok(asked.answer(record).await)
}

/// Checks how coherent a map is
///
/// The result is `{coherence_score, strengths, improvements, missing_concepts}`.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/coherence", tag = "ai", request_body = CheckCoherence, params(
    ("graph_id" = String, Path, description = "The graph", example = "photosynthesis"),
    ("Prefer" = Option<String>, Header, description = "`wait=N`: seconds, at most 60, to wait for the result"),
    ("Idempotency-Key" = Option<String>, Header, description = "Your own name for this request"),
), responses(
    (status = 200, description = "The result, when it was waited for", body = Object),
    (status = 202, description = "Taken in", body = Accepted, headers(("Location" = String, description = "Path of the job"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 409, description = "The key was used for another request", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
    (status = 429, description = "The budget for today is spent", body = ErrorBody),
    (status = 502, description = "It was waited for and failed", body = ErrorBody),
    (status = 503, description = "Too many requests wait for the AI", body = ErrorBody),
    (status = 504, description = "It was waited for, and the AI was too slow", body = ErrorBody),
))]
pub async fn check_coherence(
    State(app): State<AppState>,
    visitor: Visitor,
    InGraph(graph): InGraph,
    headers: HeaderMap,
    Valid(wanted): Valid<CheckCoherence>,
) -> Result<Response, ApiError> {
    // Also tells whether there is such a map.
    app.hub.map(&graph).await?;
    let key = Key::of(&headers, &format!("coherence {graph}"), &wanted)?;
    let asked = Asked { app, visitor, headers, graph, key };
    let record = asked.submit(JobRequest::Coherence(wanted.into_request())).await?;
    Ok(asked.answer(record).await)
}

/// The caller's own name for a request, and a hash of what was asked.
struct Key(Option<(String, String)>);

impl Key {
    fn of(headers: &HeaderMap, what: &str, wanted: &impl std::fmt::Debug) -> Result<Self, ApiError> {
        let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(Self(None)) };
        let name = value.to_str().ok().filter(|name| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&name.len()));
        let Some(name) = name else {
            let message = format!("must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters");
            return Err(ApiError::field("Idempotency-Key", message));
        };
        let hash = digest(&SHA256, format!("{what} {wanted:?}").as_bytes());
        Ok(Self(Some((name.to_owned(), URL_SAFE_NO_PAD.encode(hash)))))
    }
}

/// A request on its way to an answer.
struct Asked {
    app: AppState,
    visitor: Visitor,
    headers: HeaderMap,
    graph: GraphId,
    key: Key,
}

impl Asked {
    async fn submit(&self, request: JobRequest) -> Result<JobRecord, ApiError> {
        let submission = Submission {
            id: JobId(ids::fresh(self.app.clock.now())),
            graph: self.graph.clone(),
            client: self.visitor.access.client().unwrap_or_default().to_owned(),
            request,
            idempotency: self.key.0.clone(),
        };
        self.app.jobs.submit(submission).await.map_err(|error| match error {
            SubmitError::NameTaken => ApiError::new(StatusCode::CONFLICT, "idempotency_key_reused", error.to_string()),
            SubmitError::QueueFull => ApiError::unavailable("queue_full", error.to_string(), QUEUE_RETRY_SECONDS),
            SubmitError::Budget(why) => of_job(&self.app, &why, None),
            SubmitError::Store(error) => error.into(),
        })
    }

    /// The job, or what comes of it if the client would rather wait and there is a place for it to do so: a preference is no
    /// more than that.
    async fn answer(self, record: JobRecord) -> Response {
        let Some(wait) = wait_of(&self.headers) else { return accepted(&record) };
        let Self { app, visitor, .. } = self;
        let Ok(waits) = visitor.waits(&app.gate, wait, app.clock.now()).await else { return accepted(&record) };
        Deferred::response(async move {
            let mut watcher = app.jobs.watch(record.id);
            let record = watcher.over(waits.until()).await?.unwrap_or(record);
            let mut response = finished(&app, &record).await?;
            let applied = HeaderValue::from_static("wait");
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
            Ok(response)
        })
    }
}

/// What came of a job, or the job while it is under way.
async fn finished(app: &AppState, record: &JobRecord) -> Result<Response, ApiError> {
    match record.status {
        JobStatus::Queued | JobStatus::Running => return Ok(accepted(record)),
        JobStatus::Cancelled => {
            let message = "somebody stopped this: ask again to have it done";
            return Err(ApiError::new(StatusCode::CONFLICT, "job_cancelled", message));
        }
        JobStatus::Failed => {
            let error = record.error.as_deref().and_then(|text| serde_json::from_str(text).ok());
            return Err(error.map_or_else(ApiError::internal, |error| of_job(app, &error, Some(record))));
        }
        JobStatus::Succeeded => {}
    }
    match serde_json::from_str(&record.request) {
        Ok(JobRequest::Generate(_)) => {
            let view = app.hub.view(&record.graph).await?;
            Ok(graphs::graph(StatusCode::OK, &view))
        }
        Ok(JobRequest::Expand(request)) => {
            let view = app.hub.view(&record.graph).await?;
            let run = record.id.to_string();
            let is_own = |node: &&NodeJson| node.run.as_ref() == Some(&run);
            let nodes: Vec<&NodeJson> = view.graph.nodes.iter().filter(is_own).collect();
            let graph = record.graph.to_string();
            let body = json!({ "job_id": run, "graph_id": graph, "node_id": request.node, "nodes": nodes });
            Ok(Json(body).into_response())
        }
        Ok(JobRequest::Coherence(_)) => {
            let result = record.result.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            Ok(Json(result).into_response())
        }
        Err(_) => Err(ApiError::internal()),
    }
}

fn accepted(record: &JobRecord) -> Response {
    let status_url = format!("/v1/jobs/{}", record.id);
    let path = location(&status_url);
    let body = Accepted { job_id: record.id.to_string(), graph_id: record.graph.to_string(), status_url };
    (StatusCode::ACCEPTED, [(header::LOCATION, path)], Json(body)).into_response()
}

/// How long a client would rather wait; what cannot be read is no wish.
fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut wishes = lines.flat_map(|line| line.split([',', ';'])).map(str::trim);
    let seconds = wishes.find_map(|wish| {
        let (name, value) = wish.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse::<u64>().ok())?
    })?;
    Some(Duration::from_secs(seconds.min(WAIT_SECONDS_MAX)))
}
