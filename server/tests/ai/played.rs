//! A server that answers one request after the other with what it was told to say, byte by byte.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    head: String,
    pieces: Vec<Vec<u8>>,
    end: End,
}

/// What becomes of the connection after the last piece.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The body ends as it should.
    Whole,
    /// The connection is closed within the body.
    Closed,
    /// It is reset within the body.
    Reset,
    /// Nothing more comes, for ever.
    Stall,
    /// The last piece comes again and again, for ever.
    Endless,
}

/// What somebody asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers, as they came.
    pub head: String,
    pub body: Value,
}

/// The server; it ends when it is dropped.
pub struct Played {
    pub base: String,
    requests: watch::Receiver<Vec<Request>>,
    _tasks: JoinSet<()>,
}

impl Reply {
    /// An event stream in one piece.
    pub fn stream(text: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", &["content-type: text/event-stream; charset=utf-8"]).piece(text)
    }

    /// The same in these pieces.
    pub fn streamed(pieces: Vec<Vec<u8>>) -> Self {
        let mut reply = Self::stream("");
        reply.pieces = pieces;
        reply
    }

    /// An answer in JSON.
    pub fn json(status: &str, body: &Value) -> Self {
        Self::new(status, &["content-type: application/json"]).piece(body.to_string())
    }

    pub fn new(status: &str, headers: &[&str]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        let bare = Self { head, pieces: Vec::new(), end: End::Whole };
        headers.iter().fold(bare, |reply, header| reply.header(header))
    }

    /// Nothing at all, not even a head.
    pub fn silence() -> Self {
        Self { head: String::new(), pieces: Vec::new(), end: End::Stall }
    }

    pub fn piece(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.pieces.push(bytes.into());
        self
    }

    pub fn header(mut self, line: &str) -> Self {
        let end = self.head.len() - 2;
        self.head.insert_str(end, &[line, "\r\n"].concat());
        self
    }

    pub fn closed(self) -> Self {
        Self { end: End::Closed, ..self }
    }

    pub fn reset(self) -> Self {
        Self { end: End::Reset, ..self }
    }

    pub fn stalled(self) -> Self {
        Self { end: End::Stall, ..self }
    }

    pub fn endless(self) -> Self {
        Self { end: End::Endless, ..self }
    }

    async fn play(self, mut socket: TcpStream) -> std::io::Result<()> {
        socket.set_nodelay(true)?;
        socket.write_all(self.head.as_bytes()).await?;
        for piece in self.pieces.iter().filter(|piece| !piece.is_empty()) {
            socket.write_all(&chunk(piece)).await?;
        }
        match self.end {
            End::Whole => socket.write_all(b"0\r\n\r\n").await?,
            End::Closed => {}
            End::Reset => socket.set_zero_linger()?,
            End::Stall => std::future::pending().await,
            End::Endless => loop {
                socket.write_all(&chunk(self.pieces.last().map_or(b"x", Vec::as_slice))).await?;
            },
        }
        Ok(())
    }
}

fn chunk(piece: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

impl Played {
    /// Answers the first request with the first reply, and so on; the last one again and again.
    pub async fn start(replies: impl Into<VecDeque<Reply>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (heard, requests) = watch::channel(Vec::new());
        let replies = Arc::new(Mutex::new(replies.into()));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut answering = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                answering.spawn(answer(socket, replies.clone(), heard.clone()));
            }
        });
        Self { base, requests, _tasks: tasks }
    }

    /// One reply for everybody.
    pub async fn always(reply: Reply) -> Self {
        Self::start([reply]).await
    }

    /// What has been asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }
}

async fn answer(mut socket: TcpStream, replies: Arc<Mutex<VecDeque<Reply>>>, heard: watch::Sender<Vec<Request>>) {
    let Some(request) = read(&mut socket).await else { return };
    heard.send_modify(|requests| requests.push(request));
    let reply = {
        let mut replies = replies.lock().unwrap();
        if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
    };
    // The client may leave before the end.
    let _ = reply.unwrap().play(socket).await;
}

async fn read(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let body = &bytes[end + 4..];
            if body.len() >= length.unwrap_or(0) {
                return Some(Request { head, body: serde_json::from_slice(body).unwrap_or_default() });
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
