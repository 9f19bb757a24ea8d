//! From an HTTP request to a WebSocket.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::{self, handshake::server::create_response_with_body};

use crate::{http::credentials::subprotocols, transport::conn::Conn};

/// The y-websocket protocol with acknowledgements and notices.
const EXTENDED: &str = "synapti.v1";

/// The subprotocol that y-websocket clients may ask for.
const PLAIN: &str = "y-sync";

/// Asks for what [`EXTENDED`] adds where a client cannot name a subprotocol.
const EXTENDED_PARAMETER: &str = "ext=1";

/// Whether the address asks for what `synapti.v1` adds.
pub(in crate::transport) fn is_extended(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|parameter| parameter == EXTENDED_PARAMETER)
}

/// A connection that is being upgraded.
pub(in crate::transport) struct Upgrade {
    upgrade: OnUpgrade,
    /// Whether the client is told what becomes of its edits.
    pub(in crate::transport) is_extended: bool,
}

impl Upgrade {
    /// Answers the handshake of RFC 6455, section 4.2.
    ///
    /// # Errors
    /// When the request is none.
    pub(in crate::transport) fn begin(mut request: Request) -> Result<(Self, Response), tungstenite::Error> {
        let mut response = create_response_with_body(&request, Body::empty)?;
        let subprotocol =
            [EXTENDED, PLAIN].into_iter().find(|known| subprotocols(request.headers()).any(|asked| asked == *known));
        if let Some(subprotocol) = subprotocol {
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
        }
        let is_extended = subprotocol == Some(EXTENDED) || is_extended(request.uri().query());
        Ok((Self { upgrade: hyper::upgrade::on(&mut request), is_extended }, response))
    }

    /// The connection once the response is on its way, and what the client has sent since; `None` when it is gone.
    pub(in crate::transport) async fn finish(self) -> Option<(Conn, Bytes)> {
        let upgraded = self.upgrade.await.ok()?;
        // Every connection is made by our own acceptor.
        let parts = upgraded.downcast::<TokioIo<Conn>>().ok()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }
}
