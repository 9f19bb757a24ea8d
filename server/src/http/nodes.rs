//! `/v1/graphs/{graph_id}/nodes`.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use synapti_crdt::map::{Children, EditError, MapEdit, projection::NodeJson};
use utoipa::{IntoParams, ToSchema};

use super::{
    body::Valid,
    dto::{CreateNode, PatchNode},
    error::{ApiError, ErrorBody},
    graphs::location,
    path::{Element, InGraph, segment},
    schema::Node,
    state::AppState,
};
use crate::{
    ids,
    room::{GraphView, RoomError},
};

/// How to remove a node.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RemoveParams {
    /// What becomes of its children.
    #[param(inline)]
    children: Option<ChildrenParam>,
}

/// What becomes of the children of a removed node.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChildrenParam {
    /// The whole branch is removed; this is the default.
    Remove,
    /// They take the node's place under its parent.
    Lift,
}

/// Adds a node
///
/// Answers when it is saved.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/nodes", tag = "nodes", request_body = CreateNode, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 201, description = "Added", body = Node, headers(("Location" = String, description = "Path of the node"))),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 409, description = "The map has a node with this id", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 413, description = "The body or the map would be too large", body = ErrorBody),
    (status = 422, description = "Fields that are not valid, such as a parent that is no node", body = ErrorBody),
))]
pub async fn create_node(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Valid(wanted): Valid<CreateNode>,
) -> Result<Response, ApiError> {
    let new = wanted.into_node(|| ids::fresh(app.clock.now()).to_string());
    let (id, sibling) = (new.id.clone(), sibling_field(new.before.as_ref()));
    let edited = app.hub.edit(&graph, MapEdit::AddNode(new)).await;
    let view = edited.map_err(|error| name_sibling(error, sibling))?;
    let node = find(&view, &id)?;
    let path = format!("/v1/graphs/{graph}/nodes/{}", segment(&id));
    Ok((StatusCode::CREATED, [(header::LOCATION, location(&path))], Json(node)).into_response())
}

/// Reads a node
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/nodes/{node_id}", tag = "nodes", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("node_id" = String, Path, description = "The node", example = "mars"),
), responses(
    (status = 200, description = "The node", body = Node),
    (status = 404, description = "No such graph or node", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn get_node(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
) -> Result<Response, ApiError> {
    let view = app.hub.view(&graph).await?;
    find(&view, &id).map(|node| Json(node).into_response())
}

/// Changes or moves a node
///
/// Absent fields stay as they are, null clears. Answers when the change is saved.
#[utoipa::path(patch, path = "/v1/graphs/{graph_id}/nodes/{node_id}", tag = "nodes", request_body = PatchNode, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("node_id" = String, Path, description = "The node", example = "mars"),
), responses(
    (status = 200, description = "The node", body = Node),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph or node", body = ErrorBody),
    (status = 409, description = "The root cannot move, and nothing can move under its own branch", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 413, description = "The body or the map would be too large", body = ErrorBody),
    (status = 422, description = "Fields that are not valid, such as a parent that is no node", body = ErrorBody),
))]
pub async fn patch_node(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
    Valid(wanted): Valid<PatchNode>,
) -> Result<Response, ApiError> {
    let patch = wanted.into_patch();
    let sibling = sibling_field(patch.before.as_ref());
    let edited = app.hub.edit(&graph, MapEdit::PatchNode { id: id.clone(), patch }).await;
    let view = edited.map_err(|error| name_sibling(error, sibling))?;
    find(&view, &id).map(|node| Json(node).into_response())
}

/// Removes a node
///
/// With `children=remove` (the default) its whole branch, with `children=lift` only the node itself.
#[utoipa::path(delete, path = "/v1/graphs/{graph_id}/nodes/{node_id}", tag = "nodes", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("node_id" = String, Path, description = "The node", example = "mars"),
    RemoveParams,
), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such graph or node", body = ErrorBody),
    (status = 409, description = "The root cannot be removed while there are other nodes", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "A value that `children` does not take", body = ErrorBody),
))]
pub async fn delete_node(
    State(app): State<AppState>,
    InGraph(graph): InGraph,
    Element(id): Element,
    params: Result<Query<RemoveParams>, axum::extract::rejection::QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let Query(params) = params.map_err(|_| ApiError::field("children", "must be `remove` or `lift`".to_owned()))?;
    let children = match params.children {
        Some(ChildrenParam::Lift) => Children::Lift,
        Some(ChildrenParam::Remove) | None => Children::Remove,
    };
    app.hub.edit(&graph, MapEdit::RemoveNode { id, children }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A place is given by one of two fields, never by both.
fn sibling_field(before: Option<&String>) -> &'static str {
    if before.is_some() { "before" } else { "after" }
}

/// The map knows which sibling is missing; only the request knows which field named it.
fn name_sibling(error: RoomError, field: &str) -> ApiError {
    match error {
        RoomError::Edit(error @ EditError::SiblingNotFound(_)) => ApiError::field(field, error.to_string()),
        error => error.into(),
    }
}

fn find<'a>(view: &'a GraphView, id: &str) -> Result<&'a NodeJson, ApiError> {
    let node = view.graph.nodes.iter().find(|node| node.id == id);
    node.ok_or_else(|| EditError::NodeNotFound(id.to_owned()).into())
}
