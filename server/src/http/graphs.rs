//! `/v1/graphs` and `/v1/graphs/{graph_id}`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use synapti_crdt::map::{EditError, MapEdit};
use synapti_protocol::graph_id::GraphId;
use utoipa::{IntoParams, ToSchema};

use super::{
    access::forbidden,
    body::Valid,
    compressed,
    dto::{CreateGraph, PatchGraph},
    error::{ApiError, ErrorBody},
    etag,
    held::{HeldJson, taken},
    path::{self, InGraph},
    schema::Graph,
    state::AppState,
    watch::Watch,
};
use crate::{
    auth::{Access, access::Readable, rights::Action},
    ids,
    room::{GraphView, RoomError},
    store::{GraphRecord, ListCursor, ListQuery},
    transport::{
        deferred::Deferred,
        poll,
        visitor::{Visitor, ip_of},
    },
};

/// Rows of a page when the client does not say.
const LIST_LIMIT_DEFAULT: u32 = 50;
/// Rows of a page at most.
const LIST_LIMIT_MAX: u32 = 500;

/// On a map that is not all on disk, because the store is behind.
pub const UNSAVED: HeaderName = HeaderName::from_static("synapti-unsaved");

/// One page of graphs, last modified first.
#[derive(Debug, Serialize, ToSchema)]
pub struct GraphList {
    /// The graphs.
    graphs: Vec<GraphSummary>,
    /// Hand it in as `cursor` for the next page; null on the last one.
    #[schema(example = "1767225600000000.solar-system")]
    next_cursor: Option<String>,
}

/// A graph in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct GraphSummary {
    /// Its id.
    #[schema(example = "solar-system")]
    id: String,
    /// What it is about.
    #[schema(example = "The solar system")]
    topic: String,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T00:00:00Z")]
    created_at: Timestamp,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T00:00:00Z")]
    last_modified: Timestamp,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Graphs on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How long to wait for a change.
#[derive(Debug, Deserialize)]
pub struct WaitParams {
    wait: Option<String>,
}

/// Makes a graph
///
/// Answers when it is saved. Without a body it is an empty map under a fresh id.
#[utoipa::path(post, path = "/v1/graphs", tag = "graphs", request_body = CreateGraph, responses(
    (status = 201, description = "Made", body = Graph, headers(
        ("Location" = String, description = "Path of the graph"),
        ("ETag" = String, description = "Names its state"),
    )),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 409, description = "The id is in use, or was before its graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn create_graph(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    Valid(mut wanted): Valid<CreateGraph>,
) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let wanted_id = wanted.id.take().map(|id| path::graph_id(&id)).transpose()?;
    let may_create = wanted_id.as_ref().map_or(access.may_in_any(Action::Create), |id| access.may(Action::Create, id));
    if !may_create {
        return Err(forbidden());
    }
    let id = wanted_id.map_or_else(|| path::graph_id(&ids::fresh(now).to_string()), Ok)?;
    let init = wanted.into_edit(ids::fresh(now).to_string(), now.to_string());
    let view = create(&app, &id, init).await?;
    Ok(made(&id, &view))
}

/// Makes a map with its first edit.
pub(super) async fn create(app: &AppState, id: &GraphId, first: MapEdit) -> Result<Arc<GraphView>, ApiError> {
    app.hub.create(id, first).await.map_err(|error| match error {
        RoomError::Gone => {
            let message = "a graph with this id was deleted; ids are not given out again";
            ApiError::new(StatusCode::CONFLICT, "graph_deleted", message)
        }
        error => error.into(),
    })
}

/// Tells of a map that was made.
pub(super) fn made(id: &GraphId, view: &Arc<GraphView>) -> Response {
    let mut response = graph(StatusCode::CREATED, view);
    response.headers_mut().insert(header::LOCATION, location(&format!("/v1/graphs/{id}")));
    response
}

/// Lists the graphs that the caller may read, last modified first
#[utoipa::path(get, path = "/v1/graphs", tag = "graphs", params(ListParams), responses(
    (status = 200, description = "A page", body = GraphList),
    (status = 422, description = "Parameters that are not valid", body = ErrorBody),
))]
pub async fn list_graphs(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    Query(params): Query<ListParams>,
) -> Result<Json<GraphList>, ApiError> {
    let limit = limit_of(params.limit.as_deref())?;
    let after = params.cursor.as_deref().map(parse_cursor).transpose()?;
    // One more than asked for tells whether there is a next page.
    let among = match access.readable() {
        Readable::All => None,
        Readable::Only(graphs) => Some(graphs),
    };
    let mut records = app.store.list(&ListQuery { after, limit: limit + 1, among }).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next_cursor = records.last().filter(|_| more).map(cursor);
    let graphs = records.into_iter().map(GraphSummary::from).collect();
    Ok(Json(GraphList { graphs, next_cursor }))
}

/// Reads a graph
#[utoipa::path(get, path = "/v1/graphs/{graph_id}", tag = "graphs", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("If-None-Match" = Option<String>, Header, description = "Tag of a state that the client has"),
    ("wait" = Option<u32>, Query, description = "Seconds, at most 55, to wait for a change of that state", maximum = 55),
), responses(
    (status = 200, description = "The map", body = Graph, headers(
        ("ETag" = String, description = "Names its state"),
        ("Synapti-Unsaved" = Option<String>, description = "`true` when not all of it is on disk, because the store is behind"),
    )),
    (status = 304, description = "The client has this state"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Not a time that a client may wait", body = ErrorBody),
    (status = 429, description = "As many requests and connections of this client wait as may", body = ErrorBody),
))]
pub async fn get_graph(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InGraph(id): InGraph,
    Query(WaitParams { wait }): Query<WaitParams>,
    request: Request,
) -> Result<Response, ApiError> {
    let visitor = Visitor { ip: ip_of(&request, &app.config.trusted_proxies), access };
    let wait = wait.as_deref().map(poll::wait).transpose()?.unwrap_or_default();
    // Who asks for the head alone has nothing to wait for.
    let wait = if request.method() == Method::HEAD { Duration::ZERO } else { wait };
    let headers = request.into_parts().0.headers;
    let view = app.hub.view(&id).await?;
    if wait.is_zero() || !etag::none_match_fails(&headers, &view.etag) {
        return Ok(as_asked(&headers, &view));
    }
    let watch = Watch::begin(&app, &id, &visitor, wait).await?;
    let etag = view.etag.clone();
    let accepted = headers.get(header::ACCEPT_ENCODING).cloned();
    // Of a request that waits only this is kept.
    let seen = headers.get_all(header::IF_NONE_MATCH).iter().map(|tags| (header::IF_NONE_MATCH, tags.clone()));
    let seen: HeaderMap = seen.collect();
    Ok(Deferred::response(async move {
        let view = watch.changed(etag).await?;
        Ok(compressed(accepted, as_asked(&seen, &view)).await)
    }))
}

/// The map, unless the client has it.
fn as_asked(headers: &HeaderMap, view: &Arc<GraphView>) -> Response {
    if !etag::none_match_fails(headers, &view.etag) {
        return graph(StatusCode::OK, view);
    }
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    put_validators(&mut response, view, &view.etag);
    taken(response, view.paid.taker())
}

/// Changes topic or root of a graph
#[utoipa::path(patch, path = "/v1/graphs/{graph_id}", tag = "graphs", request_body = PatchGraph, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("If-Match" = Option<String>, Header, description = "Tag of the state that the client has seen"),
), responses(
    (status = 200, description = "The map", body = Graph, headers(("ETag" = String, description = "Names its state"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 412, description = "The map has another state than the one in If-Match", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn patch_graph(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    headers: HeaderMap,
    Valid(wanted): Valid<PatchGraph>,
) -> Result<Response, ApiError> {
    let seen = app.hub.view(&id).await?;
    if etag::match_fails(&headers, &seen.etag) {
        let message = "the map has changed since the state in If-Match";
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", message));
    }
    let Some(edit) = wanted.into_edit() else { return Ok(graph(StatusCode::OK, &seen)) };
    let view = app.hub.edit(&id, edit).await.map_err(|error| match error {
        RoomError::Edit(error @ EditError::NodeNotFound(_)) => ApiError::field("root", error.to_string()),
        error => error.into(),
    })?;
    Ok(graph(StatusCode::OK, &view))
}

/// Deletes a graph
///
/// Its id is not given out again; every later request for it is answered with 410.
#[utoipa::path(delete, path = "/v1/graphs/{graph_id}", tag = "graphs", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 204, description = "Deleted"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted before", body = ErrorBody),
))]
pub async fn delete_graph(State(app): State<AppState>, InGraph(id): InGraph) -> Result<StatusCode, ApiError> {
    app.hub.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A path made of parts that URLs need not escape.
pub(super) fn location(path: &str) -> HeaderValue {
    HeaderValue::from_str(path).expect("ids in paths are escaped or need no escape")
}

/// A map as a response.
pub(super) fn graph(status: StatusCode, view: &Arc<GraphView>) -> Response {
    let json = HeaderValue::from_static("application/json");
    let mut response = (status, [(header::CONTENT_TYPE, json)], Body::new(HeldJson::new(view))).into_response();
    put_validators(&mut response, view, &view.etag);
    taken(response, view.paid.taker())
}

/// What is said of a map's state, under the tag of this way to show it.
pub(super) fn put_validators(response: &mut Response, view: &GraphView, etag: &str) {
    let etag = HeaderValue::from_str(etag).expect("a tag is a quoted digest");
    response.headers_mut().insert(header::ETAG, etag);
    // A cache may keep it and must ask each time: maps change while one looks.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if !view.is_saved {
        response.headers_mut().insert(UNSAVED, HeaderValue::from_static("true"));
    }
}

/// How many rows of a list are wanted.
pub(super) fn limit_of(text: Option<&str>) -> Result<u32, ApiError> {
    let Some(text) = text else { return Ok(LIST_LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIST_LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| ApiError::field("limit", format!("must be a number from 1 to {LIST_LIMIT_MAX}")))
}

impl From<GraphRecord> for GraphSummary {
    fn from(record: GraphRecord) -> Self {
        let GraphRecord { id, topic, created_at, modified_at, .. } = record;
        Self { id: id.to_string(), topic, created_at, last_modified: modified_at }
    }
}

/// Opaque to clients; of characters that a query string does not escape.
fn cursor(last: &GraphRecord) -> String {
    format!("{}.{}", last.modified_at.as_microsecond(), last.id)
}

fn parse_cursor(text: &str) -> Result<ListCursor, ApiError> {
    let parsed = text.split_once('.').and_then(|(micros, id)| {
        let modified_at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some(ListCursor { modified_at, id: id.try_into().ok()? })
    });
    parsed.ok_or_else(|| ApiError::field("cursor", "is not a cursor of this list".to_owned()))
}
