//! Files as maps: what is read is checked whole, and every mistake is told with its place.

mod json;
mod markdown;
mod problems;
mod siblings;

pub use problems::{PROBLEMS_MAX, Problem};

use super::{Format, ImportedMap};
use problems::Problems;

/// The longest id of a node or an edge, in bytes.
const ID_BYTES_MAX: usize = 256;

/// What an import may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportLimits {
    /// Nodes of one map; 0 = no limit.
    pub nodes_max: usize,
}

/// What was read from a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Import {
    /// The map. Its `created_at` is as the file has it, unchecked, or empty.
    pub map: ImportedMap,
    /// The id that the file gives to the map; it need not be a graph id.
    pub id: Option<String>,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no text.
    #[error("the file is not UTF-8 text: save it as UTF-8 (byte {0} is the first that is not)")]
    NotText(usize),
    /// The text is no JSON.
    #[error("the file is not JSON: {0}")]
    NotJson(String),
    /// It has more nodes than a map may have.
    #[error("the file has more than {0} nodes, which is all that one map may have: split it")]
    TooManyNodes(usize),
    /// Something in it cannot be; at most [`PROBLEMS_MAX`] are listed.
    #[error("{}", problems::listed(.0))]
    Problems(Vec<Problem>),
}

/// Reads a file. Each call of `fresh_id` gives an id that nothing has yet, for what has none in the file.
///
/// # Errors
/// [`ImportError`] says what to mend; then nothing of the file counts.
pub fn read(
    format: Format,
    bytes: &[u8],
    limits: ImportLimits,
    fresh_id: &mut dyn FnMut() -> String,
) -> Result<Import, ImportError> {
    let text = std::str::from_utf8(bytes).map_err(|error| ImportError::NotText(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => json::read(text, limits, fresh_id),
        Format::Markdown => markdown::read(text, limits, fresh_id),
    }
}
