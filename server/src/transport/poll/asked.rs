//! What a client that polls says and wants, checked as a whole before anything of it is done.

use std::time::Duration;

use axum::http::{StatusCode, Uri};
use bytes::Bytes;
use synapti_protocol::{
    DecodeError, awareness, bundle,
    message::{self, Message, SyncMessage},
    update,
};

use crate::{http::error::ApiError, session::is_edit, transport::cursor::ClientCursor};

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
    pub(super) fn parse(body: &Bytes) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (at, message) in bundle::messages(body).enumerate() {
            if at == MESSAGES_MAX {
                let message = format!("more than {MESSAGES_MAX} messages in one body: send them in several");
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message));
            }
            let read = message.and_then(|bytes| asked.take(&body.slice_ref(bytes)));
            read.map_err(|error| {
                let message = format!("message {} of the body cannot be read: {error}", at + 1);
                ApiError::new(StatusCode::BAD_REQUEST, "malformed_message", message)
            })?;
        }
        Ok(asked)
    }

    fn take(&mut self, frame: &Bytes) -> Result<(), DecodeError> {
        match message::parse(frame)? {
            Message::Sync(SyncMessage::Step1(state_vector)) => {
                update::scan_state_vector(state_vector)?;
                self.state_vector = Some(Bytes::copy_from_slice(state_vector));
            }
            Message::Sync(SyncMessage::Step2(bytes)) => self.edit(frame, bytes, true)?,
            Message::Sync(SyncMessage::Update(bytes)) => self.edit(frame, bytes, false)?,
            Message::Awareness(payload) => {
                awareness::scan(payload)?;
                self.presence.push(frame.clone());
            }
            Message::QueryAwareness => self.wants_presence = true,
            // Only servers say these; a client that repeats them does no harm.
            Message::Auth(_) | Message::Ack(_) | Message::Notice(_) => {}
        }
        Ok(())
    }

    fn edit(&mut self, frame: &Bytes, bytes: &[u8], is_answer: bool) -> Result<(), DecodeError> {
        self.changes |= is_edit(&update::scan(bytes)?, is_answer);
        self.edits.push(frame.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Result<Params, ApiError> {
        Params::parse(&format!("/v1/graphs/m/sync?{query}").parse().unwrap())
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
        let asked =
            Asked::parse(&body(&[&[0, 0, 1, 0], &[0, 1, 2, 0, 0], &[0, 2, 2, 0, 0], &[1, 1, 0], &[3]])).unwrap();
        assert_eq!(asked.state_vector.unwrap()[..], [0]);
        assert_eq!((asked.edits.len(), asked.presence.len()), (2, 1));
        assert!(!asked.changes && asked.wants_presence);
        let changing = Asked::parse(&body(&[&[0, 2, 6, 0, 1, 1, 1, 0, 1]])).unwrap();
        assert!(changing.changes, "a deletion");
    }

    #[test]
    fn what_cannot_be_read_names_its_place() {
        for wrong in [&[9][..], &[0, 0, 1, 9], &[0, 2, 1, 9], &[1, 1, 9], &[0, 2, 2, 0, 0, 0], &[]] {
            let error = Asked::parse(&body(&[&[3], wrong])).unwrap_err();
            assert_eq!((error.status(), error.code()), (StatusCode::BAD_REQUEST, "malformed_message"));
            assert!(error.message().starts_with("message 2"), "{}", error.message());
        }
        let many = body(&vec![&[3][..]; MESSAGES_MAX + 1]);
        assert_eq!(Asked::parse(&many).unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
