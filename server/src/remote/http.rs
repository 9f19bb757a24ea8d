//! One request to a server, and its answer. Each has a connection of its own; redirects are not followed, because they would
//! carry the token to where nobody sent it.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{task::JoinSet, time::timeout};

use super::url::ServerUrl;
use crate::{config::Secret, dial::dial};

pub use super::refusal::{HttpError, Refusal};

/// From the look-up of the name to a connection that can be used.
pub(super) const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of an error's body: what says why is short.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// What the environment variable holds that carries the token.
#[derive(Clone, Debug)]
pub struct Token(Secret);

/// The text cannot be a token. Does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SYNAPTI_TOKEN holds no token: it has characters that no token has (a line break, a space, or quotes?)")]
pub struct InvalidToken;

/// Somebody who asks one server.
#[derive(Clone, Debug)]
pub struct Http {
    server: ServerUrl,
    token: Option<Token>,
}

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query at the server, without the prefix that its address has.
    pub path: String,
    /// Headers beside `Host`, `Authorization`, `User-Agent` and `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; may be empty.
    pub body: Bytes,
    /// How long the whole answer may take; of a stream, its head.
    pub within: Duration,
    /// The longest body that is read.
    pub body_bytes_max: usize,
}

/// A whole answer with a status below 300, or 304.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer that is read as it comes.
#[derive(Debug)]
pub struct Streaming {
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// Moves the bytes; ends with this.
    _connection: JoinSet<()>,
}

impl Token {
    /// Understands what the variable holds; nothing when it is empty.
    ///
    /// # Errors
    /// When that cannot be a token.
    pub fn read(text: &str) -> Result<Option<Self>, InvalidToken> {
        let text = text.trim();
        let is_token = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        match (text.is_empty(), is_token) {
            (true, _) => Ok(None),
            (_, true) => Ok(Some(Self(Secret::new(text)))),
            _ => Err(InvalidToken),
        }
    }

    /// The header `Authorization`.
    pub fn header(&self) -> HeaderValue {
        let line = format!("Bearer {}", self.0.expose());
        let mut value = HeaderValue::try_from(line).expect("a token has no other characters");
        value.set_sensitive(true);
        value
    }
}

impl Ask {
    /// A request without a body.
    pub fn get(path: impl Into<String>, within: Duration, body_bytes_max: usize) -> Self {
        let (method, headers) = (Method::GET, Vec::new());
        Self { method, path: path.into(), headers, body: Bytes::new(), within, body_bytes_max }
    }

    /// A request with a body of this type.
    pub fn post(path: impl Into<String>, content_type: &'static str, body: impl Into<Bytes>, within: Duration) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        let body_bytes_max = synapti_protocol::limits::SYNC_BYTES_MAX;
        Self { method: Method::POST, path: path.into(), headers, body: body.into(), within, body_bytes_max }
    }
}

impl Answer {
    /// A header, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Http {
    /// Asks this server, with this token in a header.
    pub const fn new(server: ServerUrl, token: Option<Token>) -> Self {
        Self { server, token }
    }

    /// The server.
    pub const fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// The token's header, if there is one.
    pub fn authorization(&self) -> Option<HeaderValue> {
        self.token.as_ref().map(Token::header)
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// When there is none, or it is a refusal.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, HttpError> {
        let (within, body_bytes_max) = (ask.within, ask.body_bytes_max);
        let asking = async {
            let (response, _connection) = self.begin(ask).await?;
            let (head, body) = response.into_parts();
            let body = read(body, body_bytes_max).await?;
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        timeout(within, asking).await.map_err(|_| HttpError::too_slow(within))?
    }

    /// Asks, and answers once the head of the answer has come.
    ///
    /// # Errors
    /// When there is none, or it is a refusal.
    pub async fn stream(&self, ask: Ask) -> Result<Streaming, HttpError> {
        let within = ask.within;
        let (response, connection) =
            timeout(within, self.begin(ask)).await.map_err(|_| HttpError::too_slow(within))??;
        let (head, body) = response.into_parts();
        Ok(Streaming { headers: head.headers, body, _connection: connection })
    }

    /// The answer's head, when it is no refusal, and the task that moves the bytes of its body.
    async fn begin(&self, ask: Ask) -> Result<(Response<Incoming>, JoinSet<()>), HttpError> {
        let server = &self.server;
        let dialling = timeout(CONNECTED_WITHIN, dial(server.host(), server.port(), server.is_tls()));
        let stream = dialling.await.map_err(|_| HttpError::too_slow(CONNECTED_WITHIN))?;
        let stream = stream.map_err(|error| HttpError::connect(server, &error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            // Whoever reads the answer is told of its end.
            let _ = connection.await;
        });
        let response = sender.send_request(self.request(ask)?).await?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok((response, moving));
        }
        let (head, body) = response.into_parts();
        let body = read(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        Err(HttpError::Refused(Refusal::read(head.status, &head.headers, &body)))
    }

    fn request(&self, ask: Ask) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(self.server.path(&ask.path))
            .header(header::HOST, self.server.authority())
            .header(header::USER_AGENT, concat!("synapti/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = self.authorization() {
            request = request.header(header::AUTHORIZATION, token);
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(ask.body)).map_err(|_| HttpError::Address)
    }
}

impl Streaming {
    /// What has come next of the body; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

async fn read(body: Incoming, bytes_max: usize) -> Result<Bytes, HttpError> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(HttpError::TooLarge { bytes_max }),
        Err(_) => Err(HttpError::BrokeOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_fits_into_a_header_and_is_never_shown() {
        let token = Token::read(" a.b-c_d~e+/=\n").unwrap().unwrap();
        assert_eq!(token.header().to_str().unwrap(), "Bearer a.b-c_d~e+/=");
        assert!(token.header().is_sensitive() && !format!("{token:?}").contains("a.b"));
        assert!(Token::read("").unwrap().is_none() && Token::read(" \n").unwrap().is_none());
        for text in ["a b", "a\nb", "\"a\"", "Bearer a", "ü"] {
            assert_eq!(Token::read(text).unwrap_err(), InvalidToken, "{text}");
        }
    }
}
