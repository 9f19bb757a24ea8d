//! The cache of the AI's answers that the settings ask for.

use std::path::PathBuf;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::sqlite_folder;
use crate::{
    breaker::Breakers,
    bus::SharedCache,
    cache::{Cache, CacheParts},
    clock::Clock,
    config::{Config, DatabaseUrl},
};

/// What the folder is called that stands beside the data.
const FOLDER: &str = "cache";

/// Starts it, and lists what guards its shared tier.
pub(super) fn start(
    config: &Config,
    shared: Option<SharedCache>,
    breakers: &Breakers,
    background: &TaskTracker,
    stop: CancellationToken,
) -> Cache {
    if let Some(shared) = &shared {
        breakers.add(shared.breaker().clone());
    }
    let parts = CacheParts {
        memory_bytes_max: config.cache.memory_bytes_max,
        disk_bytes_max: config.cache.disk_bytes_max,
        folder: folder(config),
        shared,
        clock: Clock::system(),
    };
    Cache::start(parts, background, stop)
}

fn folder(config: &Config) -> PathBuf {
    match (&config.cache.folder, &config.database_url) {
        (Some(folder), _) => folder.clone(),
        (None, DatabaseUrl::Sqlite(url)) => sqlite_folder(url).join(FOLDER),
        (None, DatabaseUrl::Postgres(_)) => PathBuf::from("data").join(FOLDER),
    }
}
