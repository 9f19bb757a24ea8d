//! From an address to an open WebSocket.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use crate::client::{NO_HTTP, not_a_websocket, silent, unreachable};

/// Asks for acknowledgements and notices.
const EXTENDED: &str = "synapti.v1";

/// Where a server's rooms are.
#[derive(Debug, Clone)]
pub struct Address {
    url: String,
    authority: String,
    path: String,
    host: SocketAddr,
    answered_within: Duration,
    from: Option<IpAddr>,
    is_extended: bool,
    receive_bytes_max: Option<u32>,
}

impl Address {
    /// Reads and looks up `ws://host:port/v1/ws`. A server that needs longer for an answer counts as dead.
    pub async fn resolve(url: &str, answered_within: Duration) -> anyhow::Result<Self> {
        let uri: Uri = url.trim_end_matches('/').parse().with_context(|| format!("{url} is no address"))?;
        ensure!(
            uri.scheme_str() == Some("ws"),
            "{url} is no address of rooms: they look like ws://127.0.0.1:8080/v1/ws"
        );
        let authority = uri.authority().with_context(|| format!("{url} names no host"))?;
        let place = (authority.host(), authority.port_u16().unwrap_or(80));
        let found = lookup_host(place).await.map_err(|error| unreachable(url, &error))?.next();
        let host = found.with_context(|| format!("the host of {url} has no address"))?;
        let (authority, path) = (authority.to_string(), uri.path().to_owned());
        let url = url.to_owned();
        let (from, is_extended, receive_bytes_max) = (None, false, None);
        Ok(Self { url, authority, path, host, answered_within, from, is_extended, receive_bytes_max })
    }

    /// The same place, reached from this address of this machine: one address has only so many ports.
    #[must_use]
    pub fn from(&self, from: IpAddr) -> Self {
        Self { from: Some(from), ..self.clone() }
    }

    /// The same place, for clients that want acknowledgements.
    #[must_use]
    pub fn extended(&self) -> Self {
        Self { is_extended: true, ..self.clone() }
    }

    /// The same place, for clients for which the system receives no more than about so much ahead: a client that stops reading
    /// soon stops receiving, where it would otherwise go on for megabytes.
    #[must_use]
    pub fn receiving_at_most(&self, bytes: u32) -> Self {
        Self { receive_bytes_max: Some(bytes), ..self.clone() }
    }

    /// `ws://host:port/v1/ws`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Where a room's map is in the HTTP API, which is beside the rooms.
    pub fn graph_path(&self, room: &str) -> anyhow::Result<String> {
        let beside =
            self.path.strip_suffix("/ws").with_context(|| format!("there is no HTTP API beside {}", self.url))?;
        Ok(format!("{beside}/graphs/{room}"))
    }

    /// How long a server may take to answer.
    pub fn answered_within(&self) -> Duration {
        self.answered_within
    }

    /// Opens a WebSocket on a room: the connection, and what was received after the handshake.
    pub async fn open(&self, room: &str) -> anyhow::Result<(TcpStream, Bytes)> {
        match timeout(self.answered_within, self.shake_hands(room)).await {
            Ok(opened) => opened,
            Err(_) => Err(silent(&self.url)),
        }
    }

    async fn shake_hands(&self, room: &str) -> anyhow::Result<(TcpStream, Bytes)> {
        let stream = self.connect().await.map_err(|error| unreachable(&self.url, &error))?;
        stream.set_nodelay(true)?;
        let key = generate_key();
        let mut request = Request::builder()
            .uri(format!("{}/{room}", self.path))
            .header(header::HOST, &self.authority)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        if self.is_extended {
            request = request.header(header::SEC_WEBSOCKET_PROTOCOL, EXTENDED);
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|_| not_a_websocket(&self.url, NO_HTTP))?;
            self.check(&response, &key)?;
            Ok::<_, anyhow::Error>(hyper::upgrade::on(response).await?)
        };
        let carried = async { connection.with_upgrades().await.map_err(|_| not_a_websocket(&self.url, NO_HTTP)) };
        let (upgraded, ()) = tokio::try_join!(exchange, carried)?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| anyhow!("hyper wraps the connection"))?;
        Ok((parts.io.into_inner(), parts.read_buf))
    }

    /// A connection on which nothing was said yet.
    pub async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = if self.host.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(bytes) = self.receive_bytes_max {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        socket.connect(self.host).await
    }

    fn check(&self, response: &hyper::Response<Incoming>, key: &str) -> anyhow::Result<()> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(not_a_websocket(&self.url, &response.status().to_string()));
        }
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
            bail!("{} opens something that is no WebSocket", self.url);
        }
        let subprotocol = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
        ensure!(
            !self.is_extended || subprotocol.is_some_and(|subprotocol| subprotocol == EXTENDED),
            "{} does not speak {EXTENDED}: it acknowledges nothing",
            self.url
        );
        Ok(())
    }
}
