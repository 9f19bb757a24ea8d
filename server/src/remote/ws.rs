//! A map over WebSocket.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::{self, HeaderValue};
use synapti_protocol::message;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, handshake::client::Request, protocol::WebSocketConfig,
    },
};

use super::{
    gone::{Gone, Why},
    http::{CONNECTED_WITHIN, HttpError},
    plain::plain,
    wire::{Ends, Heard, Opening},
};
use crate::dial::{Stream, dial};

/// A server of ours sends something at least every half minute; some time after that the connection counts as dead.
const SILENT_MAX: Duration = Duration::from_secs(75);

/// A crowd is let in one by one, with the socket open.
const TURN_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of the largest message that is read: the largest map that a server keeps, and some.
const MESSAGE_BYTES_MAX: usize = 128 << 20;

type Socket = WebSocketStream<Box<dyn Stream>>;

/// Connects, and moves messages until the end.
pub(super) async fn run(opening: &Opening, mut ends: Ends) -> Result<(), Gone> {
    let connecting = timeout(opening.patience, connect(opening)).await;
    let mut socket =
        connecting.map_err(|_| Gone::new(Why::Unusable, "the upgrade to WebSocket was not answered"))??;
    send(&mut socket, message::encode_step1(&opening.state_vector).into()).await?;
    let mut deadline = Instant::now() + TURN_WITHIN;
    loop {
        tokio::select! {
            heard = timeout_at(deadline, socket.next()) => {
                let heard = heard.map_err(|_| Gone::new(Why::Broken, "the server has gone silent"))?;
                deadline = Instant::now() + SILENT_MAX;
                let Some(frame) = understood(heard)? else { continue };
                if ends.tell(Heard::Message(frame)).await.is_err() {
                    break;
                }
            }
            frame = ends.outbox.recv() => match frame {
                Some(frame) => send(&mut socket, frame).await?,
                None => break,
            },
        }
    }
    // It ends either way.
    let _ = socket.close(None).await;
    Ok(())
}

async fn connect(opening: &Opening) -> Result<Socket, Gone> {
    let server = opening.map.server();
    let dialling = timeout(CONNECTED_WITHIN, dial(server.host(), server.port(), server.is_tls())).await;
    let stream = dialling.map_err(|_| HttpError::too_slow(CONNECTED_WITHIN))?;
    let stream = stream.map_err(|error| HttpError::connect(server, &error))?;
    let config =
        WebSocketConfig::default().max_frame_size(Some(MESSAGE_BYTES_MAX)).max_message_size(Some(MESSAGE_BYTES_MAX));
    let upgrading = timeout(opening.patience, client_async_with_config(request(opening)?, stream, Some(config))).await;
    let silent = |_| Gone::new(Why::Unusable, "the upgrade to WebSocket was not answered");
    match upgrading.map_err(silent)? {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let status = response.status();
            Err(Gone::new(Why::Unusable, format!("the upgrade to WebSocket was refused: {status}")))
        }
        Err(error) => Err(Gone::new(Why::Unusable, format!("the upgrade to WebSocket failed: {error}"))),
    }
}

fn request(opening: &Opening) -> Result<Request, Gone> {
    let server = opening.map.server();
    let path = server.path(&format!("/v1/ws/{}", opening.map.graph()));
    let scheme = if server.is_tls() { "wss" } else { "ws" };
    let mut request = format!("{scheme}://{}{path}", server.authority())
        .into_client_request()
        .map_err(|error| Gone::new(Why::Final(0), format!("the address cannot be asked for: {error}")))?;
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("synapti.v1"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("synapti/", env!("CARGO_PKG_VERSION"))));
    if let Some(token) = opening.http().authorization() {
        headers.insert(header::AUTHORIZATION, token);
    }
    Ok(request)
}

/// A server that takes nothing for so long has gone.
async fn send(socket: &mut Socket, frame: Bytes) -> Result<(), Gone> {
    let sent = timeout(SILENT_MAX, socket.send(Message::Binary(frame))).await;
    let sent = sent.map_err(|_| Gone::new(Why::Broken, "the server takes nothing any more"))?;
    // Why it closed stands in what is still to be read.
    match sent {
        Err(tungstenite::Error::Io(error)) => Err(Gone::new(Why::Broken, format!("the connection broke: {error}"))),
        _ => Ok(()),
    }
}

/// The message in a frame, if it has one.
fn understood(heard: Option<Result<Message, tungstenite::Error>>) -> Result<Option<Bytes>, Gone> {
    match heard {
        Some(Ok(Message::Binary(frame))) => Ok(Some(frame)),
        Some(Ok(Message::Close(Some(close)))) => Err(Gone::closed(close.code.into(), &close.reason)),
        Some(Ok(Message::Close(None))) | None => Err(Gone::new(Why::Broken, "the server closed the connection")),
        Some(Ok(Message::Text(_))) => Err(Gone::new(Why::Unusable, "the server sent text: it is not a Synapti server")),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(Gone::new(Why::Broken, plain(&format!("the connection broke: {error}")))),
    }
}
