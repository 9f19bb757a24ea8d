//! The events of a provider's answer, within bounds, and the answer that is made of them.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use reqwest::Response;
use tokio::time::timeout;

use super::{Answer, Piece, ProviderError};
use crate::event_stream::{BadStream, Events, ServerEvent};

/// Bytes of one event: some words, and what a provider says about them.
const EVENT_BYTES_MAX: usize = 256 << 10;

/// Bytes of a whole answer as it comes over the wire.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How long an answer that is whole waits for what some providers send after it, such as what it has cost.
const TRAILER_WITHIN: Duration = Duration::from_secs(5);

/// The body of an answer that is an event stream.
#[derive(Debug)]
pub(super) struct EventBody {
    response: Response,
    events: Events,
    bytes: usize,
}

impl EventBody {
    pub fn new(response: Response) -> Self {
        Self { response, events: Events::new(EVENT_BYTES_MAX), bytes: 0 }
    }

    /// The next event; `None` when the stream has ended as a stream should. Cancel-safe.
    async fn next(&mut self) -> Result<Option<ServerEvent>, ProviderError> {
        loop {
            if let Some(event) = self.events.next_event().map_err(unreadable)? {
                return Ok(Some(event));
            }
            // What breaks off tells nothing more than that, and its error would name the URL.
            let Some(chunk) = self.response.chunk().await.map_err(|_| ProviderError::Cut)? else { return Ok(None) };
            self.bytes += chunk.len();
            if self.bytes > ANSWER_BYTES_MAX {
                return Err(ProviderError::TooLarge { bytes_max: ANSWER_BYTES_MAX });
            }
            self.events.push(&chunk);
        }
    }
}

fn unreadable(error: BadStream) -> ProviderError {
    match error {
        BadStream::TooLong => ProviderError::TooLarge { bytes_max: EVENT_BYTES_MAX },
        BadStream::NotText => ProviderError::Malformed("an event of it is not UTF-8".to_owned()),
    }
}

/// Understands the events of one provider.
pub(super) trait Decoder: Send {
    /// Takes in one event. What it adds to `pieces` counts even when it fails.
    fn event(&mut self, event: &ServerEvent, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError>;

    /// The stream has ended: the end of the answer, unless [`Piece::End`] was there already.
    fn end(&mut self, pieces: &mut VecDeque<Piece>) -> Result<(), ProviderError>;

    /// Whether the answer is whole, whatever may still follow.
    fn is_whole(&self) -> bool;
}

/// An answer that comes as events.
pub(super) struct Streamed<D> {
    body: EventBody,
    decoder: D,
    pieces: VecDeque<Piece>,
    failed: Option<ProviderError>,
    is_over: bool,
}

impl<D: Decoder> Streamed<D> {
    pub fn new(body: EventBody, decoder: D) -> Self {
        Self { body, decoder, pieces: VecDeque::new(), failed: None, is_over: false }
    }

    /// The next event; an answer that is whole cannot be spoilt by how its connection ends.
    async fn event(&mut self) -> Result<Option<ServerEvent>, ProviderError> {
        if !self.decoder.is_whole() {
            return self.body.next().await;
        }
        Ok(timeout(TRAILER_WITHIN, self.body.next()).await.ok().and_then(Result::ok).flatten())
    }
}

#[async_trait]
impl<D: Decoder> Answer for Streamed<D> {
    async fn next(&mut self) -> Result<Option<Piece>, ProviderError> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                self.is_over |= matches!(piece, Piece::End(_));
                return Ok(Some(piece));
            }
            if let Some(error) = self.failed.clone() {
                return Err(error);
            }
            if self.is_over {
                return Ok(None);
            }
            let taken = match self.event().await {
                Ok(Some(event)) => self.decoder.event(&event, &mut self.pieces),
                Ok(None) => self.decoder.end(&mut self.pieces),
                Err(error) => Err(error),
            };
            self.failed = taken.err();
        }
    }
}

/// An event's data as JSON.
pub(super) fn json(event: &ServerEvent) -> Result<serde_json::Value, ProviderError> {
    serde_json::from_str(&event.data)
        .map_err(|error| ProviderError::Malformed(format!("an event of it is not JSON (column {})", error.column())))
}
