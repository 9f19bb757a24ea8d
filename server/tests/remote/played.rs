//! A proxy between client and server that does what it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::SinkExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Of those for a WebSocket.
    pub upgrades: Upgrades,
    /// Whether event streams are gathered, so that nothing of them arrives.
    pub gathers_events: bool,
    /// Whether edits that are sent as requests find no answer.
    pub swallows_edits: bool,
    /// Whether everybody is turned away.
    pub is_down: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrades {
    #[default]
    Pass,
    Refused,
    Swallowed,
    /// Let in, and closed with this code.
    Closed(u16),
}

pub struct Proxy {
    pub address: SocketAddr,
    manners: Arc<Mutex<Manners>>,
    cut: watch::Sender<()>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub async fn before(server: SocketAddr, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let manners = Arc::new(Mutex::new(manners));
        let (cut, _) = watch::channel(());
        let (shared, cuts) = (manners.clone(), cut.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (manners, mut cuts) = (*shared.lock().unwrap(), cuts.subscribe());
                streams.spawn(async move {
                    tokio::select! {
                        _ = cuts.changed() => {}
                        _ = pass(stream, server, manners) => {}
                    }
                });
            }
        });
        Self { address, manners, cut, _task: task }
    }

    /// From now on.
    pub fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, manners: Manners) -> std::io::Result<()> {
    if manners.is_down {
        return Ok(());
    }
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head_text = String::from_utf8_lossy(&head).into_owned();
    let text = head_text.to_ascii_lowercase();
    let is_upgrade = text.contains("upgrade: websocket");
    if is_upgrade && manners.upgrades == Upgrades::Refused {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    }
    if let (true, Upgrades::Closed(code)) = (is_upgrade, manners.upgrades) {
        return close(client, &head_text, code).await;
    }
    let is_swallowed = (is_upgrade && manners.upgrades == Upgrades::Swallowed)
        || (manners.gathers_events && text.contains("/sse?"))
        || (manners.swallows_edits && text.contains("/sync?wait=0"));
    if is_swallowed {
        return std::future::pending().await;
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

/// Takes a socket in, says when to come back, and closes it.
async fn close(mut client: TcpStream, head: &str, code: u16) -> std::io::Result<()> {
    let is_key = |name: &str| name.eq_ignore_ascii_case("sec-websocket-key");
    let key = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| is_key(name)));
    assert!(key.is_some(), "{head}");
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: synapti.v1\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.unwrap().1.as_bytes())
    );
    client.write_all(head.as_bytes()).await?;
    let mut socket = tokio_tungstenite::WebSocketStream::from_raw_socket(client, Role::Server, None).await;
    let notice = r#"{"kind":"fallback","transport":"poll","retry_after_ms":50}"#;
    let _ = socket.send(Message::binary(synapti_protocol::message::encode_notice(notice))).await;
    let frame = CloseFrame { code: CloseCode::from(code), reason: "as the test wants".into() };
    let _ = socket.send(Message::Close(Some(frame))).await;
    std::future::pending().await
}
