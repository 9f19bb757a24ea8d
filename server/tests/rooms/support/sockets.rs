//! The whole server on real sockets, and a client that speaks to it in bytes.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use synapti_protocol::message::{self, SyncMessage};
use synapti_server::{app::Server, config::Config};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Client, soon};

/// A server of its own, on a port of its own.
pub struct Running {
    pub address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    result: tokio::sync::oneshot::Receiver<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts with settings as in the environment.
    pub async fn start(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("synapti.db").display());
        let ours = [("SYNAPTI_LISTEN", "127.0.0.1:0"), ("SYNAPTI_DATABASE_URL", url.as_str())];
        let config = Config::load(None, ours.iter().chain(env).copied(), &[]).unwrap();
        let server = Server::bind(config).await.unwrap();
        let address = server.local_addr();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (tell, result) = tokio::sync::oneshot::channel();
        let stopped = stop.clone();
        tasks.spawn(async move { tell.send(server.run(stopped).await) });
        Self { address, stop, tasks, result, _folder: folder }
    }

    pub async fn connect(&self, graph: &str) -> WsClient {
        self.connect_with(graph, 0).await
    }

    /// With a receive buffer of about so many bytes in the system, or its own idea of one.
    pub async fn connect_with(&self, graph: &str, receive_buffer_bytes: u32) -> WsClient {
        let socket = TcpSocket::new_v4().unwrap();
        if receive_buffer_bytes > 0 {
            socket.set_recv_buffer_size(receive_buffer_bytes).unwrap();
        }
        let stream = socket.connect(self.address).await.unwrap();
        let url = format!("ws://{}/v1/ws/{graph}", self.address);
        let (ws, _) = soon("the upgrade", client_async(url, stream)).await.unwrap();
        WsClient { ws, received_bytes: 0 }
    }

    /// Connects to a graph, with a query and headers of the test's own; also the subprotocol that the server chose.
    pub async fn connect_showing(&self, graph_and_query: &str, headers: &[(&'static str, &str)]) -> (WsClient, String) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("ws://{}/v1/ws/{graph_and_query}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (ws, response) = soon("the upgrade", client_async(request, stream)).await.unwrap();
        let subprotocol = response.headers().get("sec-websocket-protocol").map_or("", |name| name.to_str().unwrap());
        (WsClient { ws, received_bytes: 0 }, subprotocol.to_owned())
    }

    /// A ticket for whoever holds the token.
    pub async fn ticket(&self, token: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST /v1/tickets HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        soon("a ticket", stream.read_to_string(&mut response)).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 201 "), "{response}");
        let (_, json) = response.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(json).unwrap()["ticket"].as_str().unwrap().to_owned()
    }

    /// One HTTP request; the status.
    pub async fn request(&self, method: &str, path: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        soon("a response", stream.read_to_string(&mut response)).await.unwrap();
        response.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Asks the server to go, without waiting.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the server's end.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.tasks.close();
        self.stop.cancel();
        soon("the server ends", self.result).await.unwrap()
    }
}

pub struct WsClient {
    ws: WebSocketStream<TcpStream>,
    /// Bytes of all messages so far.
    pub received_bytes: usize,
}

impl WsClient {
    pub async fn send(&mut self, frame: impl Into<Bytes>) {
        soon("the server reads", self.ws.send(Message::Binary(frame.into()))).await.unwrap();
    }

    pub async fn send_text(&mut self, text: &str) {
        self.ws.send(Message::text(text)).await.unwrap();
    }

    pub async fn update(&mut self, update: &[u8]) {
        self.send(message::encode_update(update)).await;
    }

    /// The next message, or the code with which the server closed.
    pub async fn next(&mut self) -> Result<Bytes, u16> {
        loop {
            match soon("the server says something", self.ws.next()).await {
                Some(Ok(Message::Binary(frame))) => {
                    self.received_bytes += frame.len();
                    return Ok(frame);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the connection broke without a close frame: {error}"),
                None => panic!("the connection ended without a close frame"),
            }
        }
    }

    /// Reads on until the server closes; code and reason.
    pub async fn refusal(&mut self) -> (u16, String) {
        loop {
            if let Some(Ok(Message::Close(frame))) = soon("the server closes", self.ws.next()).await {
                return frame.map_or((0, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
    }

    /// Reads on until the server closes; the code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// Reads the greeting and asks for the state, as y-websocket does.
    pub async fn sync(&mut self, client: &mut Client) {
        self.send(message::encode_step1(&client.state_vector())).await;
        loop {
            let frame = self.next().await.unwrap();
            client.receive(&frame);
            if matches!(message::parse(&frame), Ok(message::Message::Sync(SyncMessage::Step2(_)))) {
                break;
            }
        }
    }

    /// Reads until the client's document has a node.
    pub async fn until(&mut self, client: &mut Client, node: &str) {
        while !client.replica.map().nodes.contains_key(node) {
            client.receive(&self.next().await.unwrap());
        }
    }

    /// The connection below, to be read byte by byte.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.ws.get_mut()
    }

    pub async fn close(mut self) {
        self.ws.close(None).await.unwrap();
        while soon("the server answers", self.ws.next()).await.is_some_and(|message| message.is_ok()) {}
    }
}
