//! Somebody with a copy of the map, in the room or on their own.

use bytes::Bytes;
use synapti_server::room::{Cursor, Feed, SessionId, SyncReply, Welcome};

use crate::support::Client;

/// Bytes taken from the feed at once: about two frames, so that reading stops half way.
const READ_BYTES_MAX: usize = 200;

#[derive(Debug)]
pub struct Person {
    pub client: Client,
    pub session: Option<Place>,
    edits: usize,
}

/// What a session knows of its place in the room.
#[derive(Debug)]
pub struct Place {
    pub session: SessionId,
    /// Edits sent in this session.
    pub sent: Vec<Bytes>,
    /// How many of them are said to be saved.
    pub acked: u64,
    pub cursor: Cursor,
    /// A state vector that the person certainly has.
    pub known: Bytes,
    /// Has fallen off the ring and waits for the diff.
    pub catching_up: bool,
}

impl Person {
    pub fn new(number: usize) -> Self {
        Self { client: Client::new(number as u64 + 1), session: None, edits: 0 }
    }

    /// Edits the own copy; the update to be sent, if there is somebody to send it to.
    pub fn edit(&mut self) -> Bytes {
        self.edits += 1;
        let node = format!("{} {}", self.client.id, self.edits);
        self.client.add(node)
    }

    /// Comes into the room: what is to be sent as the answer to its question.
    pub fn enter(&mut self, session: SessionId, welcome: &Welcome) -> Bytes {
        let known = Bytes::from_static(&[0]);
        self.session =
            Some(Place { session, sent: Vec::new(), acked: 0, cursor: welcome.cursor, known, catching_up: false });
        self.client.answer(&welcome.question)
    }

    /// Takes in what the feed has from the own cursor on; who has fallen off it needs the diff from this state vector.
    pub fn listen(&mut self, feed: &Feed) -> Option<Bytes> {
        let place = self.session.as_mut().filter(|place| !place.catching_up)?;
        let client = &mut self.client;
        let take = |frame: Bytes| {
            client.receive(&frame);
        };
        let Ok(checkpoint) = feed.read(&mut place.cursor, READ_BYTES_MAX, take) else {
            place.catching_up = true;
            return Some(place.known.clone());
        };
        if let Some(checkpoint) = checkpoint {
            place.known = checkpoint.state_vector.clone();
        }
        None
    }

    /// Takes in the answer to a question.
    pub fn hear(&mut self, reply: &SyncReply) {
        self.client.hear(reply);
        if let Some(place) = &mut self.session {
            place.known = reply.state_vector.clone();
            if std::mem::take(&mut place.catching_up) {
                place.cursor = reply.cursor;
            }
        }
    }
}
