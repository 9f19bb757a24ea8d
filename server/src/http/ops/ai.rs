//! How the AI and its cache are.

use serde::Serialize;
use utoipa::ToSchema;

use super::Status;
use crate::{
    breaker::{BreakerReport, Position},
    bus::{SHARED_CACHE_BREAKER, SharedCacheState},
    cache::CacheStats,
    config::AiConfig,
    http::admin::BreakerState,
};

/// The AI's provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct AiComponent {
    /// `degraded` while a circuit breaker is open: the cache answers, or the built-in templates.
    #[schema(example = "ok")]
    pub status: Status,
    /// Who is asked: `openai`, `anthropic`, `gemini` or `template`.
    #[schema(example = "template")]
    provider: &'static str,
    /// The model; null = the provider's default.
    #[schema(example = json!(null))]
    model: Option<String>,
    /// What guards calls to providers.
    breakers: Vec<NamedBreaker>,
}

/// How a circuit breaker stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedBreaker {
    /// Its name.
    #[schema(example = "openai")]
    name: String,
    /// How it stands.
    state: BreakerState,
}

/// The cache of the AI's answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheComponent {
    /// `degraded` while the disk or Redis does not do its part; the rest of the cache works.
    pub status: Status,
    /// Bytes in memory.
    memory_bytes: u64,
    /// Bytes on disk.
    disk_bytes: u64,
    /// Share of look-ups that were answered since the start.
    #[schema(example = 0.4)]
    hit_rate: f64,
    /// The part that nodes share.
    shared: SharedTier,
}

/// The part of the cache that nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SharedTier {
    /// There is none: this is the only node.
    Off,
    /// It answers.
    Up,
    /// Redis cannot be reached, or is left alone because it failed.
    Away,
}

impl AiComponent {
    pub fn new(config: &AiConfig, reports: &[BreakerReport]) -> Self {
        let of_providers = || reports.iter().filter(|report| report.name != SHARED_CACHE_BREAKER);
        let is_closed = of_providers().all(|report| report.position == Position::Closed);
        let named = |report: &BreakerReport| NamedBreaker { name: report.name.clone(), state: report.position.into() };
        Self {
            status: if is_closed { Status::Ok } else { Status::Degraded },
            provider: config.chosen().name(),
            model: config.model.clone(),
            breakers: of_providers().map(named).collect(),
        }
    }
}

impl From<CacheStats> for CacheComponent {
    fn from(stats: CacheStats) -> Self {
        let is_well = stats.is_disk_well && stats.shared != SharedCacheState::Away;
        Self {
            status: if is_well { Status::Ok } else { Status::Degraded },
            memory_bytes: stats.memory_bytes,
            disk_bytes: stats.disk_bytes,
            hit_rate: stats.hit_rate(),
            shared: match stats.shared {
                SharedCacheState::Off => SharedTier::Off,
                SharedCacheState::Up => SharedTier::Up,
                SharedCacheState::Away => SharedTier::Away,
            },
        }
    }
}
