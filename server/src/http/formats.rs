//! Maps as files: `/v1/graphs/{graph_id}/export` and `/v1/graphs/import`.

mod attachment;
mod given;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use synapti_crdt::map::{
    Format, MapEdit, export,
    import::{Import, ImportError},
};
use synapti_protocol::graph_id::GraphId;
use utoipa::IntoParams;

use super::{
    access::forbidden,
    body,
    error::{ApiError, ErrorBody, FieldError},
    etag, graphs,
    held::{HeldJson, HeldText, taken},
    path::{self, GENERATE_ROUTE, IMPORT_ROUTE, InGraph},
    schema::Graph,
    state::AppState,
};
use crate::{
    auth::{Access, rights::Action},
    formats, ids,
    limits::answers::AnswerShare,
    room::RoomError,
};

/// How to export.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// `json` (the default) or `markdown`.
    #[param(example = "markdown")]
    format: Option<String>,
}

/// How to import.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportParams {
    /// `json` or `markdown`; without it the content type decides.
    #[param(example = "markdown")]
    format: Option<String>,
    /// The new map's id; without it the one in the file if that is free, else a fresh one.
    #[param(example = "solar-system")]
    id: Option<String>,
}

/// Exports a graph as a file
///
/// JSON is what `GET /v1/graphs/{graph_id}` answers. Markdown is an outline: the root is the heading, its branches are nested
/// lists with their summaries, floating topics are further headings, and cross links come last. Both can be imported.
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/export", tag = "graphs", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ExportParams,
    ("If-None-Match" = Option<String>, Header, description = "Tag of a state that the client has in this format"),
), responses(
    (status = 200, description = "The file", content((Graph = "application/json"), (String = "text/markdown")), headers(
        ("Content-Disposition" = String, description = "A name for the file"),
        ("ETag" = String, description = "Names the state and the format"),
        ("Synapti-Unsaved" = Option<String>, description = "`true` when not all of it is on disk, because the store is behind"),
    )),
    (status = 304, description = "The client has this state"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "No such format, or a map that it is not made for", body = ErrorBody),
))]
pub async fn export_graph(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let format = params.format.as_deref().map(given::named).transpose()?.unwrap_or(Format::Json);
    let view = app.hub.view(&id).await?;
    let tag = match format {
        Format::Json => view.etag.clone(),
        // Another text of the same state.
        Format::Markdown => format!("{}.{}\"", view.etag.trim_end_matches('"'), format.extension()),
    };
    if etag::none_match_fails(&headers, &tag) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        graphs::put_validators(&mut response, &view, &tag);
        return Ok(response);
    }
    let (body, taker) = match format {
        Format::Json => (Body::new(HeldJson::new(&view)), view.paid.taker()),
        Format::Markdown => {
            let share = app.hub.export_share(view.body.len()).await?;
            let graph = view.clone();
            let written = tokio::task::spawn_blocking(move || export::markdown(&graph.graph));
            let written = written.await.map_err(|_| ApiError::internal())?;
            let text = written.map_err(|error| ApiError::field("format", error.to_string()))?;
            let share = share.and_then(|share| share.shrunk_to(text.len()));
            let taker = share.as_ref().map(AnswerShare::taker);
            (Body::new(HeldText::of(text, share)), taker)
        }
    };
    let content_type = HeaderValue::from_static(format.content_type());
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body).into_response();
    graphs::put_validators(&mut response, &view, &tag);
    let attachment = attachment::named(&view.graph.topic, &id, format);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment);
    Ok(taken(response, taker))
}

/// Makes a graph from a file
///
/// Reads what the export writes, outlines in Markdown as people write them, and JSON of other services with `topic`, `nodes` and
/// `edges`. Answers when the map is saved; a file with mistakes makes nothing, and up to 20 of them are listed.
#[utoipa::path(post, path = "/v1/graphs/import", tag = "graphs", params(ImportParams),
    request_body(content((Graph = "application/json"), (String = "text/markdown"), (String = "text/plain"))),
    responses(
    (status = 201, description = "Made", body = Graph, headers(
        ("Location" = String, description = "Path of the graph"),
        ("ETag" = String, description = "Names its state"),
    )),
    (status = 400, description = "No JSON, not UTF-8, or not a graph id", body = ErrorBody),
    (status = 409, description = "The id is in use, or was before its graph was deleted", body = ErrorBody),
    (status = 413, description = "The file or the map is too large", body = ErrorBody),
    (status = 415, description = "Neither the format nor the content type says how to read it", body = ErrorBody),
    (status = 422, description = "The file has mistakes", body = ErrorBody),
))]
pub async fn import_graph(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    Query(params): Query<ImportParams>,
    request: Request,
) -> Result<Response, ApiError> {
    let format = given::format(params.format.as_deref(), request.headers())?;
    let wanted = params.id.map(|id| path::graph_id(&id)).transpose()?;
    if wanted.as_ref().is_some_and(|id| !access.may(Action::Create, id)) {
        return Err(forbidden());
    }
    // Before the file is read, and until there is a map of it.
    let _share = app.hub.import_share(given::length(&request, app.config.limits.sync_bytes_max)).await?;
    let bytes = body::whole(request).await?;
    let now = app.clock.now();
    let nodes_max = app.config.limits.nodes_max;
    let read = tokio::task::spawn_blocking(move || formats::read(format, &bytes, nodes_max, now));
    let Import { map, id: own } = read.await.map_err(|_| ApiError::internal())??;

    let edit = MapEdit::Import(map.into());
    let own = own.filter(|_| wanted.is_none()).and_then(|id| GraphId::try_from(id.as_str()).ok());
    if let Some(own) = own.filter(|id| access.may(Action::Create, id)) {
        match app.hub.create(&own, edit.clone()).await {
            // The file's id is a wish: the map that has it stays.
            Err(RoomError::Exists | RoomError::Gone) => {}
            made => return Ok(graphs::made(&own, &made?)),
        }
    }
    if wanted.is_none() && !access.may_in_any(Action::Create) {
        return Err(forbidden());
    }
    let id = wanted.map_or_else(|| path::graph_id(&ids::fresh(now).to_string()), Ok)?;
    let view = graphs::create(&app, &id, edit).await?;
    Ok(graphs::made(&id, &view))
}

/// What other methods do at the paths of imports and of growing maps: they are the paths of maps with those ids as well.
pub fn maps_called_so() -> Router<AppState> {
    let map = || get(graphs::get_graph).patch(graphs::patch_graph).delete(graphs::delete_graph);
    Router::new().route(IMPORT_ROUTE, map()).route(GENERATE_ROUTE, map())
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        let message = error.to_string();
        match error {
            ImportError::NotText(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_text", message),
            ImportError::NotJson(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_json", message),
            ImportError::TooManyNodes(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "graph_too_large", message),
            ImportError::Problems(problems) => {
                let fields = problems.into_iter().map(|it| FieldError { field: it.field, message: it.message });
                Self::validation(&fields.collect::<Vec<_>>())
            }
        }
    }
}
