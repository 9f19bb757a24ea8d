//! A server without sockets: requests go straight into the router.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    routing::get,
};
use http_body_util::BodyExt;
use serde_json::Value;
use synapti_server::{
    ai::{
        asker::{Asker, Timing},
        jobs::{Answers, Budget, JobOptions, JobParts, Jobs},
        price::Prices,
        provider::template::TemplateProvider,
    },
    auth::{Authenticator, mint::NewToken},
    breaker::{Breaker, Breakers},
    bus::MemoryBus,
    cache::{Cache, CacheParts},
    clock::Clock,
    compaction::Compactor,
    config::Config,
    history::{History, Rule},
    http::{self, AppState},
    hub::{Hub, HubLimits},
    journal::{Journal, JournalOptions},
    limits::{
        connections::{ConnectionLimits, Connections},
        requests::RequestRate,
        strain::Strain,
        turnstile::Turnstile,
    },
    room::{actor::RoomEnv, state::RoomLimits},
    session::SessionLimits,
    store::{SharedStore, SqliteStore},
    telemetry::metrics::Stopwatch,
    transport::{
        self,
        deferred::finished,
        gate::{Gate, GateParts},
    },
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Signs the tokens of a guarded server.
pub const SECRET: &str = "correct horse battery staple 0123456789";

pub struct TestApp {
    pub router: Router,
    pub store: SharedStore,
    pub draining: CancellationToken,
    pub cache: Cache,
    pub breakers: Breakers,
    _folder: tempfile::TempDir,
}

/// A response, read whole.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With settings as in the environment.
    pub async fn with(env: &[(&str, &str)]) -> Self {
        let config = Arc::new(Config::load(None, env.iter().copied(), &[]).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("synapti.db").display());
        let store: SharedStore = Arc::new(SqliteStore::open(&url).await.unwrap());
        let (tracker, draining) = (TaskTracker::new(), CancellationToken::new());
        let options = JournalOptions { unsaved_bytes_max: 0, spill_folders: Vec::new() };
        let (journal, _) = Journal::start(store.clone(), options, &tracker, CancellationToken::new());
        let compactor = Arc::new(Compactor::default());
        let room_env = Arc::new(RoomEnv {
            store: store.clone(),
            journal: journal.clone(),
            bus: Arc::new(MemoryBus::alone()),
            compactor: compactor.clone(),
            retention: Rule::default(),
            clock: Clock::system(),
            idle_close_after: Duration::from_secs(30),
            guards_client_ids: false,
            openings: AtomicU64::new(0),
            open_rooms: AtomicUsize::new(0),
            draining: draining.clone(),
            closing: CancellationToken::new(),
        });
        let limits = HubLimits {
            room: RoomLimits {
                sessions_max: 0,
                document_bytes_max: config.limits.document_bytes_max,
                nodes_max: config.limits.nodes_max,
                version_every: config.history.auto_every,
            },
            feed_bytes_max: config.limits.feed_bytes_max,
        };
        let connections = Connections::new(ConnectionLimits::default());
        let parts = CacheParts {
            memory_bytes_max: config.cache.memory_bytes_max,
            disk_bytes_max: config.cache.disk_bytes_max,
            folder: folder.path().join("cache"),
            shared: None,
            clock: Clock::system(),
        };
        let cache = Cache::start(parts, &tracker, draining.clone());
        let breakers = Breakers::default();
        let hub = Hub::new(room_env, limits, connections.clone(), tracker);
        let gate = Gate::new(GateParts {
            hub: hub.clone(),
            connections,
            turnstile: Turnstile::new(0),
            strain: Strain::default(),
            limits: SessionLimits {
                message_bytes_max: config.limits.message_bytes_max,
                sync_bytes_max: config.limits.sync_bytes_max,
                messages_per_second: 0,
                bytes_per_second: 0,
            },
            drain_within: config.shutdown_grace,
            draining: draining.clone(),
            tracker: TaskTracker::new(),
        });
        let clock = Clock::system();
        let auth = Authenticator::new(&config.auth, clock.clone());
        let uptime = Stopwatch::start();
        let history = History::new(store.clone(), compactor, hub.clone(), clock.clone(), config.history);
        let state = AppState {
            jobs: jobs(&config, cache.clone(), hub.clone(), store.clone()),
            gate: gate.clone(),
            cache: cache.clone(),
            breakers: breakers.clone(),
            history,
            hub,
            store: store.clone(),
            bus: Arc::new(MemoryBus::alone()),
            journal,
            draining: draining.clone(),
            clock,
            uptime,
            auth,
            strain: Strain::default(),
            requests: Arc::new(RequestRate::new(config.limits.requests_per_second, None)),
            store_up: watch::Sender::new(true).subscribe(),
            config,
        };
        let live =
            transport::routes(gate).route("/v1/panic", get(async || -> StatusCode { panic!("as the test wants") }));
        Self { router: http::router(state, live), store, draining, cache, breakers, _folder: folder }
    }

    /// With tokens required.
    pub async fn guarded() -> Self {
        Self::with(&[("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)]).await
    }

    /// Sends with a token.
    pub async fn send_as(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = request(method, path, body);
        request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        self.send(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, None)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, Some(body))).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::PATCH, path, Some(body))).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, None)).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = finished(self.router.clone().oneshot(request).await.unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A map `m`: root `sun`, under it `mars` and `earth`, under `mars` `phobos`; an edge `near` from `mars` to `earth`.
    pub async fn with_map() -> Self {
        let app = Self::new().await;
        app.add_map(None).await;
        app
    }

    /// The same map on a guarded server, with a version.
    pub async fn guarded_with_map() -> Self {
        let app = Self::guarded().await;
        app.add_map(Some(&admin_token())).await;
        app
    }

    async fn add_map(&self, token: Option<&str>) {
        let post = async |path: &str, body: Value| {
            let mut request = request(Method::POST, path, Some(body));
            if let Some(token) = token {
                request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            }
            self.send(request).await.expect(StatusCode::CREATED);
        };
        post("/v1/graphs", serde_json::json!({"id": "m"})).await;
        for (id, parent) in [("sun", None), ("mars", Some("sun")), ("earth", Some("sun")), ("phobos", Some("mars"))] {
            post("/v1/graphs/m/nodes", serde_json::json!({"id": id, "title": id, "parent_id": parent})).await;
        }
        post("/v1/graphs/m/edges", serde_json::json!({"id": "near", "source": "mars", "target": "earth"})).await;
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, after a look at the status.
    pub fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks an error's status, code and shape; its details.
    pub fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert_eq!(error["request_id"], self.header("x-request-id"));
        assert!(error["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 5, "{error}");
        assert_eq!(self.header("content-type"), "application/json");
        error["details"].clone()
    }

    /// The one field that a 422 complains about.
    pub fn expect_bad_field(&self) -> String {
        let details = self.expect_error(422, "validation_failed");
        let [field] = details.as_array().unwrap().as_slice() else { panic!("{details}") };
        assert!(field["message"].as_str().is_some_and(|message| !message.is_empty()), "{field}");
        field["field"].as_str().unwrap().to_owned()
    }
}

/// Jobs that are taken and wait: nobody works.
fn jobs(config: &Config, cache: Cache, hub: Hub, store: SharedStore) -> Jobs {
    let patience = Duration::from_secs(30);
    let timing = Timing { first_byte: patience, idle: patience, total: patience, retries: 0 };
    let asker = Asker::new(Arc::new(TemplateProvider), Breaker::new("template", 3, patience), timing);
    let (output_tokens_max, place) = (config.ai.output_tokens_max, String::new());
    let answers = Answers { asker, fallback: None, cache, output_tokens_max, place };
    let options = JobOptions {
        per_node_max: config.ai.runs_per_node,
        per_client_max: config.ai.runs_per_user,
        per_graph_max: config.ai.runs_per_graph,
        queue_max: config.ai.queue_max,
        retries: config.ai.retries,
        context_tokens_max: config.ai.context_tokens_max as usize,
        client_budget: Budget::default(),
        graph_budget: Budget::default(),
    };
    let prices = Prices::of(&config.ai, "template", "template");
    Jobs::new(JobParts { hub, store, answers, prices, options, clock: Clock::system(), tracker: TaskTracker::new() })
}

/// A token for an hour with roles in graphs.
pub fn token(sub: &str, graphs: &[(&str, &str)]) -> String {
    let mut token = NewToken::new(sub, Clock::system().now(), 3600);
    token.graphs = graphs.iter().map(|(graph, role)| ((*graph).to_owned(), (*role).into())).collect();
    token.sign(SECRET)
}

/// A token of an operator.
pub fn admin_token() -> String {
    let mut token = NewToken::new("root", Clock::system().now(), 3600);
    token.role = Some("admin".to_owned());
    token.sign(SECRET)
}

pub fn request(method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    match body {
        Some(body) => builder.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => builder.body(Body::empty()),
    }
    .unwrap()
}
