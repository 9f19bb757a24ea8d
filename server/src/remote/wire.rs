//! One connection of a client with a map, whatever the transport: messages in, messages out.
//!
//! A task reads and writes; it and the client meet at two short queues, so that neither waits for the other without end.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    gone::Gone,
    http::{Http, Token},
    poll, sse,
    url::MapUrl,
    ws,
};

/// Messages that wait for the client, or for the network.
const QUEUE_MESSAGES_MAX: usize = 64;

/// How long the goodbye of a connection may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket.
    Ws,
    /// Server-Sent Events; edits go out as requests.
    Sse,
    /// Requests that wait for news; edits go out as requests.
    Poll,
}

/// What a connection begins with.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub map: MapUrl,
    pub token: Option<Token>,
    /// What the client has.
    pub state_vector: Vec<u8>,
    /// How long the first message may take.
    pub patience: Duration,
}

/// What came of a connection.
#[derive(Debug)]
pub(super) enum Heard {
    /// One message of the protocol.
    Message(Bytes),
    /// The first so many edits that were sent on this connection are durable.
    Durable(u64),
    /// The server did not take the last edits yet; they are sent again.
    Delayed(String),
    /// It has ended.
    Gone(Gone),
}

/// The task's end of the queues.
pub(super) struct Ends {
    pub news: mpsc::Sender<Heard>,
    pub outbox: mpsc::Receiver<Bytes>,
}

/// A connection, or one that is being made.
#[derive(Debug)]
pub(super) struct Wire {
    pub transport: Transport,
    pub news: mpsc::Receiver<Heard>,
    /// Messages to send.
    pub outbox: mpsc::Sender<Bytes>,
    task: JoinSet<()>,
}

/// The client does not listen any more, so that there is nobody to work for.
#[derive(Debug)]
pub(super) struct NobodyListens;

impl Transport {
    /// As it is named on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Poll => "poll",
        }
    }
}

impl Opening {
    pub fn http(&self) -> Http {
        Http::new(self.map.server().clone(), self.token.clone())
    }

    /// The path of something of this map's.
    pub fn path(&self, what: &str) -> String {
        format!("/v1/graphs/{}/{what}", self.map.graph())
    }
}

impl Ends {
    /// Hands something to the client; waits until there is room.
    pub async fn tell(&self, heard: Heard) -> Result<(), NobodyListens> {
        self.news.send(heard).await.map_err(|_| NobodyListens)
    }
}

impl Wire {
    /// Begins to connect.
    pub fn open(transport: Transport, opening: Opening) -> Self {
        let (tell, news) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let (outbox, out) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let ends = Ends { news: tell.clone(), outbox: out };
        let mut task = JoinSet::new();
        task.spawn(async move {
            let ended = match transport {
                Transport::Ws => ws::run(&opening, ends).await,
                Transport::Sse => sse::run(&opening, ends).await,
                Transport::Poll => poll::run(&opening, ends).await,
            };
            if let Err(gone) = ended {
                // Nobody listens when the client has had enough.
                let _ = tell.send(Heard::Gone(gone)).await;
            }
        });
        Self { transport, news, outbox, task }
    }

    /// Says goodbye, where the transport has one.
    pub async fn close(self) {
        let Self { news, outbox, mut task, .. } = self;
        drop((news, outbox));
        // What did not end by itself is ended with the set.
        let _ = timeout(CLOSED_WITHIN, task.join_next()).await;
    }
}
