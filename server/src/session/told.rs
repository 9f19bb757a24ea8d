//! How a client learns what becomes of its edits.

use super::{Counts, EditCounts, Extension, Session};

/// How a client is told what becomes of its edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Not at all.
    Nothing,
    /// With the messages of `synapti.v1`.
    Extension,
    /// By its transport, in its own way: see [`Session::take_durable`].
    Counts,
}

#[derive(Debug)]
pub(super) enum Told {
    Nothing,
    Extension(Box<Extension>),
    Counts(Box<Counts>),
}

impl Session {
    /// How many more of the client's edits are on disk since the last call; only with [`Telling::Counts`].
    pub fn take_durable(&mut self) -> EditCounts {
        self.counts().map(Counts::take_durable).unwrap_or_default()
    }

    /// How many of the client's edits were refused since the last call, because it may only read; only with
    /// [`Telling::Counts`].
    pub fn take_refused(&mut self) -> EditCounts {
        self.counts().map(Counts::take_refused).unwrap_or_default()
    }

    /// Whether something of the map is shown that is not on disk; only with [`Telling::Counts`].
    pub fn is_unsaved(&self) -> bool {
        matches!(&self.told, Told::Counts(counts) if counts.is_unsaved())
    }

    pub(super) fn counts(&mut self) -> Option<&mut Counts> {
        match &mut self.told {
            Told::Counts(counts) => Some(counts),
            _ => None,
        }
    }
}
