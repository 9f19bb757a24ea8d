//! What operators and their machines ask: how is it, is it alive, may it have traffic, what does it measure.

mod ai;

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use self::ai::{AiComponent, CacheComponent};
use super::{envelope::Rendered, state::AppState};
use crate::{
    bus::{BusHealth, BusState},
    config::DatabaseUrl,
    journal::JournalHealth,
    telemetry::metrics,
};

/// A database that takes longer for one question is down for the purposes of a health check.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// How one part, or the whole, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, with less than it should.
    Degraded,
    /// It does not work.
    Down,
}

/// How the server is, part by part.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The worst of the components.
    #[schema(example = "ok")]
    status: Status,
    /// Version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Seconds since the start.
    #[schema(example = 86_400.25)]
    uptime_seconds: f64,
    /// The parts.
    components: Components,
}

/// The parts of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Components {
    /// The store.
    database: Database,
    /// The group commit.
    journal: JournalComponent,
    /// The open maps.
    rooms: Rooms,
    /// The connections of all transports.
    connections: Connections,
    /// What the node has to do.
    load: Load,
    /// The bus between nodes.
    bus: BusComponent,
    /// The AI's provider.
    ai: AiComponent,
    /// The cache of its answers.
    cache: CacheComponent,
}

/// Whether other nodes are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusStatus {
    /// There is no bus: this is the only node.
    Off,
    /// They are.
    Up,
    /// Redis cannot be reached: the node goes on alone, meets the others in the database, and tries again. The whole is
    /// `degraded`, and as ready as before.
    Away,
}

/// The bus between nodes.
#[derive(Debug, Serialize, ToSchema)]
pub struct BusComponent {
    /// How it is.
    #[schema(example = "up")]
    status: BusStatus,
    /// Other nodes that give signs of life.
    #[schema(example = 2)]
    nodes: usize,
    /// Why Redis cannot be reached, if it cannot.
    #[schema(example = json!(null))]
    last_error: Option<String>,
}

/// The store.
#[derive(Debug, Serialize, ToSchema)]
pub struct Database {
    /// How it is.
    status: Status,
    /// Milliseconds that it took for a question; null when it did not answer within a second.
    #[schema(example = 0.12)]
    latency_ms: Option<f64>,
    /// Which kind.
    #[schema(example = "sqlite")]
    backend: &'static str,
}

/// The group commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalComponent {
    /// `degraded` while commits fail or take too long.
    status: Status,
    /// Bytes of edits that are not on disk yet.
    backlog_bytes: u64,
    /// Milliseconds that the last commit took.
    #[schema(example = 0.31)]
    last_commit_ms: f64,
    /// Why the last commit failed, if it did.
    last_error: Option<String>,
}

/// The open maps.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rooms {
    /// How they are.
    status: Status,
    /// Rooms that are open.
    open: usize,
}

/// The connections of all transports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connections {
    /// `degraded` when no place is left.
    status: Status,
    /// Connections that are open.
    open: usize,
    /// As many as there may be; null = no limit.
    #[schema(example = 10_000)]
    max: Option<usize>,
}

/// What the node has to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Load {
    /// `degraded` while there is too much of something, so that new clients are sent to polling.
    status: Status,
    /// What there is too much of: `memory`, `slow commits` or `busy processors`.
    #[schema(example = json!(null))]
    cause: Option<String>,
}

/// Whether a load balancer may send traffic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it may.
    ready: bool,
    /// Why not: `draining`, `journal_unhealthy` or `store_down`.
    #[schema(example = json!(null))]
    reason: Option<&'static str>,
}

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// Always true; a process that is not alive does not answer.
    alive: bool,
}

/// How every component is
///
/// 503 when the whole is `down`, else 200.
#[utoipa::path(get, path = "/health", tag = "operations", responses(
    (status = 200, description = "`ok` or `degraded`", body = Health),
    (status = 503, description = "`down`", body = Health),
))]
pub async fn health(State(app): State<AppState>) -> Response {
    let components = components(&app).await;
    let status = components.worst();
    let uptime_seconds = app.uptime.elapsed().as_secs_f64();
    let health = Health { status, version: env!("CARGO_PKG_VERSION"), uptime_seconds, components };
    answer(status != Status::Down, &health)
}

/// Whether the process is alive
#[utoipa::path(get, path = "/live", tag = "operations", responses((status = 200, description = "It is", body = Liveness)))]
pub async fn live() -> Response {
    answer(true, &Liveness { alive: true })
}

/// Whether a load balancer may send traffic
#[utoipa::path(get, path = "/ready", tag = "operations", responses(
    (status = 200, description = "It may", body = Readiness),
    (status = 503, description = "It may not, and why", body = Readiness),
))]
pub async fn ready(State(app): State<AppState>) -> Response {
    let reason = if app.draining.is_cancelled() {
        Some("draining")
    } else if !app.journal.health().healthy {
        Some("journal_unhealthy")
    } else if !*app.store_up.borrow() {
        Some("store_down")
    } else {
        None
    };
    answer(reason.is_none(), &Readiness { ready: reason.is_none(), reason })
}

/// Measurements for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain"),
))]
pub async fn metrics(State(app): State<AppState>) -> Response {
    let metrics = metrics::get();
    metrics.database.note(app.store.pool_size());
    let kept = app.cache.stats();
    metrics.cache.note_bytes(kept.memory_bytes, kept.disk_bytes);
    metrics.breakers(&app.breakers.list());
    let text_format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, text_format)], metrics.render()).into_response()
}

async fn components(app: &AppState) -> Components {
    let latency = timeout(PING_WITHIN, app.store.ping()).await.ok().and_then(Result::ok);
    let stats = app.hub.stats();
    let max = Some(app.config.limits.max_connections).filter(|max| *max > 0);
    Components {
        database: Database {
            status: if latency.is_some() { Status::Ok } else { Status::Down },
            latency_ms: latency.map(|latency| latency.as_secs_f64() * 1000.0),
            backend: match app.config.database_url {
                DatabaseUrl::Sqlite(_) => "sqlite",
                DatabaseUrl::Postgres(_) => "postgres",
            },
        },
        journal: app.journal.health().into(),
        rooms: Rooms { status: Status::Ok, open: stats.rooms },
        connections: Connections {
            status: if max.is_some_and(|max| stats.sessions >= max) { Status::Degraded } else { Status::Ok },
            open: stats.sessions,
            max,
        },
        load: Load {
            status: if app.strain.current().is_some() { Status::Degraded } else { Status::Ok },
            cause: app.strain.current().map(|cause| cause.to_string()),
        },
        bus: app.bus.health().into(),
        ai: AiComponent::new(&app.config.ai, &app.breakers.list()),
        cache: app.cache.stats().into(),
    }
}

impl Components {
    fn worst(&self) -> Status {
        let bus = if self.bus.status == BusStatus::Away { Status::Degraded } else { Status::Ok };
        let parts = [
            self.database.status,
            self.journal.status,
            self.rooms.status,
            self.connections.status,
            self.load.status,
            bus,
            self.ai.status,
            self.cache.status,
        ];
        parts.into_iter().fold(Status::Ok, Status::max)
    }
}

impl From<JournalHealth> for JournalComponent {
    fn from(health: JournalHealth) -> Self {
        let JournalHealth { healthy, backlog_bytes, last_commit_ms, last_error } = health;
        let status = if healthy { Status::Ok } else { Status::Degraded };
        Self { status, backlog_bytes, last_commit_ms, last_error }
    }
}

impl From<BusHealth> for BusComponent {
    fn from(health: BusHealth) -> Self {
        let BusHealth { state, nodes, last_error } = health;
        let status = match state {
            BusState::Off => BusStatus::Off,
            BusState::Up => BusStatus::Up,
            BusState::Away => BusStatus::Away,
        };
        Self { status, nodes, last_error }
    }
}

fn answer(good: bool, body: &impl Serialize) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let no_store = HeaderValue::from_static("no-store");
    (status, Extension(Rendered), [(header::CACHE_CONTROL, no_store)], Json(body)).into_response()
}
