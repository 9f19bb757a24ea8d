//! Settings: flags before environment before configuration file before defaults.
//!
//! [`table`] lists every key once. Nothing else in the program reads the environment.

mod ai;
mod error;
pub mod key;
mod layers;
mod secret;
mod suggest;
pub mod table;
#[cfg(test)]
mod tests;
mod value;

use std::{
    ffi::OsString,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::ConfigError;
use key::KeySpec;
use layers::Layers;
pub use secret::{DatabaseUrl, HIDDEN, Secret};
pub use value::{AiFallback, AiProvider, AuthMode, MicroDollars, RedisAtStart};

use crate::{auth::key_source::KeyPlace, bus::redis::Address, limits::address::TrustedProxies};

/// Environment variables that begin like this are ours, so a misspelt one is an error.
pub const ENV_PREFIX: &str = "SYNAPTI_";

/// Carries the token of commands that speak to a server; no setting.
pub const TOKEN_ENV_NAME: &str = "SYNAPTI_TOKEN";

/// What to tell whoever shares a Redis and not a database.
const REDIS_WITH_A_FILE: &str = "SYNAPTI_REDIS_URL is set, and SYNAPTI_DATABASE_URL names a SQLite file: a file belongs to one node, \
    so there is nobody to hear over Redis. Several nodes need one PostgreSQL database";

/// Everything that can be set, checked. `Debug` shows no secrets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where maps are kept.
    pub database_url: DatabaseUrl,
    /// Where edits are set aside that could not be saved; unset = beside the data.
    pub spill_folder: Option<PathBuf>,
    /// Versions of maps.
    pub history: HistoryConfig,
    /// Where versions are read as well, if there is a standby of the `PostgreSQL` server.
    pub database_replica_url: Option<Secret>,
    /// Bus between nodes, if there is to be one.
    pub redis_url: Option<Address>,
    /// How that is reached.
    pub redis: RedisConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// How much of everything.
    pub limits: Limits,
    /// Which models are asked, and with which key.
    pub ai: AiConfig,
    /// Answers that are kept.
    pub cache: CacheConfig,
    /// Proxies whose word about other addresses is taken.
    pub trusted_proxies: TrustedProxies,
    /// Log filter, known to parse.
    pub log: String,
    /// Time over which connections are closed after SIGTERM.
    pub shutdown_grace: Duration,
    /// Time that a room stays open after its last session left.
    pub room_idle_close_after: Duration,
    /// What to tell the operator at start: settings that were made and have no effect in this version.
    pub warnings: Vec<String>,
}

/// How the bus between nodes is reached.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// What to do when it does not answer at start.
    pub at_start: RedisAtStart,
    /// Certificates of the authorities to trust; unset = the well-known ones.
    pub ca_file: Option<PathBuf>,
}

/// Who may do what.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Whether a token is needed.
    pub mode: AuthMode,
    /// Signs tokens (HS256).
    pub secret: Option<Secret>,
    /// Where the public keys are that check tokens (RS256, ES256).
    pub jwks: Option<KeyPlace>,
    /// What tokens must have as `iss`.
    pub issuer: Option<String>,
    /// What tokens must have as `aud`, or in it.
    pub audience: Option<String>,
    /// Origins besides our own whose pages may use the server, as browsers write them.
    pub allowed_origins: Vec<String>,
    /// Consent to [`AuthMode::Open`] on an address that is not loopback.
    pub open_anywhere: bool,
}

impl fmt::Display for AuthConfig {
    /// What counts, and where keys come from; no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mode == AuthMode::Open {
            return f.write_str("open: everybody may do everything");
        }
        f.write_str("tokens required")?;
        if self.secret.is_some() {
            f.write_str("; HS256 with auth.secret")?;
        }
        match &self.jwks {
            Some(place) => write!(f, "; RS256 and ES256 with the keys of {place}"),
            None => Ok(()),
        }
    }
}

/// When versions are made without being asked for, and how long they stay.
#[derive(Clone, Copy, Debug)]
pub struct HistoryConfig {
    /// Time between two automatic versions while a map is edited; zero = none are made.
    pub auto_every: Duration,
    /// Days that automatic versions are kept; 0 = for ever.
    pub keep_days: u32,
}

/// How much of everything; 0 = no limit, except for `feed_bytes_max`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of the node.
    pub max_connections: usize,
    /// Connections of one user, API key or guest.
    pub max_connections_per_client: usize,
    /// Connections of one address.
    pub max_connections_per_ip: usize,
    /// Connections of one room.
    pub max_connections_per_room: usize,
    /// Bytes of one message or request body.
    pub message_bytes_max: usize,
    /// Bytes of one `SyncStep2`.
    pub sync_bytes_max: usize,
    /// Bytes of one encoded map.
    pub document_bytes_max: usize,
    /// Nodes of one map.
    pub nodes_max: usize,
    /// Messages per second of one connection.
    pub messages_per_second: u32,
    /// Bytes per second of one connection.
    pub bytes_per_second: u32,
    /// Clients let in per second.
    pub joins_per_second: u32,
    /// HTTP requests per second of one client.
    pub requests_per_second: u32,
    /// Bytes of memory from which on the node counts as overloaded; unset = by what the machine has.
    pub memory_bytes_max: Option<usize>,
    /// Bytes of edits that rooms may be ahead of a store that is behind.
    pub unsaved_bytes_max: usize,
    /// Bytes of a room's ring of recent frames.
    pub feed_bytes_max: usize,
}

/// Which models are asked, and with which key.
#[derive(Clone, Debug)]
pub struct AiConfig {
    /// The provider; unset = by the key that is set.
    pub provider: Option<AiProvider>,
    /// Base URL, if not the provider's own.
    pub base_url: Option<String>,
    /// Model, if not the provider's default.
    pub model: Option<String>,
    /// Key for the chosen provider; goes before the three below.
    pub api_key: Option<Secret>,
    /// Key for `OpenAI`.
    pub openai_api_key: Option<Secret>,
    /// Key for Anthropic.
    pub anthropic_api_key: Option<Secret>,
    /// Key for Gemini.
    pub gemini_api_key: Option<Secret>,
    /// What answers when the provider cannot be asked.
    pub fallback: AiFallback,
    /// Until the first byte of an answer.
    pub first_byte_timeout: Duration,
    /// Longest standstill of an answer.
    pub idle_timeout: Duration,
    /// For one answer.
    pub total_timeout: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// Tokens that a model may write in one answer.
    pub output_tokens_max: u32,
    /// Tokens of the map that a model is told, about.
    pub context_tokens_max: u32,
    /// Runs at one time on this node.
    pub runs_per_node: u32,
    /// Runs at one time for one user; 0 = no limit.
    pub runs_per_user: u32,
    /// Runs at one time in one map; 0 = no limit.
    pub runs_per_graph: u32,
    /// Runs that may wait; 0 = no limit.
    pub queue_max: u32,
    /// Tokens a day for one user; 0 = no limit.
    pub tokens_per_user_day: u64,
    /// Tokens a day for one map; 0 = no limit.
    pub tokens_per_graph_day: u64,
    /// Cost a day for one user; 0 = no limit.
    pub cost_per_user_day: MicroDollars,
    /// Cost a day for one map; 0 = no limit.
    pub cost_per_graph_day: MicroDollars,
    /// For a million tokens that the model reads.
    pub price_input: Option<MicroDollars>,
    /// For a million tokens that the model writes.
    pub price_output: Option<MicroDollars>,
}

/// Where the AI's answers are kept, and how many.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Bytes in memory; 0 = none.
    pub memory_bytes_max: usize,
    /// Bytes on disk; 0 = none.
    pub disk_bytes_max: u64,
    /// Where on disk; unset = beside the data.
    pub folder: Option<PathBuf>,
}

impl Config {
    /// Reads and checks all settings. `env` is the environment (or a test's idea of one), `flags` what the command
    /// line set.
    pub fn load<K: Into<OsString>, V: Into<OsString>>(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (K, V)>,
        flags: &[(&'static KeySpec, String)],
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::default();
        if let Some(path) = file {
            layers.add_file(path)?;
        }
        layers.add_env(env.into_iter().map(|(name, value)| (name.into(), value.into())))?;
        layers.add_flags(flags);
        let mut config = Self::from_layers(&layers)?;
        config.check()?;
        if config.redis_url.is_some() && matches!(config.database_url, DatabaseUrl::Sqlite(_)) {
            config.warnings.push(REDIS_WITH_A_FILE.to_owned());
        }
        Ok(config)
    }

    fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        let warn = |name: String| format!("{name} has no effect in this version");
        Ok(Self {
            listen: layers.get(&table::LISTEN)?,
            database_url: layers.get(&table::DATABASE_URL)?,
            spill_folder: layers.get_optional(&table::SPILL_FOLDER)?,
            history: HistoryConfig {
                auto_every: layers.get(&table::HISTORY_AUTO_EVERY)?,
                keep_days: layers.get(&table::HISTORY_KEEP_DAYS)?,
            },
            database_replica_url: layers.get_optional(&table::DATABASE_REPLICA_URL)?,
            redis_url: layers.get_optional(&table::REDIS_URL)?,
            redis: RedisConfig {
                at_start: layers.get(&table::REDIS_AT_START)?,
                ca_file: layers.get_optional(&table::REDIS_CA_FILE)?,
            },
            auth: AuthConfig {
                mode: layers.get(&table::AUTH_MODE)?,
                secret: layers.get_optional(&table::AUTH_SECRET)?,
                jwks: layers.get_optional(&table::AUTH_JWKS)?,
                issuer: layers.get_optional(&table::AUTH_ISSUER)?,
                audience: layers.get_optional(&table::AUTH_AUDIENCE)?,
                allowed_origins: layers.get_optional(&table::AUTH_ALLOWED_ORIGINS)?.unwrap_or_default(),
                open_anywhere: layers.get(&table::AUTH_OPEN_ANYWHERE)?,
            },
            limits: Limits::from_layers(layers)?,
            trusted_proxies: layers.get_optional(&table::TRUSTED_PROXIES)?.unwrap_or_default(),
            ai: AiConfig::from_layers(layers)?,
            cache: CacheConfig {
                memory_bytes_max: layers.get(&table::CACHE_MEMORY_BYTES_MAX)?,
                disk_bytes_max: layers.get(&table::CACHE_DISK_BYTES_MAX)?,
                folder: layers.get_optional(&table::CACHE_FOLDER)?,
            },
            log: layers.get(&table::LOG)?,
            shutdown_grace: layers.get(&table::SHUTDOWN_GRACE)?,
            room_idle_close_after: layers.get(&table::ROOM_IDLE_CLOSE_AFTER)?,
            warnings: layers.without_effect().into_iter().map(warn).collect(),
        })
    }

    /// What is wrong only in combination.
    fn check(&self) -> Result<(), ConfigError> {
        if self.auth.mode == AuthMode::Required && self.auth.secret.is_none() && self.auth.jwks.is_none() {
            return Err(ConfigError::NoKeys);
        }
        let is_public = !self.listen.ip().to_canonical().is_loopback();
        if self.auth.mode == AuthMode::Open && is_public && !self.auth.open_anywhere {
            return Err(ConfigError::OpenToStrangers { listen: self.listen });
        }
        if self.database_replica_url.is_some() && matches!(self.database_url, DatabaseUrl::Sqlite(_)) {
            return Err(ConfigError::ReplicaOfAFile);
        }
        if self.redis.ca_file.is_some() && !self.redis_url.as_ref().is_some_and(Address::is_tls) {
            return Err(ConfigError::CaWithoutTls);
        }
        self.ai.check()
    }
}

impl Default for Config {
    /// The settings of a program that nobody configured.
    fn default() -> Self {
        let nothing: [(OsString, OsString); 0] = [];
        Self::load(None, nothing, &[]).expect("the defaults of the table are valid, as a test shows")
    }
}

impl Limits {
    fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            max_connections: layers.get(&table::MAX_CONNECTIONS)?,
            max_connections_per_client: layers.get(&table::MAX_CONNECTIONS_PER_CLIENT)?,
            max_connections_per_ip: layers.get(&table::MAX_CONNECTIONS_PER_IP)?,
            max_connections_per_room: layers.get(&table::MAX_CONNECTIONS_PER_ROOM)?,
            message_bytes_max: layers.get(&table::MESSAGE_BYTES_MAX)?,
            sync_bytes_max: layers.get(&table::SYNC_BYTES_MAX)?,
            document_bytes_max: layers.get(&table::DOCUMENT_BYTES_MAX)?,
            nodes_max: layers.get(&table::NODES_MAX)?,
            messages_per_second: layers.get(&table::MESSAGES_PER_SECOND)?,
            bytes_per_second: layers.get(&table::BYTES_PER_SECOND)?,
            joins_per_second: layers.get(&table::JOINS_PER_SECOND)?,
            requests_per_second: layers.get(&table::REQUESTS_PER_SECOND)?,
            memory_bytes_max: layers.get_optional(&table::MEMORY_BYTES_MAX)?,
            unsaved_bytes_max: layers.get(&table::UNSAVED_BYTES_MAX)?,
            feed_bytes_max: layers.get(&table::FEED_BYTES_MAX)?,
        })
    }
}

impl AiConfig {
    fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            provider: layers.get_optional(&table::AI_PROVIDER)?,
            base_url: layers.get_optional(&table::AI_BASE_URL)?,
            model: layers.get_optional(&table::AI_MODEL)?,
            api_key: layers.get_optional(&table::AI_API_KEY)?,
            openai_api_key: layers.get_optional(&table::AI_OPENAI_API_KEY)?,
            anthropic_api_key: layers.get_optional(&table::AI_ANTHROPIC_API_KEY)?,
            gemini_api_key: layers.get_optional(&table::AI_GEMINI_API_KEY)?,
            fallback: layers.get(&table::AI_FALLBACK)?,
            first_byte_timeout: layers.get(&table::AI_FIRST_BYTE_TIMEOUT)?,
            idle_timeout: layers.get(&table::AI_IDLE_TIMEOUT)?,
            total_timeout: layers.get(&table::AI_TOTAL_TIMEOUT)?,
            retries: layers.get(&table::AI_RETRIES)?,
            output_tokens_max: layers.get(&table::AI_OUTPUT_TOKENS_MAX)?,
            context_tokens_max: layers.get(&table::AI_CONTEXT_TOKENS_MAX)?,
            runs_per_node: layers.get(&table::AI_RUNS_PER_NODE)?,
            runs_per_user: layers.get(&table::AI_RUNS_PER_USER)?,
            runs_per_graph: layers.get(&table::AI_RUNS_PER_GRAPH)?,
            queue_max: layers.get(&table::AI_QUEUE_MAX)?,
            tokens_per_user_day: layers.get(&table::AI_TOKENS_PER_USER_DAY)?,
            tokens_per_graph_day: layers.get(&table::AI_TOKENS_PER_GRAPH_DAY)?,
            cost_per_user_day: layers.get(&table::AI_COST_PER_USER_DAY)?,
            cost_per_graph_day: layers.get(&table::AI_COST_PER_GRAPH_DAY)?,
            price_input: layers.get_optional(&table::AI_PRICE_INPUT)?,
            price_output: layers.get_optional(&table::AI_PRICE_OUTPUT)?,
        })
    }
}
