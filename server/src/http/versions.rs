//! `/v1/graphs/{graph_id}/versions`: states of a map that are kept.

use axum::{
    Extension, Json,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use synapti_crdt::map::projection::GraphJson;
use utoipa::{IntoParams, ToSchema};

use super::{
    body::Valid,
    dto::{CreateVersion, PatchVersion, RestoreVersion},
    error::{ApiError, ErrorBody},
    graphs::{graph, limit_of, location},
    path::{InGraph, Version as InVersion},
    schema::Graph,
    state::AppState,
};
use crate::{
    auth::Access,
    store::{VersionId, VersionRecord},
};

/// A state of a map that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Its id.
    #[schema(example = "42")]
    id: String,
    /// `named`: somebody gave it a name, and it stays. `automatic`: made after edits; `before_restore`: what the map was
    /// before an older version was restored; both are thinned out with time.
    #[schema(example = "named")]
    kind: &'static str,
    /// What it is called.
    #[schema(example = "Before the workshop")]
    name: Option<String>,
    /// Who made it, or whose edits led to it, as far as they said.
    #[schema(example = "Ada")]
    author: Option<String>,
    /// RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T00:00:00Z")]
    created_at: Timestamp,
    /// Size of the state.
    #[schema(example = 18_230)]
    bytes: u64,
}

/// A version with the map as it was then.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionPreview {
    #[serde(flatten)]
    version: Version,
    /// The map.
    #[schema(value_type = Graph)]
    graph: GraphJson,
}

/// One page of versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionList {
    /// The versions.
    versions: Vec<Version>,
    /// Hand it in as `cursor` for the next page; null on the last one.
    #[schema(example = "41")]
    next_cursor: Option<String>,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VersionParams {
    /// Versions on a page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the versions of a map, newest first
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/versions", tag = "versions", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    VersionParams,
), responses(
    (status = 200, description = "A page", body = VersionList),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Parameters that are not valid", body = ErrorBody),
))]
pub async fn list_versions(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    Query(params): Query<VersionParams>,
) -> Result<Json<VersionList>, ApiError> {
    let limit = limit_of(params.limit.as_deref())?;
    let before = params.cursor.as_deref().map(parse_cursor).transpose()?;
    // One more than asked for tells whether there is a next page.
    let mut records = app.history.list(&id, before, limit + 1).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next_cursor = records.last().filter(|_| more).map(|record| record.id.0.to_string());
    Ok(Json(VersionList { versions: records.into_iter().map(Version::from).collect(), next_cursor }))
}

/// Keeps the map as it is now
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/versions", tag = "versions", request_body = CreateVersion, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 201, description = "Kept", body = Version, headers(("Location" = String, description = "Path of the version"))),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 409, description = "The map has as many named versions as it may have", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn create_version(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    Extension(access): Extension<Access>,
    Valid(wanted): Valid<CreateVersion>,
) -> Result<Response, ApiError> {
    let record = app.history.keep(&id, wanted.name, author(&access, wanted.author)).await?;
    let path = format!("/v1/graphs/{id}/versions/{}", record.id.0);
    Ok((StatusCode::CREATED, [(header::LOCATION, location(&path))], Json(Version::from(record))).into_response())
}

/// Shows a version with the map as it was then
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/versions/{version_id}", tag = "versions", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("version_id" = String, Path, description = "The version", example = "42"),
), responses(
    (status = 200, description = "The version", body = VersionPreview),
    (status = 404, description = "No such graph or version", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn get_version(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    InVersion(version): InVersion,
) -> Result<Json<VersionPreview>, ApiError> {
    let (record, view) = app.history.preview(&id, version).await?;
    Ok(Json(VersionPreview { version: record.into(), graph: view.graph }))
}

/// Gives a version a name, so that it stays
#[utoipa::path(patch, path = "/v1/graphs/{graph_id}/versions/{version_id}", tag = "versions", request_body = PatchVersion, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("version_id" = String, Path, description = "The version", example = "42"),
), responses(
    (status = 200, description = "The version", body = Version),
    (status = 404, description = "No such graph or version", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn patch_version(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    InVersion(version): InVersion,
    Valid(wanted): Valid<PatchVersion>,
) -> Result<Json<Version>, ApiError> {
    let record = app.history.rename(&id, version, &wanted.name).await?;
    Ok(Json(record.into()))
}

/// Removes a version
#[utoipa::path(delete, path = "/v1/graphs/{graph_id}/versions/{version_id}", tag = "versions", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("version_id" = String, Path, description = "The version", example = "42"),
), responses(
    (status = 204, description = "Removed"),
    (status = 404, description = "No such graph or version", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn delete_version(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    InVersion(version): InVersion,
) -> Result<StatusCode, ApiError> {
    app.history.remove(&id, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the map what it was in a version
///
/// As an edit that everybody who has the map open sees at once; nobody's work is lost, because the map as it is now becomes a
/// version first. Answers when it is saved.
#[utoipa::path(post, path = "/v1/graphs/{graph_id}/versions/{version_id}/restore", tag = "versions",
    request_body = RestoreVersion, params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("version_id" = String, Path, description = "The version", example = "42"),
), responses(
    (status = 200, description = "The map", body = Graph, headers(("ETag" = String, description = "Names its state"))),
    (status = 404, description = "No such graph or version", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
    (status = 413, description = "The map would be too large", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
))]
pub async fn restore_version(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    InVersion(version): InVersion,
    Extension(access): Extension<Access>,
    Valid(wanted): Valid<RestoreVersion>,
) -> Result<Response, ApiError> {
    let view = app.history.restore(&id, version, author(&access, wanted.author)).await?;
    Ok(graph(StatusCode::OK, &view))
}

impl From<VersionRecord> for Version {
    fn from(record: VersionRecord) -> Self {
        let VersionRecord { id, version, bytes, .. } = record;
        Self {
            id: id.0.to_string(),
            kind: version.kind.as_str(),
            name: version.name,
            author: version.author,
            created_at: version.at,
            bytes,
        }
    }
}

/// Who has a name of their own cannot go under another one.
fn author(access: &Access, claimed: Option<String>) -> Option<String> {
    access.display_name().map(str::to_owned).or(claimed)
}

fn parse_cursor(text: &str) -> Result<VersionId, ApiError> {
    let number = text.parse().map_err(|_| ApiError::field("cursor", "not a cursor of this list".to_owned()))?;
    Ok(VersionId(number))
}
