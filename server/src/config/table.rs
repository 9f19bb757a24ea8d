//! Every setting there is. Environment, configuration file, flags, `--help` and the documentation follow this table.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    bus::{self, redis::Address},
    limits::address::TrustedProxies,
};

use super::{
    key::{Key, KeySpec},
    secret::{DatabaseUrl, Secret},
    value::{self, AiFallback, AiProvider, AuthMode, MicroDollars, RedisAtStart},
};
use crate::auth::key_source::KeyPlace;

/// Address to listen on.
pub static LISTEN: Key<SocketAddr> = Key::new(
    "listen",
    "127.0.0.1:8080",
    "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
    value::parsed,
    "Address to listen on; port 0 takes a free one",
);
/// Where maps are kept.
pub static DATABASE_URL: Key<DatabaseUrl> = Key::new(
    "database_url",
    "sqlite:data/synapti.db",
    "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME",
    value::database_url,
    "Where maps are kept; created and migrated at start",
);
/// Where edits are set aside that could not be saved.
pub static SPILL_FOLDER: Key<PathBuf> = Key::new(
    "spill_folder",
    "",
    "a path",
    value::path,
    "Folder for edits that could not be saved when the server had to stop; the next start reads them; \
     unset = beside the SQLite file, or data",
)
.optional();
/// Where versions may be read as well.
pub static DATABASE_REPLICA_URL: Key<Secret> = Key::new(
    "database_replica_url",
    "",
    "postgres://USER:PASSWORD@HOST/NAME",
    value::postgres_url,
    "A standby of the PostgreSQL server, from which versions are read when it knows enough; unset = none",
)
.optional()
.secret();
/// Bus between nodes.
pub static REDIS_URL: Key<Address> = Key::new(
    "redis_url",
    "",
    bus::redis::TAKES,
    Address::parse,
    "Redis, or a node of a Redis Cluster, over which nodes with one PostgreSQL database hear each other; unset = one node",
)
.optional()
.secret();
/// What to do when Redis does not answer at start.
pub static REDIS_AT_START: Key<RedisAtStart> = Key::new(
    "redis.at_start",
    "go_on",
    "go_on or fail",
    value::redis_at_start,
    "go_on = start alone when Redis does not answer, and join the others as soon as it does; fail = do not start",
);
/// Whom to trust.
pub static REDIS_CA_FILE: Key<PathBuf> = Key::new(
    "redis.ca_file",
    "",
    "a path",
    value::path,
    "Certificates (PEM) of the authorities to trust for rediss://; unset = the well-known ones",
)
.optional();
/// Log filter.
pub static LOG: Key<String> = Key::new(
    "log",
    "info",
    "a level (off, error, warn, info, debug, trace) or a list such as warn,synapti_server=debug",
    value::log_filter,
    "What is logged to standard error; JSON lines when that is not a terminal",
);
/// Whose word about other addresses is taken.
pub static TRUSTED_PROXIES: Key<TrustedProxies> = Key::new(
    "trusted_proxies",
    "",
    "IP addresses and networks such as 10.0.0.0/8, separated by commas",
    TrustedProxies::parse,
    "Proxies whose X-Forwarded-For is believed; unset = none",
)
.optional();
/// Time for draining.
pub static SHUTDOWN_GRACE: Key<Duration> = Key::new(
    "shutdown_grace",
    "10",
    value::SECONDS,
    value::seconds,
    "Seconds over which connections are closed after SIGTERM",
);
/// Time that a room without sessions stays open.
pub static ROOM_IDLE_CLOSE_AFTER: Key<Duration> = Key::new(
    "room_idle_close_after",
    "30",
    value::SECONDS,
    value::seconds,
    "Seconds that a room stays open after its last session left",
);

/// Time between automatic versions.
pub static HISTORY_AUTO_EVERY: Key<Duration> = Key::new(
    "history.auto_every",
    "600",
    value::SECONDS,
    value::seconds,
    "Seconds between two automatic versions of a map that is being edited; 0 = no automatic versions",
);
/// How long automatic versions stay.
pub static HISTORY_KEEP_DAYS: Key<u32> = Key::new(
    "history.keep_days",
    "90",
    "a whole number of days; 0 = for ever",
    value::limit,
    "Days that automatic versions are kept, ever fewer of them; named ones stay",
);

/// Who may connect.
pub static AUTH_MODE: Key<AuthMode> = Key::new(
    "auth.mode",
    "open",
    "open or required",
    value::auth_mode,
    "open = everybody who reaches the server may edit every map, refused on addresses that are not loopback; \
     required = tokens only, checked with auth.secret or auth.jwks",
);
/// Key that signs tokens.
pub static AUTH_SECRET: Key<Secret> = Key::new(
    "auth.secret",
    "",
    "at least 32 bytes",
    value::auth_secret,
    "Secret that tokens are signed with (HS256); without it `synapti token` makes none",
)
.optional()
.secret();
/// Public keys that check tokens.
pub static AUTH_JWKS: Key<KeyPlace> = Key::new(
    "auth.jwks",
    "",
    "a path, or an http:// or https:// URL without a user in it",
    value::key_place,
    "JSON Web Key Set for tokens that are signed with RS256 or ES256: a file or a URL, read again and again",
)
.optional();
/// Who makes tokens.
pub static AUTH_ISSUER: Key<String> =
    Key::new("auth.issuer", "", value::WORD, value::text, "What tokens must have as `iss`; unset = anything")
        .optional();
/// Whom tokens are for.
pub static AUTH_AUDIENCE: Key<String> = Key::new(
    "auth.audience",
    "",
    value::WORD,
    value::text,
    "What tokens must have as `aud`, or in it; unset = anything",
)
.optional();
/// Other origins that may use the API from a browser.
pub static AUTH_ALLOWED_ORIGINS: Key<Vec<String>> = Key::new(
    "auth.allowed_origins",
    "",
    "origins such as https://maps.example.org, separated by commas",
    value::origins,
    "Origins besides the server's own whose pages may use it, separated by commas",
)
.optional();
/// Consent to `open` on a public address.
pub static AUTH_OPEN_ANYWHERE: Key<bool> = Key::new(
    "auth.open_anywhere",
    "0",
    "1 or 0",
    value::boolean,
    "1 = allow auth.mode open on an address that is not loopback",
)
.switch();

/// Connections of the whole node.
pub static MAX_CONNECTIONS: Key<usize> = Key::new(
    "limits.max_connections",
    "10000",
    value::COUNT,
    value::limit,
    "Connections to this node, all transports together",
);
/// Connections of one client.
pub static MAX_CONNECTIONS_PER_CLIENT: Key<usize> = Key::new(
    "limits.max_connections_per_client",
    "5",
    value::COUNT,
    value::limit,
    "Connections of one signed-in user, API key or guest; those that are dead give way to new ones",
);
/// Connections of one address.
pub static MAX_CONNECTIONS_PER_IP: Key<usize> = Key::new(
    "limits.max_connections_per_ip",
    "1000",
    value::COUNT,
    value::limit,
    "Connections of one IP address (IPv6: one network of /64); loopback is exempt",
);
/// Connections of one room.
pub static MAX_CONNECTIONS_PER_ROOM: Key<usize> =
    Key::new("limits.max_connections_per_room", "2000", value::COUNT, value::limit, "Connections to one map");
/// Size of a message.
pub static MESSAGE_BYTES_MAX: Key<usize> = Key::new(
    "limits.message_bytes_max",
    "1048576",
    value::COUNT,
    value::limit,
    "Bytes of one message or request body, except a SyncStep2",
);
/// Size of a `SyncStep2`.
pub static SYNC_BYTES_MAX: Key<usize> = Key::new(
    "limits.sync_bytes_max",
    "16777216",
    value::COUNT,
    value::limit,
    "Bytes of one SyncStep2: a map edited offline comes back as one",
);
/// Size of a map.
pub static DOCUMENT_BYTES_MAX: Key<usize> =
    Key::new("limits.document_bytes_max", "67108864", value::COUNT, value::limit, "Bytes of one encoded map");
/// Nodes of a map.
pub static NODES_MAX: Key<usize> =
    Key::new("limits.nodes_max", "100000", value::COUNT, value::limit, "Nodes of one map");
/// Rate of one connection.
pub static MESSAGES_PER_SECOND: Key<u32> = Key::new(
    "limits.messages_per_second",
    "200",
    value::COUNT,
    value::limit,
    "Messages per second of one connection, four times as many at once; beyond it the client is read more slowly",
);
/// Rate of one connection, in bytes.
pub static BYTES_PER_SECOND: Key<u32> = Key::new(
    "limits.bytes_per_second",
    "4194304",
    value::COUNT,
    value::limit,
    "Bytes per second of one connection, four times as many at once; beyond it the client is read more slowly",
);
/// Joins of the node.
pub static JOINS_PER_SECOND: Key<u32> = Key::new(
    "limits.joins_per_second",
    "1000",
    value::COUNT,
    value::limit,
    "Clients that this node lets in per second; who comes with a crowd waits for its turn",
);
/// Requests of one client.
pub static REQUESTS_PER_SECOND: Key<u32> = Key::new(
    "limits.requests_per_second",
    "50",
    value::COUNT,
    value::limit,
    "HTTP requests per second of one user, or of one IP address without a name, four times as many at once; \
     loopback without a name is exempt",
);
/// Memory of the process.
pub static MEMORY_BYTES_MAX: Key<usize> = Key::new(
    "limits.memory_bytes_max",
    "",
    "a whole number; 0 = no limit",
    value::limit,
    "Memory of the process from which on new clients are sent to polling; unset = 4/5 of what the machine or its \
     control group has",
)
.optional();
/// How far rooms run ahead of a store that is behind.
pub static UNSAVED_BYTES_MAX: Key<usize> = Key::new(
    "limits.unsaved_bytes_max",
    "67108864",
    value::COUNT,
    value::limit,
    "Bytes of edits that all open maps together take while the store is behind; beyond it writers wait",
);
/// Size of a room's ring of recent frames.
pub static FEED_BYTES_MAX: Key<usize> = Key::new(
    "limits.feed_bytes_max",
    "1048576",
    "a whole number of bytes, at least 1",
    value::feed_bytes,
    "Bytes of recent frames that a room keeps for sessions that read slowly; who falls behind it gets one diff instead",
);

/// Whose models are asked.
pub static AI_PROVIDER: Key<AiProvider> = Key::new(
    "ai.provider",
    "",
    "openai, anthropic, gemini or template",
    value::ai_provider,
    "Who answers: openai (any compatible server), anthropic, gemini, or template, which is built in and no AI; unset = by the key that is set, else template",
)
.optional();
/// Where the provider is.
pub static AI_BASE_URL: Key<String> = Key::new(
    "ai.base_url",
    "",
    "an http:// or https:// URL without a user",
    value::ai_base_url,
    "Base URL, such as http://127.0.0.1:11434/v1 for a local server; unset = the provider's. Set without a provider or a key it means openai. \
     Unless it is on this machine, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY apply",
)
.optional();
/// Which model is asked.
pub static AI_MODEL: Key<String> = Key::new(
    "ai.model",
    "",
    value::WORD,
    value::text,
    "Model; unset = gpt-6-luna (openai), claude-haiku-5-5 (anthropic), gemini-3.5-flash-lite (gemini)",
)
.optional();
/// Key for the chosen provider.
pub static AI_API_KEY: Key<Secret> =
    Key::new("ai.api_key", "", value::WORD, value::secret, "Key for the chosen provider; goes before the three below")
        .optional()
        .secret();
/// Key for `OpenAI`.
pub static AI_OPENAI_API_KEY: Key<Secret> =
    Key::new("ai.openai_api_key", "", value::WORD, value::secret, "Key for OpenAI and compatible servers")
        .optional()
        .env("OPENAI_API_KEY")
        .secret();
/// Key for Anthropic.
pub static AI_ANTHROPIC_API_KEY: Key<Secret> =
    Key::new("ai.anthropic_api_key", "", value::WORD, value::secret, "Key for Anthropic")
        .optional()
        .env("ANTHROPIC_API_KEY")
        .secret();
/// Key for Gemini.
pub static AI_GEMINI_API_KEY: Key<Secret> =
    Key::new("ai.gemini_api_key", "", value::WORD, value::secret, "Key for Gemini")
        .optional()
        .env("GEMINI_API_KEY")
        .secret();
/// What happens when the provider cannot be asked.
pub static AI_FALLBACK: Key<AiFallback> = Key::new(
    "ai.fallback",
    "template",
    "template or none",
    value::ai_fallback,
    "What answers while the provider's circuit breaker is open and nothing is cached: template, labelled as such, or none = an error",
);
/// How long the first byte of an answer may take.
pub static AI_FIRST_BYTE_TIMEOUT: Key<Duration> = Key::new(
    "ai.first_byte_timeout",
    "30",
    value::SECONDS,
    value::some_seconds,
    "Seconds until the first byte of a provider's answer",
);
/// How long an answer may stand still.
pub static AI_IDLE_TIMEOUT: Key<Duration> = Key::new(
    "ai.idle_timeout",
    "20",
    value::SECONDS,
    value::some_seconds,
    "Seconds that a provider's answer may stand still",
);
/// How long an answer may take.
pub static AI_TOTAL_TIMEOUT: Key<Duration> = Key::new(
    "ai.total_timeout",
    "180",
    value::SECONDS,
    value::some_seconds,
    "Seconds that one answer of a provider may take",
);
/// How often a request is tried again.
pub static AI_RETRIES: Key<u32> = Key::new(
    "ai.retries",
    "2",
    "a whole number up to 10",
    value::retries,
    "How often a request to a provider is tried again that failed in passing",
);
/// How much a model may write.
pub static AI_OUTPUT_TOKENS_MAX: Key<u32> = Key::new(
    "ai.output_tokens_max",
    "4096",
    "a whole number from 256",
    value::output_tokens,
    "Tokens that a model may write in one answer",
);
/// How much of the map a model is told.
pub static AI_CONTEXT_TOKENS_MAX: Key<u32> = Key::new(
    "ai.context_tokens_max",
    "2000",
    "a whole number from 256",
    value::output_tokens,
    "Tokens of the map that a model is told beside the node it is asked about, about",
);
/// Runs at one time on a node.
pub static AI_RUNS_PER_NODE: Key<u32> = Key::new(
    "ai.runs_per_node",
    "128",
    "a whole number from 1",
    value::at_least_one,
    "Runs of the AI at one time on this node",
);
/// Runs of one user at one time.
pub static AI_RUNS_PER_USER: Key<u32> = Key::new(
    "ai.runs_per_user",
    "16",
    value::COUNT,
    value::limit,
    "Runs of the AI at one time for one user; not applied to people without a name",
);
/// Runs in one map at one time.
pub static AI_RUNS_PER_GRAPH: Key<u32> =
    Key::new("ai.runs_per_graph", "32", value::COUNT, value::limit, "Runs of the AI at one time in one map");
/// Jobs that may wait.
pub static AI_QUEUE_MAX: Key<u32> = Key::new(
    "ai.queue_max",
    "10000",
    value::COUNT,
    value::limit,
    "Runs of the AI that may wait for their turn, of all nodes",
);
/// What a user may use up.
pub static AI_TOKENS_PER_USER_DAY: Key<u64> = Key::new(
    "ai.tokens_per_user_day",
    "0",
    value::COUNT,
    value::limit,
    "Tokens that one user may use up in a day (UTC); people without a name share one budget",
);
/// What a map may use up.
pub static AI_TOKENS_PER_GRAPH_DAY: Key<u64> = Key::new(
    "ai.tokens_per_graph_day",
    "0",
    value::COUNT,
    value::limit,
    "Tokens that one map may use up in a day (UTC)",
);
/// What a user may spend.
pub static AI_COST_PER_USER_DAY: Key<MicroDollars> = Key::new(
    "ai.cost_per_user_day",
    "0",
    value::DOLLARS,
    value::dollars,
    "US dollars that one user may spend in a day (UTC); people without a name share one budget; 0 = no limit",
);
/// What a map may cost.
pub static AI_COST_PER_GRAPH_DAY: Key<MicroDollars> = Key::new(
    "ai.cost_per_graph_day",
    "0",
    value::DOLLARS,
    value::dollars,
    "US dollars that one map may cost in a day (UTC); 0 = no limit",
);
/// What tokens cost that a model reads.
pub static AI_PRICE_INPUT: Key<MicroDollars> = Key::new(
    "ai.price_input",
    "",
    value::DOLLARS,
    value::dollars,
    "US dollars for a million tokens that the model reads; unset = as known for the model, else 0",
)
.optional();
/// What tokens cost that a model writes.
pub static AI_PRICE_OUTPUT: Key<MicroDollars> = Key::new(
    "ai.price_output",
    "",
    value::DOLLARS,
    value::dollars,
    "US dollars for a million tokens that the model writes; unset = as known for the model, else 0",
)
.optional();
/// Answers kept in memory.
pub static CACHE_MEMORY_BYTES_MAX: Key<usize> = Key::new(
    "cache.memory_bytes_max",
    "104857600",
    "bytes; 0 = none",
    value::limit,
    "Bytes of the AI's answers that are kept in memory",
);
/// Answers kept on disk.
pub static CACHE_DISK_BYTES_MAX: Key<u64> = Key::new(
    "cache.disk_bytes_max",
    "524288000",
    "bytes; 0 = none",
    value::limit,
    "Bytes of the AI's answers that are kept on disk",
);
/// Where they are kept.
pub static CACHE_FOLDER: Key<PathBuf> = Key::new(
    "cache.folder",
    "",
    "a path",
    value::path,
    "Folder of the AI's answers on disk; unset = cache beside the SQLite file, or in data",
)
.optional();

/// All rows, in the order of the documentation.
pub static KEYS: [&KeySpec; 62] = [
    &LISTEN.spec,
    &DATABASE_URL.spec,
    &DATABASE_REPLICA_URL.spec,
    &SPILL_FOLDER.spec,
    &REDIS_URL.spec,
    &REDIS_AT_START.spec,
    &REDIS_CA_FILE.spec,
    &LOG.spec,
    &TRUSTED_PROXIES.spec,
    &SHUTDOWN_GRACE.spec,
    &ROOM_IDLE_CLOSE_AFTER.spec,
    &HISTORY_AUTO_EVERY.spec,
    &HISTORY_KEEP_DAYS.spec,
    &AUTH_MODE.spec,
    &AUTH_SECRET.spec,
    &AUTH_JWKS.spec,
    &AUTH_ISSUER.spec,
    &AUTH_AUDIENCE.spec,
    &AUTH_ALLOWED_ORIGINS.spec,
    &AUTH_OPEN_ANYWHERE.spec,
    &MAX_CONNECTIONS.spec,
    &MAX_CONNECTIONS_PER_CLIENT.spec,
    &MAX_CONNECTIONS_PER_IP.spec,
    &MAX_CONNECTIONS_PER_ROOM.spec,
    &MESSAGE_BYTES_MAX.spec,
    &SYNC_BYTES_MAX.spec,
    &DOCUMENT_BYTES_MAX.spec,
    &NODES_MAX.spec,
    &MESSAGES_PER_SECOND.spec,
    &BYTES_PER_SECOND.spec,
    &JOINS_PER_SECOND.spec,
    &REQUESTS_PER_SECOND.spec,
    &MEMORY_BYTES_MAX.spec,
    &UNSAVED_BYTES_MAX.spec,
    &FEED_BYTES_MAX.spec,
    &AI_PROVIDER.spec,
    &AI_BASE_URL.spec,
    &AI_MODEL.spec,
    &AI_API_KEY.spec,
    &AI_OPENAI_API_KEY.spec,
    &AI_ANTHROPIC_API_KEY.spec,
    &AI_GEMINI_API_KEY.spec,
    &AI_FALLBACK.spec,
    &AI_FIRST_BYTE_TIMEOUT.spec,
    &AI_IDLE_TIMEOUT.spec,
    &AI_TOTAL_TIMEOUT.spec,
    &AI_RETRIES.spec,
    &AI_OUTPUT_TOKENS_MAX.spec,
    &AI_CONTEXT_TOKENS_MAX.spec,
    &AI_RUNS_PER_NODE.spec,
    &AI_RUNS_PER_USER.spec,
    &AI_RUNS_PER_GRAPH.spec,
    &AI_QUEUE_MAX.spec,
    &AI_TOKENS_PER_USER_DAY.spec,
    &AI_TOKENS_PER_GRAPH_DAY.spec,
    &AI_COST_PER_USER_DAY.spec,
    &AI_COST_PER_GRAPH_DAY.spec,
    &AI_PRICE_INPUT.spec,
    &AI_PRICE_OUTPUT.spec,
    &CACHE_MEMORY_BYTES_MAX.spec,
    &CACHE_DISK_BYTES_MAX.spec,
    &CACHE_FOLDER.spec,
];
