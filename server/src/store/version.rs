//! Versions: states of a map that are kept.

use jiff::Timestamp;

use super::RecordId;

/// Number of a version; a later version of a graph has a larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub i64);

/// Why a version was made, and so how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionKind {
    /// Somebody gave it a name: kept until somebody removes it.
    Named,
    /// Made by the server after edits: thinned out with time.
    Automatic,
    /// What the map was right before an older version was restored: thinned out with time.
    BeforeRestore,
}

/// A version that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVersion {
    /// Why it is made.
    pub kind: VersionKind,
    /// What somebody calls it.
    pub name: Option<String>,
    /// Who made it, or whose edits led to it, as far as they said.
    pub author: Option<String>,
    /// When it was made.
    pub at: Timestamp,
}

/// A version that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its number.
    pub id: VersionId,
    /// What was said of it.
    pub version: NewVersion,
    /// The newest record of the graph that it contains.
    pub covers: RecordId,
    /// Size of its state.
    pub bytes: u64,
}

impl VersionKind {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Automatic => "automatic",
            Self::BeforeRestore => "before_restore",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Named, Self::Automatic, Self::BeforeRestore].into_iter().find(|kind| kind.as_str() == text)
    }
}
