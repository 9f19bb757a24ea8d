//! From an HTTP request to a WebSocket.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use tokio_tungstenite::tungstenite::{self, handshake::server::create_response_with_body};

use crate::transport::conn::Conn;

/// The subprotocol that y-websocket clients may ask for.
const SUBPROTOCOL: &str = "y-sync";

/// A connection that is being upgraded.
pub(super) struct Upgrade(OnUpgrade);

impl Upgrade {
    /// Answers the handshake of RFC 6455, section 4.2.
    ///
    /// # Errors
    /// When the request is none.
    pub(super) fn begin(mut request: Request) -> Result<(Self, Response), tungstenite::Error> {
        let mut response = create_response_with_body(&request, Body::empty)?;
        if asks_for(request.headers(), SUBPROTOCOL) {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        Ok((Self(hyper::upgrade::on(&mut request)), response))
    }

    /// The connection once the response is on its way, and what the client has sent since; `None` when it is gone.
    pub(super) async fn finish(self) -> Option<(Conn, Bytes)> {
        let upgraded = self.0.await.ok()?;
        // Every connection is made by our own acceptor.
        let parts = downcast::<TokioIo<Conn>>(upgraded).ok()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

fn asks_for(headers: &HeaderMap, subprotocol: &str) -> bool {
    let asked = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    asked.flat_map(|value| value.split(',')).any(|asked| asked.trim() == subprotocol)
}
