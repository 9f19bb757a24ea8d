//! The name of a map, as it stands in URLs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::GRAPH_ID_BYTES_MAX;

/// 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`: exactly those that a URL never escapes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphId(Arc<str>);

/// The text is no graph id. Does not quote it: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a graph id is 1 to {GRAPH_ID_BYTES_MAX} characters of A-Z a-z 0-9 . _ ~ -")]
pub struct InvalidGraphId;

impl GraphId {
    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for GraphId {
    type Error = InvalidGraphId;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let is_valid = (1..=GRAPH_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte));
        if is_valid { Ok(Self(text.into())) } else { Err(InvalidGraphId) }
    }
}

impl FromStr for GraphId {
    type Err = InvalidGraphId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text)
    }
}

impl fmt::Display for GraphId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for GraphId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl AsRef<str> for GraphId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GraphId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
