//! A server for clients that poll, for tests alone: maps are lists of updates, and a cursor is a place in a list.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{
        Path, Query, State, WebSocketUpgrade,
        ws::{self, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::stream;
use synapti_protocol::{
    bundle,
    message::{self, Message, SyncMessage, encode_step2, encode_update},
    update::EMPTY_UPDATE,
};
use tokio::{
    runtime::Runtime,
    sync::{oneshot, watch},
    time::timeout,
};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Polls that wait are told that there is nothing, and a new cursor.
    ForgetsPolls,
    /// Streams of events end with the state.
    StopsEvents,
    /// It takes edits, and does not say that they are on disk.
    SavesNothing,
}

/// A server on a thread of its own, until this is dropped.
pub struct Stand {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

type Rooms = Mutex<HashMap<String, Arc<watch::Sender<Vec<Bytes>>>>>;

struct Server {
    fault: Fault,
    rooms: Rooms,
    waiting: AtomicU64,
}

impl Stand {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let state = Arc::new(Server { fault, rooms: Rooms::default(), waiting: AtomicU64::new(0) });
        let app = Router::new()
            .route("/v1/ws/{room}", get(socket))
            .route("/v1/graphs/{room}/sync", post(sync))
            .route("/v1/graphs/{room}/sse", get(events))
            .route("/metrics", get(metrics))
            .with_state(state);
        thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, _stop: stop }
    }

    /// Where its rooms are.
    pub fn url(&self) -> String {
        format!("ws://{}/v1/ws", self.address)
    }
}

impl Server {
    fn room(&self, room: String) -> Arc<watch::Sender<Vec<Bytes>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).entry(room).or_default().clone()
    }
}

/// Takes a message in, if it is an edit; says whether it was one.
fn take(room: &watch::Sender<Vec<Bytes>>, frame: &[u8]) -> bool {
    let Ok(Message::Sync(SyncMessage::Update(update) | SyncMessage::Step2(update))) = message::parse(frame) else {
        return false;
    };
    room.send_modify(|updates| updates.push(encode_update(update).into()));
    true
}

async fn sync(
    State(server): State<Arc<Server>>,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    let room = server.room(room);
    let edits = bundle::messages(&body).filter(|frame| take(&room, frame.unwrap())).count();
    let cursor = query.get("cursor").map(|cursor| cursor.parse::<usize>().unwrap());
    let mut listening = room.subscribe();
    if let Some(cursor) = cursor {
        server.waiting.fetch_add(1, Ordering::Relaxed);
        let wait = Duration::from_secs(query["wait"].parse().unwrap());
        let _ = timeout(wait, listening.wait_for(|updates| updates.len() > cursor)).await;
        server.waiting.fetch_sub(1, Ordering::Relaxed);
    }
    let updates = room.borrow().clone();
    let head = [("synapti-cursor", updates.len().to_string()), ("synapti-durable", edits.to_string())];
    if edits > 0 && server.fault == Fault::SavesNothing {
        return ([("synapti-cursor", "0"), ("synapti-durable", "0")], "\0").into_response();
    }
    if cursor.is_some() && server.fault == Fault::ForgetsPolls {
        return (StatusCode::NO_CONTENT, head).into_response();
    }
    let step2 = cursor.is_none().then(|| encode_step2(&EMPTY_UPDATE).into());
    let frames = updates[cursor.unwrap_or(0)..].iter().cloned().chain(step2);
    let body: Vec<u8> =
        frames.flat_map(|frame: Bytes| [bundle::header(frame.len()), frame.to_vec()].concat()).collect();
    (head, body).into_response()
}

async fn events(State(server): State<Arc<Server>>, Path(room): Path<String>) -> Response {
    let listening = server.room(room).subscribe();
    let stops = server.fault == Fault::StopsEvents;
    let lines = stream::unfold((listening, None), move |(mut listening, place)| async move {
        let frames: Vec<Bytes> = match place {
            None => listening.borrow().iter().cloned().chain([encode_step2(&EMPTY_UPDATE).into()]).collect(),
            Some(_) if stops => return None,
            Some(place) => listening.wait_for(|updates| updates.len() > place).await.ok()?[place..].to_vec(),
        };
        let place = place.map_or(frames.len() - 1, |place| place + frames.len());
        let event = |frame| format!("id: {place}\ndata: {}\n\n", BASE64_STANDARD.encode(frame));
        let lines: Vec<String> = frames.iter().map(event).collect();
        Some((Ok::<_, Infallible>(lines.concat()), (listening, Some(place))))
    });
    Body::from_stream(lines).into_response()
}

async fn socket(State(server): State<Arc<Server>>, Path(room): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| carry(&server.room(room), socket).await)
}

async fn carry(room: &watch::Sender<Vec<Bytes>>, mut socket: WebSocket) {
    let (mut listening, mut told) = (room.subscribe(), 0);
    loop {
        let is_asked = tokio::select! {
            heard = socket.recv() => match heard {
                Some(Ok(ws::Message::Binary(frame))) => !take(room, &frame),
                Some(Ok(_)) => false,
                _ => return,
            },
            Ok(_) = listening.wait_for(|updates| updates.len() > told) => false,
        };
        // Who asks first has all that was said before.
        let updates = room.borrow()[told..].to_vec();
        told += updates.len();
        let answer = is_asked.then(|| encode_step2(&EMPTY_UPDATE).into());
        for frame in updates.into_iter().chain(answer) {
            if socket.send(ws::Message::Binary(frame)).await.is_err() {
                return;
            }
        }
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> String {
    format!("synapti_polls_waiting {}\n", server.waiting.load(Ordering::Relaxed))
}
