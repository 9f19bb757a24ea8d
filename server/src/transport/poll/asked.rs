//! What a client that polls says and wants, checked as a whole before anything of it is done.

use std::time::Duration;

use axum::http::{StatusCode, Uri};
use bytes::Bytes;
use synapti_protocol::{
    DecodeError, awareness, bundle,
    limits::AWARENESS_STATE_BYTES_MAX,
    message::{self, Message, SyncMessage},
    update,
};

use crate::{
    http::error::ApiError,
    session::{SessionLimits, is_edit},
    transport::cursor::ClientCursor,
};

/// The longest that a client may ask us to wait: proxies cut what is silent for a minute.
pub const WAIT_MAX: Duration = Duration::from_secs(55);

/// Messages in one body at most.
const MESSAGES_MAX: usize = 4096;

/// What the address of a poll says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    pub(super) wait: Duration,
    /// Whatever is no cursor of ours is none.
    pub(super) cursor: Option<ClientCursor>,
}

/// What its body says.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The last state vector, if there is one.
    pub(super) state_vector: Option<Bytes>,
    /// Frames with updates, in order.
    pub(super) edits: Vec<Bytes>,
    /// Whether one of them would change the map.
    pub(super) changes: bool,
    /// Frames with what the client says of itself.
    pub(super) presence: Vec<Bytes>,
    /// Whether the client wants to know who is here.
    pub(super) wants_presence: bool,
}

impl Params {
    pub(super) fn parse(uri: &Uri) -> Result<Self, ApiError> {
        let mut params = Self::default();
        for (name, value) in uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "wait" => params.wait = wait(value)?,
                "cursor" => params.cursor = ClientCursor::parse(value),
                _ => {}
            }
        }
        Ok(params)
    }
}

/// How long to wait.
pub fn wait(text: &str) -> Result<Duration, ApiError> {
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let wait = seconds.map(Duration::from_secs).filter(|wait| *wait <= WAIT_MAX);
    wait.ok_or_else(|| ApiError::field("wait", format!("must be a number of seconds from 0 to {}", WAIT_MAX.as_secs())))
}

impl Asked {
    /// Reads a body. Whatever is wrong with a part of it, nothing of it counts.
    pub(super) fn parse(body: &Bytes, limits: &SessionLimits) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (at, message) in bundle::messages(body).enumerate() {
            if at == MESSAGES_MAX {
                let message = format!("more than {MESSAGES_MAX} messages in one body: send them in several");
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
            }
            let read = message.map_err(Wrong::from).and_then(|bytes| asked.take(&body.slice_ref(bytes), limits));
            read.map_err(|wrong| wrong.at(at + 1))?;
        }
        Ok(asked)
    }

    fn take(&mut self, frame: &Bytes, limits: &SessionLimits) -> Result<(), Wrong> {
        let message = message::parse(frame)?;
        let bytes_max = limits.bytes_max(&message);
        if bytes_max > 0 && frame.len() > bytes_max {
            return Err(Wrong::TooLarge { bytes: frame.len(), bytes_max });
        }
        match message {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                update::scan_state_vector(state_vector)?;
                self.state_vector = Some(Bytes::copy_from_slice(state_vector));
            }
            Message::Sync(SyncMessage::Step2(bytes)) => self.edit(frame, bytes, true)?,
            Message::Sync(SyncMessage::Update(bytes)) => self.edit(frame, bytes, false)?,
            Message::Awareness(payload) => {
                let states = awareness::scan(payload)?;
                let too_large = |bytes: &usize| *bytes > AWARENESS_STATE_BYTES_MAX;
                if let Some(bytes) = states.iter().map(|entry| entry.state.len()).find(too_large) {
                    return Err(Wrong::TooLarge { bytes, bytes_max: AWARENESS_STATE_BYTES_MAX });
                }
                self.presence.push(frame.clone());
            }
            Message::QueryAwareness => self.wants_presence = true,
            // Only servers say these; a client that repeats them does no harm.
            Message::Auth(_) | Message::Ack(_) | Message::Notice(_) => {}
        }
        Ok(())
    }

    fn edit(&mut self, frame: &Bytes, bytes: &[u8], is_answer: bool) -> Result<(), Wrong> {
        self.changes |= is_edit(&update::scan(bytes)?, is_answer);
        self.edits.push(frame.clone());
        Ok(())
    }
}

/// What is wrong with one message.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("has {bytes} bytes, more than {bytes_max}: send what it says in smaller ones")]
    TooLarge { bytes: usize, bytes_max: usize },
}

impl Wrong {
    fn at(&self, number: usize) -> ApiError {
        let (status, code) = match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed_message"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "message_too_large"),
        };
        ApiError::new(status, code, format!("message {number} of the body {self}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Result<Params, ApiError> {
        Params::parse(&format!("/v1/graphs/m/sync?{query}").parse().unwrap())
    }

    const LIMITS: SessionLimits =
        SessionLimits { message_bytes_max: 100, sync_bytes_max: 200, messages_per_second: 0, bytes_per_second: 0 };

    fn parse(body: &Bytes) -> Result<Asked, ApiError> {
        Asked::parse(body, &LIMITS)
    }

    fn body(messages: &[&[u8]]) -> Bytes {
        messages.iter().flat_map(|message| [&bundle::header(message.len()), *message].concat()).collect()
    }

    #[test]
    fn a_wait_is_a_number_of_seconds() {
        assert_eq!(params("").unwrap(), Params::default());
        assert_eq!(params("x&wait=55&cursor=foreign").unwrap().wait, WAIT_MAX);
        for wait in ["56", "-1", "+1", "1.5", "", "a", "99999999999999999999"] {
            assert_eq!(
                params(&format!("wait={wait}")).unwrap_err().status(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "{wait}"
            );
        }
    }

    #[test]
    fn messages_are_sorted() {
        let asked = parse(&body(&[&[0, 0, 1, 0], &[0, 1, 2, 0, 0], &[0, 2, 2, 0, 0], &[1, 1, 0], &[3]])).unwrap();
        assert_eq!(asked.state_vector.unwrap()[..], [0]);
        assert_eq!((asked.edits.len(), asked.presence.len()), (2, 1));
        assert!(!asked.changes && asked.wants_presence);
        let changing = parse(&body(&[&[0, 2, 6, 0, 1, 1, 1, 0, 1]])).unwrap();
        assert!(changing.changes, "a deletion");
    }

    #[test]
    fn what_cannot_be_read_names_its_place() {
        for wrong in [&[9][..], &[0, 0, 1, 9], &[0, 2, 1, 9], &[1, 1, 9], &[0, 2, 2, 0, 0, 0], &[]] {
            let error = parse(&body(&[&[3], wrong])).unwrap_err();
            assert_eq!((error.status(), error.code()), (StatusCode::BAD_REQUEST, "malformed_message"));
            assert!(error.message().starts_with("message 2"), "{}", error.message());
        }
        let many = body(&vec![&[3][..]; MESSAGES_MAX + 1]);
        assert_eq!(parse(&many).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn what_is_too_large_is_refused_before_anything_is_done() {
        let text = "x".repeat(120);
        let large = [&[0, 2, 130, 1, 1, 1, 1, 0, 4, 1, 1, b't', 120][..], text.as_bytes(), &[0]].concat();
        let error = parse(&body(&[&[0, 2, 2, 0, 0], &large])).unwrap_err();
        assert_eq!((error.status(), error.code()), (StatusCode::PAYLOAD_TOO_LARGE, "message_too_large"));
        let answer = [&[0, 1][..], &large[2..]].concat();
        assert_eq!(parse(&body(&[&answer])).unwrap().edits.len(), 1, "an answer may be larger");
    }
}
