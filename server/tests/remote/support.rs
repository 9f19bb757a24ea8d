//! A server, a person at it, and waiting.

use std::{future::Future, net::SocketAddr, time::Duration};

use synapti_crdt::map::{MapEdit, NewNode};
use synapti_server::{
    app::Server,
    auth::{Role, mint::NewToken},
    clock::Clock,
    config::Config,
    remote::{Choice, Event, Link, Transport, http::Token, url::MapUrl},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const SECRET: &str = "correct horse battery staple 0123456789";

pub const EVERY: [Transport; 3] = [Transport::Ws, Transport::Sse, Transport::Poll];

/// Waits for something that must happen; a test that waits in vain says for what.
pub async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), happens).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A server of its own, on a port of its own; it ends with this.
pub struct Running {
    pub address: SocketAddr,
    _task: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts with settings as in the environment.
    pub async fn start(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("synapti.db").display());
        // All clients of a test share an address, and some tests have many.
        let ours = [
            ("SYNAPTI_LISTEN", "127.0.0.1:0"),
            ("SYNAPTI_DATABASE_URL", url.as_str()),
            ("SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT", "100"),
        ];
        let config = Config::load(None, ours.iter().chain(env).copied(), &[]).unwrap();
        let server = Server::bind(config).await.unwrap();
        let address = server.local_addr();
        let mut task = JoinSet::new();
        task.spawn(async move { server.run(CancellationToken::new()).await.unwrap() });
        Self { address, _task: task, _folder: folder }
    }

    /// A server that wants tokens.
    pub async fn guarded() -> Self {
        Self::start(&[("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)]).await
    }
}

/// A token for every map.
pub fn token(role: Role) -> String {
    let mut token = NewToken::new("ada", Clock::system().now(), 600);
    token.graphs = std::iter::once(("*".to_owned(), role.as_str().into())).collect();
    token.sign(SECRET)
}

pub fn map(address: SocketAddr, id: &str) -> MapUrl {
    MapUrl::parse(&format!("{address}/{id}")).unwrap()
}

/// Somebody with a copy of a map.
pub struct Person {
    pub link: Link,
    durable: u64,
}

impl Person {
    pub fn editor(map: MapUrl, choice: Choice) -> Self {
        Self { link: Link::editor(map, None, choice), durable: 0 }
    }

    pub fn observer(map: MapUrl, choice: Choice) -> Self {
        Self { link: Link::observer(map, None, choice), durable: 0 }
    }

    pub fn with_token(map: MapUrl, token: &str, choice: Choice) -> Self {
        Self { link: Link::editor(map, Token::read(token).unwrap(), choice), durable: 0 }
    }

    /// The next event that fits.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let waiting = async {
            loop {
                let event = self.link.next().await;
                if let Event::Durable(count) = event {
                    self.durable = count;
                }
                if fits(&event) {
                    return event;
                }
                assert!(!matches!(event, Event::Closed(_)), "{event:?} instead of {what}");
            }
        };
        soon(what, waiting).await
    }

    pub async fn synced(&mut self) {
        self.until("the copy is whole", |event| *event == Event::Synced).await;
    }

    pub async fn connected(&mut self) -> Transport {
        match self.until("a connection", |event| matches!(event, Event::Connected(_))).await {
            Event::Connected(transport) => transport,
            other => panic!("{other:?}"),
        }
    }

    /// Adds a node; answers the edit's number.
    pub fn add(&mut self, id: &str) -> u64 {
        self.link.edit(&MapEdit::AddNode(NewNode::new(id, id))).unwrap().expect("it is new")
    }

    pub async fn saved(&mut self, number: u64) {
        if self.durable < number {
            self.until("the edit is saved", |event| matches!(event, Event::Durable(count) if *count >= number)).await;
        }
    }

    /// Waits until the copy has these nodes and no others.
    pub async fn sees(&mut self, nodes: &[String]) {
        let mut nodes = nodes.to_vec();
        nodes.sort();
        while self.link.replica().map().nodes.into_keys().collect::<Vec<_>>() != nodes {
            self.until("a change", |event| matches!(event, Event::Update(_))).await;
        }
    }
}
