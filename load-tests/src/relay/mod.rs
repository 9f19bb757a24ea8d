//! `synapti-load relay`: the server that somebody would write in an afternoon, to hold Synapti against.
//!
//! It is the chat example of its web framework: one broadcast channel for each room, two tasks for each socket, all
//! defaults. It knows no document: every message goes to everybody as it came.

#[cfg(test)]
pub mod stand;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use synapti_protocol::{
    message::{self, SyncMessage, encode_step2},
    update::EMPTY_UPDATE,
};
use tokio::{
    net::TcpListener,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
};

/// Messages that a room keeps for a client that reads slowly; older ones are lost to it.
const ROOM_MESSAGES_MAX: usize = 4096;

/// Answers that may wait for one client.
const ANSWERS_MAX: usize = 8;

#[derive(clap::Args)]
pub struct Args {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

/// What it does otherwise in tests, which want to see whether a fault is noticed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behaviour {
    /// Every so many-th delivery does not happen.
    pub drop_every: Option<u64>,
    /// Every so many-th delivery has its last byte but one changed.
    pub change_every: Option<u64>,
    /// It keeps documents, and tells them to those who ask.
    pub keeps: bool,
}

#[derive(Clone, Default)]
struct Relay {
    rooms: Arc<Mutex<HashMap<String, Arc<Room>>>>,
    behaviour: Behaviour,
    deliveries: Arc<AtomicU64>,
}

struct Room {
    messages: broadcast::Sender<Bytes>,
    /// Everything that was said, if that is kept.
    kept: Mutex<Vec<Bytes>>,
}

/// Runs the command, until the process is ended.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    // The line that Synapti writes, so that both are started by the same code.
    eprintln!("{}", serde_json::json!({"message": "listening", "address": listener.local_addr()?.to_string()}));
    serve(listener, Behaviour::default()).await
}

/// Serves rooms under `/v1/ws/{room}`.
pub async fn serve(listener: TcpListener, behaviour: Behaviour) -> anyhow::Result<()> {
    let relay = Relay { behaviour, ..Relay::default() };
    let app = Router::new().route("/v1/ws/{room}", get(join)).with_state(relay);
    Ok(axum::serve(listener, app).await?)
}

async fn join(upgrade: WebSocketUpgrade, Path(room): Path<String>, State(relay): State<Relay>) -> Response {
    upgrade.on_upgrade(move |socket| relay.carry(socket, room))
}

impl Relay {
    async fn carry(self, socket: WebSocket, room: String) {
        let room = {
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.entry(room).or_insert_with(Room::new).clone()
        };
        let (sink, stream) = socket.split();
        let (answers, answered) = mpsc::channel(ANSWERS_MAX);
        let listening = room.messages.subscribe();
        #[expect(clippy::disallowed_methods, reason = "the example has no task tracker, and nothing waits for its end")]
        let mut sending = tokio::spawn(self.clone().send(sink, listening, answered));
        tokio::select! {
            () = room.receive(stream, answers, self.behaviour.keeps) => sending.abort(),
            _ = &mut sending => {}
        }
    }

    async fn send(
        self,
        mut sink: SplitSink<WebSocket, Message>,
        mut listening: broadcast::Receiver<Bytes>,
        mut answers: mpsc::Receiver<Bytes>,
    ) {
        loop {
            let message = tokio::select! {
                message = listening.recv() => message,
                Some(answer) = answers.recv() => Ok(answer),
            };
            match message {
                Ok(message) => {
                    let Some(message) = self.perhaps_broken(message) else { continue };
                    if sink.send(Message::Binary(message)).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(lost)) => eprintln!("a client reads too slowly: {lost} messages are lost to it"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn perhaps_broken(&self, message: Bytes) -> Option<Bytes> {
        let Behaviour { drop_every, change_every, .. } = self.behaviour;
        if drop_every.is_none() && change_every.is_none() {
            return Some(message);
        }
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed) + 1;
        let is_hit = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        if is_hit(drop_every) {
            return None;
        }
        if is_hit(change_every) && message.len() > 2 {
            let mut changed = message.to_vec();
            let last_but_one = changed.len() - 2;
            changed[last_but_one] ^= 1;
            return Some(changed.into());
        }
        Some(message)
    }
}

impl Room {
    fn new() -> Arc<Self> {
        Arc::new(Self { messages: broadcast::channel(ROOM_MESSAGES_MAX).0, kept: Mutex::default() })
    }

    async fn receive(&self, mut stream: SplitStream<WebSocket>, answers: mpsc::Sender<Bytes>, keeps: bool) {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Binary(frame) = message else { continue };
            if let Ok(message::Message::Sync(SyncMessage::Step1(_))) = message::parse(&frame) {
                let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // All there is was said already, so nobody lacks anything more.
                for answer in kept.into_iter().chain([encode_step2(&EMPTY_UPDATE).into()]) {
                    if answers.send(answer).await.is_err() {
                        return;
                    }
                }
                continue;
            }
            if keeps {
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(frame.clone());
            }
            if self.messages.send(frame).is_err() {
                return;
            }
        }
    }
}
