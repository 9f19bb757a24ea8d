//! `/v1/graphs/{graph_id}/edges`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use synapti_crdt::map::{EditError, MapEdit, projection::EdgeJson};

use super::{
    body::Valid,
    dto::{CreateEdge, PatchEdge},
    error::{ApiError, ErrorBody},
    graphs::location,
    path::{Element, InGraph, segment},
    schema::Edge,
    state::AppState,
};
use crate::{
    ids,
    room::{GraphView, RoomError},
};

/// Adds a cross link
///
/// Answers when it is saved.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/edges", tag = "edges", request_body = CreateEdge, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 201, description = "Added", body = Edge, headers(("Location" = String, description = "Path of the edge"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 409, description = "The map has an edge with this id", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 413, description = "The body or the map would be too large", body = ErrorBody),
    (status = 422, description = "Fields that are not valid, such as an end that is no node", body = ErrorBody),
))]
pub async fn create_edge(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Valid(wanted): Valid<CreateEdge>,
) -> Result<Response, ApiError> {
    let new = wanted.into_edge(|| ids::fresh(app.clock.now()).to_string());
    let (id, source) = (new.id.clone(), new.source.clone());
    let edited = app.hub.edit(&graph, MapEdit::AddEdge(new)).await;
    let view = edited.map_err(|error| name_end(error, Some(&source)))?;
    let edge = find(&view, &id)?;
    let path = format!("/v1/graphs/{graph}/edges/{}", segment(&id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location(&path))], Json(edge)).into_response())
}

/// Reads an edge
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/edges/{edge_id}", tag = "edges", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("edge_id" = String, Path, description = "The edge", example = "mars-earth"),
), responses(
    (status = 200, description = "The edge", body = Edge),
    (status = 404, description = "No such graph or edge", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn get_edge(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
) -> Result<Response, ApiError> {
    let view = app.hub.view(&graph).await?;
    find(&view, &id).map(|edge| Json(edge).into_response())
}

/// Changes a cross link
///
/// Absent fields stay as they are. Answers when the change is saved.
#[utoipa::path(patch, path = "/v1/graphs/{graph_id}/edges/{edge_id}", tag = "edges", request_body = PatchEdge, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("edge_id" = String, Path, description = "The edge", example = "mars-earth"),
), responses(
    (status = 200, description = "The edge", body = Edge),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph or edge; edges of the tree cannot be edited", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid, such as an end that is no node", body = ErrorBody),
))]
pub async fn patch_edge(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
    Valid(wanted): Valid<PatchEdge>,
) -> Result<Response, ApiError> {
    let patch = wanted.into_patch();
    let source = patch.source.clone();
    let edited = app.hub.edit(&graph, MapEdit::PatchEdge { id: id.clone(), patch }).await;
    let view = edited.map_err(|error| name_end(error, source.as_deref()))?;
    find(&view, &id).map(|edge| Json(edge).into_response())
}

/// Removes a cross link
#[utoipa::path(delete, path = "/v1/graphs/{graph_id}/edges/{edge_id}", tag = "edges", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("edge_id" = String, Path, description = "The edge", example = "mars-earth"),
), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such graph or edge; edges of the tree cannot be removed", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn delete_edge(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
) -> Result<StatusCode, ApiError> {
    app.hub.edit(&graph, MapEdit::RemoveEdge { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The map knows which node is missing; only the request knows at which end it stood.
fn name_end(error: RoomError, source: Option<&str>) -> ApiError {
    match error {
        RoomError::Edit(EditError::EndpointNotFound(id)) => {
            let field = if source == Some(id.as_str()) { "source" } else { "target" };
            ApiError::field(field, EditError::EndpointNotFound(id).to_string())
        }
        error => error.into(),
    }
}

fn find<'a>(view: &'a GraphView, id: &str) -> Result<&'a EdgeJson, ApiError> {
    let edge = view.graph.edges.iter().find(|edge| edge.id == id);
    edge.ok_or_else(|| EditError::EdgeNotFound(id.to_owned()).into())
}
