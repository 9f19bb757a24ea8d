//! `/v1/admin`: what operators do to a node that runs.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ErrorBody},
    path::Named,
    state::AppState,
};
use crate::breaker::{BreakerReport, Position};

/// What was removed from the cache.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheCleared {
    /// Entries, tier by tier.
    cleared: ClearedTiers,
}

/// Entries that were removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClearedTiers {
    /// From this node's memory.
    #[schema(example = 12)]
    memory: u64,
    /// From this node's disk.
    #[schema(example = 40)]
    disk: u64,
    /// From Redis, for all nodes.
    #[schema(example = 40)]
    shared: u64,
}

/// The circuit breakers of this node.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakerList {
    /// One for each program that the node calls.
    breakers: Vec<BreakerView>,
}

/// Guards calls to one other program.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakerView {
    /// Its name.
    #[schema(example = "redis-cache")]
    name: String,
    /// How it stands.
    state: BreakerState,
    /// Failures in a row.
    #[schema(example = 0)]
    failures: u32,
    /// Failures in a row that open it.
    #[schema(example = 5)]
    failures_max: u32,
    /// How often it has opened since the start.
    #[schema(example = 0)]
    opened: u64,
    /// While it is open: seconds until it lets a call through.
    #[schema(example = json!(null))]
    retry_after_seconds: Option<f64>,
    /// Why the last call failed that did.
    #[schema(example = json!(null))]
    last_error: Option<String>,
}

/// How a circuit breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// None does: they fail at once, or something else answers.
    Open,
    /// One does, to find out.
    HalfOpen,
}

/// Removes all answers of the AI that are kept
///
/// From this node's memory and disk, and from Redis. Other nodes keep what they have in memory and on disk: ask each of them.
#[utoipa::path(post, path = "/v1/admin/cache/clear", tag = "operations", responses(
    (status = 200, description = "What was removed", body = CacheCleared),
))]
pub async fn clear_cache(State(app): State<AppState>) -> Json<CacheCleared> {
    let cleared = app.cache.clear().await;
    tracing::info!(
        memory = cleared.memory,
        disk = cleared.disk,
        shared = cleared.shared,
        "an operator cleared the cache"
    );
    let cleared = ClearedTiers { memory: cleared.memory, disk: cleared.disk, shared: cleared.shared };
    Json(CacheCleared { cleared })
}

/// Lists the circuit breakers of this node
#[utoipa::path(get, path = "/v1/admin/circuit-breakers", tag = "operations", responses(
    (status = 200, description = "How they stand", body = BreakerList),
))]
pub async fn list_breakers(State(app): State<AppState>) -> Json<BreakerList> {
    Json(BreakerList { breakers: app.breakers.list().into_iter().map(BreakerView::from).collect() })
}

/// Closes a circuit breaker
///
/// Calls go through again at once. If they go on failing, it opens again.
#[utoipa::path(post, path = "/v1/admin/circuit-breakers/{name}/reset", tag = "operations", params(
    ("name" = String, Path, description = "Its name, as the list has it", example = "redis-cache"),
), responses(
    (status = 200, description = "How it stands now", body = BreakerView),
    (status = 404, description = "There is none of this name", body = ErrorBody),
))]
pub async fn reset_breaker(State(app): State<AppState>, Named(name): Named) -> Result<Json<BreakerView>, ApiError> {
    let message = "there is no such circuit breaker; GET /v1/admin/circuit-breakers lists them";
    let none = || ApiError::new(StatusCode::NOT_FOUND, "breaker_not_found", message);
    Ok(Json(app.breakers.reset(&name).ok_or_else(none)?.into()))
}

impl From<BreakerReport> for BreakerView {
    fn from(report: BreakerReport) -> Self {
        let BreakerReport { name, position, failures, failures_max, retry_after, last_error, opened } = report;
        let retry_after_seconds = retry_after.map(|after| after.as_secs_f64());
        Self { name, state: position.into(), failures, failures_max, opened, retry_after_seconds, last_error }
    }
}

impl From<Position> for BreakerState {
    fn from(position: Position) -> Self {
        match position {
            Position::Closed => Self::Closed,
            Position::Open => Self::Open,
            Position::HalfOpen => Self::HalfOpen,
        }
    }
}
