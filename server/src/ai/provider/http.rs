//! Requests to a provider.
//!
//! The three adapters stand directly on `reqwest`. The library for all providers that there is (genai 0.7.2) reads the lines of a
//! stream without a bound, hides a refusal (`delta.refusal`), and cannot tell a stream of Gemini or Anthropic that was cut from one
//! that ended.

use std::{error::Error as _, time::Duration};

use reqwest::{
    Client, ClientBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde_json::Value;

use super::{
    ProviderError,
    events::EventBody,
    refusal::{self, Scrubber},
    retry_after,
};
use crate::{config::Secret, dial};

/// From the look-up of the name to a connection that can be used.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// A connection that nobody uses is kept as long.
const IDLE_FOR: Duration = Duration::from_secs(90);

/// A dead connection is noticed in about this time, so that no request is sent into the void.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);

/// Bytes that are read of an answer that is no stream: what says why is short.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// A provider's place, and the key that goes there and nowhere else.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    headers: HeaderMap,
    scrubber: Scrubber,
}

/// The provider did not answer.
#[derive(Debug)]
pub(super) struct Refused {
    /// What that means.
    pub error: ProviderError,
    /// Of a request that it did not understand (400, 422): what it said, to be searched and never to be shown.
    pub said: Option<String>,
}

impl Http {
    /// `key`: the header that carries it, and what it holds.
    pub fn new(base: &str, key: Option<(HeaderName, String)>, secret: Option<Secret>) -> Result<Self, String> {
        let base = Url::parse(base).map_err(|error| format!("the base URL cannot be used: {error}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = key {
            let mut value = HeaderValue::from_str(&value).map_err(|_| "the key cannot stand in a header".to_owned())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self { client: client(&base)?, base, headers, scrubber: Scrubber::new(secret) })
    }

    /// The same with a header that goes with every request.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Host and port, for the log.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// What keeps the key out of what the provider is quoted with.
    pub fn scrubber(&self) -> Scrubber {
        self.scrubber.clone()
    }

    /// A place below the base, each part of the path escaped by itself.
    pub fn url(&self, path: &[&str], query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url.set_query(query);
        url
    }

    /// Whether the base's path ends with this part.
    pub fn ends_with(&self, part: &str) -> bool {
        self.base.path().trim_end_matches('/').rsplit('/').next() == Some(part)
    }

    /// Asks, and returns when the stream begins.
    pub async fn post(&self, url: Url, body: &Value) -> Result<EventBody, Refused> {
        let request = self.client.post(url).headers(self.headers.clone()).body(body.to_string());
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let is_stream = content_type(&response).is_some_and(|kind| kind.starts_with("text/event-stream"));
        match response.status() {
            StatusCode::OK if is_stream => Ok(EventBody::new(response)),
            status => Err(self.refused(status, response).await),
        }
    }

    async fn refused(&self, status: StatusCode, response: Response) -> Refused {
        let retry_after = retry_after::from_headers(response.headers());
        let kind = content_type(&response).unwrap_or("nothing that it names").to_owned();
        let body = beginning(response).await;
        let parsed = serde_json::from_slice::<Value>(&body).ok();
        let error = parsed.as_ref().and_then(refusal::error_in);
        if status.is_success() {
            let error = error.map(|error| refusal::of_stream(error, &self.scrubber));
            let no_stream = || format!("it sends {} where an event stream was asked for", self.scrubber.clean(&kind));
            return error.unwrap_or_else(|| ProviderError::Malformed(no_stream())).into();
        }
        let said = matches!(status.as_u16(), 400 | 422).then(|| String::from_utf8_lossy(&body).into_owned());
        Refused { error: refusal::of_status(status, error, retry_after, &self.scrubber), said }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refused {
        let why = if error.is_connect() && error.is_timeout() {
            format!("{} did not answer within {} s", self.host(), CONNECTED_WITHIN.as_secs())
        } else {
            format!("{}: {}", self.host(), root_of(error))
        };
        ProviderError::Unreachable(self.scrubber.clean(&why)).into()
    }
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self { error, said: None }
    }
}

/// What lies at the bottom of an error. The error itself would name the URL.
fn root_of(error: &reqwest::Error) -> String {
    let mut root = error.source();
    while let Some(deeper) = root.and_then(std::error::Error::source) {
        root = Some(deeper);
    }
    root.map_or_else(|| "the request could not be sent".to_owned(), ToString::to_string)
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}

/// As much of a body as says why; what breaks off on the way says what it said.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = REFUSAL_BYTES_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == REFUSAL_BYTES_MAX {
            break;
        }
    }
    body
}

fn client(base: &Url) -> Result<Client, String> {
    let built = builder(base).build().or_else(|_| {
        // A container without certificates of its own.
        let mut tls = dial::tls_config();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        builder(base).tls_backend_preconfigured(tls).build()
    });
    built.map_err(|error| format!("TLS cannot be set up: {}", root_of(&error)))
}

/// Proxies come from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, as `reqwest` has it.
fn builder(base: &Url) -> ClientBuilder {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECTED_WITHIN)
        .pool_idle_timeout(IDLE_FOR)
        .tcp_keepalive(KEEP_ALIVE_EVERY)
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .http2_keep_alive_timeout(KEEP_ALIVE_EVERY)
        .user_agent(concat!("synapti/", env!("CARGO_PKG_VERSION")));
    // A proxy could not reach what only this machine can.
    if is_this_machine(base) { builder.no_proxy() } else { builder }
}

fn is_this_machine(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
