//! What the documents of a socket say through.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::Entry;
use crate::{session::Meter, transport::socket::Wire};

/// One socket, as its documents see it.
pub(super) struct Link {
    pub(super) wire: Wire,
    pub(super) entry: Arc<Entry>,
    /// How fast the client may speak, to all documents together.
    pub(super) meter: Meter,
    /// Whether a document was opened on this socket. From then on the client is somebody, whatever it closes.
    pub(super) is_known: bool,
    /// Whether the provider told its version, so that it can be pinged.
    pub(super) has_version: bool,
    /// Answers that were queued since the network last took everything.
    said: usize,
}

impl Link {
    pub(super) fn new(wire: Wire, entry: Arc<Entry>) -> Self {
        let meter = Meter::new(entry.gate.session_limits());
        Self { wire, entry, meter, is_known: false, has_version: false, said: 0 }
    }

    /// Says something to an address.
    pub(super) fn say(&mut self, prefix: &Bytes, body: impl Into<Bytes>) {
        self.said += 1;
        self.wire.push_prefixed(prefix.clone(), body.into());
    }

    /// Says something to nobody in particular.
    pub(super) fn say_bare(&mut self, frame: &'static [u8]) {
        self.said += 1;
        self.wire.push(Bytes::from_static(frame));
    }

    /// Answers that wait for the network.
    pub(super) fn said(&self) -> usize {
        self.said
    }

    /// The network has taken everything.
    pub(super) fn flushed(&mut self) {
        self.said = 0;
    }
}
