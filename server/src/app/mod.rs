//! Puts the parts together, runs them, and takes them down in order.

mod ai;
mod bus;
mod cache;
mod drain;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ai::{choose, provider::SharedProvider},
    auth::Authenticator,
    breaker::Breakers,
    bus::{SharedBus, SharedLimits},
    cache::Cache,
    clock::Clock,
    compaction::Compactor,
    config::{AuthMode, Config, DatabaseUrl},
    history::{self, History},
    http::{self, AppState},
    hub::{Hub, HubLimits},
    journal::{self, Journal, JournalEnd, JournalOptions},
    limits::{
        connections::{ConnectionLimits, Connections},
        counted::Counted,
        requests::RequestRate,
        strain::Strain,
        turnstile::Turnstile,
    },
    room::{actor::RoomEnv, state::RoomLimits},
    session::SessionLimits,
    store::{self, SharedStore},
    telemetry::metrics::{self, Stopwatch},
    transport::{
        self,
        accept::Acceptor,
        gate::{Gate, GateParts},
    },
};

/// How often the store's log is copied into its main file, and gauges are read.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);

/// A store that does not answer a question within this is down.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Connections that may wait to be accepted; the system may allow fewer. One that finds no place tries again only after
/// a second, and a room full of people comes back at once.
const ACCEPT_QUEUE_MAX: u32 = 4096;

/// Sockets of one address for each connection that it may have: pages send requests beside it.
const SOCKETS_OF_CONNECTIONS: usize = 2;

/// The running parts, in the order in which they are taken down.
struct App {
    config: Arc<Config>,
    auth: Authenticator,
    store: SharedStore,
    bus: SharedBus,
    /// What is counted on all nodes, if there may be others.
    shared: Option<SharedLimits>,
    /// Answers of the AI that are kept.
    cache: Cache,
    journal: Journal,
    journal_end: oneshot::Receiver<JournalEnd>,
    /// Whether the store answered when it was asked last.
    store_up: watch::Sender<bool>,
    /// Nobody new, and everybody is asked to go.
    draining: CancellationToken,
    /// Rooms close as soon as they are empty.
    rooms_closing: CancellationToken,
    /// The journal gives up what it cannot save.
    giving_up: CancellationToken,
    sessions: Connections,
    connections: TaskTracker,
    rooms: TaskTracker,
    background: TaskTracker,
    /// Who answers for the AI.
    provider: SharedProvider,
    /// What is left alone when it fails.
    breakers: Breakers,
}

/// Runs the server until `stop` is cancelled; then drains it.
///
/// # Errors
/// When it cannot start, or stops with edits that could be neither saved nor set aside.
pub async fn serve(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    Server::bind(config).await?.run(stop).await
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was stopped leaves connections behind that would keep its address for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE_MAX)
}

/// A server that has its address and its store, and serves nobody yet.
#[must_use = "a server that does not run serves nobody"]
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    uptime: Stopwatch,
}

impl Server {
    /// Opens the store, takes the address, and joins the other nodes if there are to be any.
    ///
    /// # Errors
    /// When one of these cannot be had.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let uptime = Stopwatch::start();
        let config = Arc::new(config);
        let provider = ai::provider(&config.ai)?;
        let auth = Authenticator::new(&config.auth, Clock::system());
        if let Some(keys) = auth.key_source() {
            keys.check().await.context("the key set for tokens (SYNAPTI_AUTH_JWKS) is of no use")?;
        }
        let store = store::open(&config.database_url, config.database_replica_url.as_ref()).await?;
        let listener =
            listen(config.listen).with_context(|| format!("cannot listen on {} (SYNAPTI_LISTEN)", config.listen))?;
        let recovered = journal::recover(&store, &spill_folders(&config)).await;
        match recovered.context("edits that an earlier run could not save are not in the database yet")? {
            0 => {}
            records => tracing::info!(records, "edits that an earlier run could not save are in the database now"),
        }
        let address = listener.local_addr().context("the listening socket has no address")?;
        let started = bus::start(&config, store.identity()).await?;
        if let Some(shared) = started.limits.clone() {
            auth.share_tickets(shared);
        }
        Ok(Self { app: App::new(config, auth, store, started, provider), listener, address, uptime })
    }

    /// Where it listens: tells which port the system gave for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled; then drains.
    ///
    /// # Errors
    /// When it stops with edits that could be neither saved nor set aside.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        metrics::get().connections_max.set(self.app.config.limits.max_connections as f64);
        self.app.announce(self.address);
        self.app.run(self.listener, self.uptime, stop).await
    }
}

impl App {
    fn new(
        config: Arc<Config>,
        auth: Authenticator,
        store: SharedStore,
        started: bus::Started,
        provider: SharedProvider,
    ) -> Self {
        let bus::Started { bus, limits: shared, cache } = started;
        let (giving_up, rooms_closing) = (CancellationToken::new(), CancellationToken::new());
        let background = TaskTracker::new();
        let options = JournalOptions {
            unsaved_bytes_max: config.limits.unsaved_bytes_max,
            spill_folders: spill_folders(&config),
        };
        let (journal, journal_end) = Journal::start(store.clone(), options, &background, giving_up.clone());
        let breakers = Breakers::default();
        Self {
            auth,
            store,
            bus,
            shared: shared.clone(),
            cache: cache::start(&config, cache, &breakers, &background, rooms_closing.clone()),
            breakers,
            journal,
            journal_end,
            store_up: watch::Sender::new(true),
            draining: CancellationToken::new(),
            rooms_closing,
            giving_up,
            sessions: Connections::shared(connection_limits(&config), shared),
            connections: TaskTracker::new(),
            rooms: TaskTracker::new(),
            background,
            provider,
            config,
        }
    }

    async fn run(self, listener: TcpListener, uptime: Stopwatch, stop: CancellationToken) -> anyhow::Result<()> {
        let compactor = Arc::new(Compactor::default());
        let hub = self.hub(&compactor);
        self.background.spawn(hub.clone().follow(self.rooms_closing.clone()));
        let strain = self.strain();
        let gate = Gate::new(GateParts {
            hub: hub.clone(),
            connections: self.sessions.clone(),
            turnstile: Turnstile::new(self.config.limits.joins_per_second),
            strain: strain.clone(),
            limits: self.session_limits(),
            drain_within: self.config.shutdown_grace,
            draining: self.draining.clone(),
            tracker: self.connections.clone(),
        });
        let history = History::new(self.store.clone(), compactor, hub.clone(), Clock::system(), self.config.history);
        let answered_by = (self.provider.clone(), &self.breakers);
        let jobs = ai::jobs(&self.config, answered_by, self.cache.clone(), hub.clone(), self.store.clone());
        self.background.spawn(jobs.clone().work(self.draining.clone()));
        let state = AppState {
            history,
            jobs,
            hub,
            store: self.store.clone(),
            bus: self.bus.clone(),
            cache: self.cache.clone(),
            breakers: self.breakers.clone(),
            journal: self.journal.clone(),
            auth: self.auth.clone(),
            config: self.config.clone(),
            draining: self.draining.clone(),
            store_up: self.store_up.subscribe(),
            strain,
            requests: Arc::new(RequestRate::new(self.config.limits.requests_per_second, self.shared.clone())),
            gate: gate.clone(),
            clock: Clock::system(),
            uptime,
        };
        let acceptor = Acceptor {
            listener,
            connections_max: self.config.limits.max_connections,
            sockets_by_address: Counted::new(SOCKETS_OF_CONNECTIONS * self.config.limits.max_connections_per_ip),
            proxies: self.config.trusted_proxies.clone(),
            stop: self.rooms_closing.clone(),
            tracker: self.connections.clone(),
        };
        self.background.spawn(acceptor.run(http::router(state, transport::routes(gate))));
        self.background.spawn(self.housekeeping());
        if let Some(keys) = self.auth.key_source().cloned() {
            let stop = self.rooms_closing.clone();
            self.background.spawn(async move { stop.run_until_cancelled(keys.keep_fresh()).await });
        }
        self.background.spawn(metrics::upkeep(self.rooms_closing.clone()));
        let (sessions, closing) = (self.sessions.clone(), self.rooms_closing.clone());
        self.background.spawn(async move { closing.run_until_cancelled(sessions.answer_probes()).await });
        stop.cancelled().await;
        self.drain().await
    }

    fn hub(&self, compactor: &Arc<Compactor>) -> Hub {
        let limits = &self.config.limits;
        self.background.spawn(tidy(compactor.clone(), self.store.clone(), self.rooms_closing.clone()));
        let env = RoomEnv {
            store: self.store.clone(),
            journal: self.journal.clone(),
            bus: self.bus.clone(),
            compactor: compactor.clone(),
            retention: history::rule(self.config.history),
            clock: Clock::system(),
            idle_close_after: self.config.room_idle_close_after,
            guards_client_ids: self.config.auth.mode == AuthMode::Required,
            openings: AtomicU64::new(0),
            open_rooms: AtomicUsize::new(0),
            draining: self.draining.clone(),
            closing: self.rooms_closing.clone(),
        };
        let room = RoomLimits {
            sessions_max: limits.max_connections_per_room,
            document_bytes_max: limits.document_bytes_max,
            nodes_max: limits.nodes_max,
            version_every: self.config.history.auto_every,
        };
        let limits = HubLimits { room, feed_bytes_max: limits.feed_bytes_max };
        Hub::new(Arc::new(env), limits, self.sessions.clone(), self.rooms.clone())
    }

    fn session_limits(&self) -> SessionLimits {
        let limits = &self.config.limits;
        SessionLimits {
            message_bytes_max: limits.message_bytes_max,
            sync_bytes_max: limits.sync_bytes_max,
            messages_per_second: limits.messages_per_second,
            bytes_per_second: limits.bytes_per_second,
        }
    }

    /// Begins to look whether the node is overloaded.
    fn strain(&self) -> Strain {
        let strain = Strain::default();
        let watching =
            strain.clone().watch(self.journal.clone(), self.config.limits.memory_bytes_max, self.rooms_closing.clone());
        self.background.spawn(watching);
        strain
    }

    /// Says what listens where, where the data is, and what is on or off.
    fn announce(&self, address: SocketAddr) {
        for warning in &self.config.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            store = %self.store.describe(),
            auth = %self.config.auth,
            bus = bus::describe(&self.config, &self.bus),
            ai = %choose::announcement(&self.config.ai),
            connections_max = self.config.limits.max_connections,
            "synapti starts"
        );
        tracing::info!(%address, page = %format!("http://{address}/"), "listening");
    }

    fn housekeeping(&self) -> impl Future<Output = ()> + Send + 'static {
        let (store, journal, stop) = (self.store.clone(), self.journal.clone(), self.rooms_closing.clone());
        let store_up = self.store_up.clone();
        async move {
            let mut tick = tokio::time::interval(HOUSEKEEPING_EVERY);
            let mut committed = journal.commit_count();
            let mut is_untidy = false;
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                probe(&store, &store_up).await;
                metrics::get().database.note(store.pool_size());
                metrics::get().journal_backlog_bytes.set(journal.health().backlog_bytes as f64);
                let now = journal.commit_count();
                // While commits fail there may be no room for them before this is done.
                if now != committed || !journal.health().healthy {
                    committed = now;
                    let failed = store.checkpoint().await.err();
                    metrics::get().store_untidy.set(f64::from(u8::from(failed.is_some())));
                    if let (Some(error), false) = (&failed, std::mem::replace(&mut is_untidy, failed.is_some())) {
                        tracing::error!(%error, "the store could not be tidied; its log and its journal grow");
                    }
                }
            }
        }
    }
}

fn connection_limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        node_max: config.limits.max_connections,
        client_max: config.limits.max_connections_per_client,
        address_max: config.limits.max_connections_per_ip,
    }
}

/// Where what cannot be saved is set aside: beside the data, and where there is room when that disk is full.
pub fn spill_folders(config: &Config) -> Vec<PathBuf> {
    let beside = match (&config.spill_folder, &config.database_url) {
        (Some(folder), _) => folder.clone(),
        (None, DatabaseUrl::Sqlite(url)) => sqlite_folder(url),
        (None, DatabaseUrl::Postgres(_)) => PathBuf::from("data"),
    };
    vec![beside, std::env::temp_dir()]
}

fn sqlite_folder(url: &str) -> PathBuf {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    match Path::new(path).parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Asks the store for a sign of life.
async fn probe(store: &SharedStore, store_up: &watch::Sender<bool>) {
    let answer = timeout(STORE_ANSWERS_WITHIN, store.ping()).await;
    let is_up = matches!(answer, Ok(Ok(_)));
    metrics::get().store_up.set(f64::from(u8::from(is_up)));
    if store_up.send_replace(is_up) == is_up {
        return;
    }
    match answer {
        Ok(Ok(_)) => tracing::info!("the store answers again"),
        Ok(Err(error)) => tracing::error!(%error, "the store does not answer"),
        Err(_) => tracing::error!("the store does not answer within a second"),
    }
}

/// Finishes, in the background, what a crash left half done.
async fn tidy(compactor: Arc<Compactor>, store: SharedStore, stop: CancellationToken) {
    match stop.run_until_cancelled(compactor.tidy(&store)).await {
        None | Some(Ok(0)) => {}
        Some(Ok(graphs)) => tracing::info!(graphs, "removed what an earlier run left behind"),
        Some(Err(error)) => tracing::warn!(%error, "what an earlier run left behind is not removed yet"),
    }
}
