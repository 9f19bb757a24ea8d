//! One small file over HTTP: connects, asks, and is done. Follows no redirects, so a key set comes from the address that the
//! operator named, or not at all.

use std::time::Duration;

use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::dial::{Stream, dial};

/// From the look-up of the name to the last byte.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("nothing came within {} seconds", FETCHED_WITHIN.as_secs())]
    TooSlow,
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the address has no host")]
    NoHost,
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("it answered {0}; only 200 will do, and redirects are not followed")]
    Status(hyper::StatusCode),
    #[error("the answer broke off, or is larger than {bytes_max} bytes")]
    Body { bytes_max: usize },
}

/// The body at `uri`, of at most `bytes_max` bytes.
pub(super) async fn get(uri: &Uri, bytes_max: usize) -> Result<Bytes, FetchError> {
    timeout(FETCHED_WITHIN, connect_and_get(uri, bytes_max)).await.map_err(|_| FetchError::TooSlow)?
}

async fn connect_and_get(uri: &Uri, bytes_max: usize) -> Result<Bytes, FetchError> {
    let host = uri.host().ok_or(FetchError::NoHost)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    exchange(dial(host, port, is_tls).await?, uri, bytes_max).await
}

async fn exchange(stream: Box<dyn Stream>, uri: &Uri, bytes_max: usize) -> Result<Bytes, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().ok_or(FetchError::NoHost)?.as_str();
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, concat!("synapti/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::NoHost)?;
    let ask = async {
        let response = sender.send_request(request).await?;
        if response.status() != hyper::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        Ok(body.map_err(|_| FetchError::Body { bytes_max })?.to_bytes())
    };
    // The connection may end before all that it has brought was taken in.
    match select(std::pin::pin!(ask), std::pin::pin!(connection)).await {
        Either::Left((body, _)) => body,
        Either::Right((_, ask)) => ask.await,
    }
}
