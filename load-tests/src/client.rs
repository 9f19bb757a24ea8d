//! A client of a room that speaks the y-websocket protocol, and holds the document that the frames make.

use std::{future::Future, time::Duration};

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use synapti_crdt::{AsideLimits, Op, Replica, Sender, map::MapEdit};
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1, encode_step2, encode_update};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

/// How long a server may take to answer before it counts as dead; far above every bar.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

/// Bytes of the largest frame that is read: the largest map that a server keeps, and some.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// A socket in a room.
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// A connection with a document behind it.
pub struct Client {
    /// Bytes out and in.
    pub connection: Connection,
    /// The document.
    pub replica: Replica,
    /// Whether the server has answered once.
    is_synced: bool,
}

impl Connection {
    /// Opens a socket on a room; `url` is the server's `ws://host/v1/ws`.
    pub async fn open(url: &str, room: &str) -> anyhow::Result<Self> {
        Self::open_within(ANSWERED_WITHIN, url, room).await
    }

    async fn open_within(patience: Duration, url: &str, room: &str) -> anyhow::Result<Self> {
        let place = format!("{}/{room}", url.trim_end_matches('/'));
        let config =
            WebSocketConfig::default().max_frame_size(Some(FRAME_BYTES_MAX)).max_message_size(Some(FRAME_BYTES_MAX));
        let opening = connect_async_with_config(&place, Some(config), true);
        match timeout(patience, opening).await {
            Ok(Ok((socket, _response))) => Ok(Self { socket }),
            Ok(Err(error)) => Err(not_opened(url, error)),
            Err(_) => Err(silent(url)),
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: impl Into<Bytes>) -> anyhow::Result<()> {
        self.socket.send(tungstenite::Message::Binary(frame.into())).await.context("the connection broke while sending")
    }

    /// The next frame with a message in it. Cancel-safe.
    pub async fn frame(&mut self) -> anyhow::Result<Bytes> {
        loop {
            match self.socket.next().await {
                Some(Ok(tungstenite::Message::Binary(frame))) => return Ok(frame),
                Some(Ok(tungstenite::Message::Close(Some(close)))) => {
                    bail!("the server closed the connection: {} {}", u16::from(close.code), close.reason)
                }
                Some(Ok(tungstenite::Message::Text(_))) => bail!("the server sends text: it is not a Synapti server"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(anyhow!(error).context("the connection broke")),
                None => bail!("the server closed the connection"),
            }
        }
    }
}

impl Client {
    /// Joins a room and takes in what is there.
    pub async fn join(url: &str, room: &str) -> anyhow::Result<Self> {
        Self::join_within(ANSWERED_WITHIN, url, room).await
    }

    /// The same; a server that opens no connection in this time counts as dead.
    pub async fn join_within(patience: Duration, url: &str, room: &str) -> anyhow::Result<Self> {
        let connection = Connection::open_within(patience, url, room).await?;
        let replica = Replica::new(fresh_client_id(), AsideLimits::default());
        let mut client = Self { connection, replica, is_synced: false };
        client.sync().await?;
        Ok(client)
    }

    /// Makes an edit here and answers the frame that tells the others.
    pub fn edit<'a>(&mut self, edits: impl IntoIterator<Item = &'a MapEdit>) -> anyhow::Result<Vec<u8>> {
        let applied = self.replica.apply(edits.into_iter().map(Op::Edit), 0);
        applied.results.into_iter().collect::<Result<(), _>>()?;
        Ok(encode_update(&applied.update.context("the edits change nothing")?))
    }

    /// Asks for what is missing, and takes it in. Servers answer when everything that this client sent before is on
    /// disk, so this also waits for that.
    pub async fn sync(&mut self) -> anyhow::Result<()> {
        let question = encode_step1(&self.replica.state_vector());
        self.connection.send(question).await?;
        answered("the sync", async {
            loop {
                let frame = self.connection.frame().await?;
                if let Message::Sync(SyncMessage::Step2(_)) = self.take(&frame).await? {
                    return Ok(());
                }
            }
        })
        .await
    }

    /// Takes a frame in, and answers it if it is a question.
    pub async fn take<'a>(&mut self, frame: &'a [u8]) -> anyhow::Result<Message<'a>> {
        let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
        match message {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                let lacking = self.replica.diff(state_vector)?;
                self.connection.send(encode_step2(&lacking)).await?;
            }
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => {
                let applied = self.replica.apply([Op::Update { update, from: Sender::default() }], 0);
                applied.results.into_iter().collect::<Result<(), _>>()?;
                // Edits of others may come before the answer with what they build on.
                self.is_synced |= matches!(message, Message::Sync(SyncMessage::Step2(_)));
                let is_whole = self.replica.held_bytes() == 0;
                ensure!(is_whole || !self.is_synced, "the server sent an edit without those that it builds on");
            }
            _ => {}
        }
        Ok(message)
    }
}

/// An id as Yjs clients choose theirs: a new one for each opening of a document.
pub fn fresh_client_id() -> u64 {
    u64::from(rand::random_range(1..u32::MAX))
}

/// Waits for the server, but not for ever.
pub async fn answered<T>(what: &str, answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(ANSWERED_WITHIN, answer).await.unwrap_or_else(|_| {
        bail!("the server did not answer {what} within {} s: is it a Synapti server?", ANSWERED_WITHIN.as_secs())
    })
}

/// What a server answers that is no web server.
pub const NO_HTTP: &str = "with something that is not HTTP";

/// Nothing listens there.
pub fn unreachable(url: &str, error: &std::io::Error) -> anyhow::Error {
    anyhow!("cannot reach {url}: {error}. Is the server running?")
}

/// Something else listens there.
pub fn not_a_websocket(url: &str, answer: &str) -> anyhow::Error {
    anyhow!("{url} answers {answer} instead of opening a WebSocket: it is not the address of a Synapti server's rooms")
}

/// Something listens there and does not answer.
pub fn silent(url: &str) -> anyhow::Error {
    anyhow!("{url} takes the connection and then says nothing: is a Synapti server there?")
}

fn not_opened(url: &str, error: tungstenite::Error) -> anyhow::Error {
    match error {
        tungstenite::Error::Io(error) => unreachable(url, &error),
        tungstenite::Error::Http(response) => not_a_websocket(url, &response.status().to_string()),
        tungstenite::Error::Protocol(_) => not_a_websocket(url, NO_HTTP),
        error => anyhow!("cannot open a room at {url}: {error}"),
    }
}
