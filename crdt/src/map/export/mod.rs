//! Maps as files. JSON is the [projection](super::projection) itself; the other formats are written here.

mod escape;
mod markdown;

pub use markdown::markdown;

/// Levels below the top that an outline may have, on the way out and on the way in. Indentation grows with each.
pub const OUTLINE_LEVELS_MAX: usize = 100;

/// Bytes of an outline that is written. Lines of deep summaries repeat their indentation.
pub const OUTLINE_BYTES_MAX: usize = 64 << 20;

/// Tells that what follows are the cross links. No title or summary can hold it.
pub(in crate::map) const LINKS_MARK: &str = "<!-- cross links -->";

/// Stands where a title is empty: without it, a list item could not have a summary.
pub(in crate::map) const UNTITLED_MARK: &str = "<!-- untitled -->";

/// Why a map cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// It has too many levels.
    #[error("the map has {levels} levels, and an outline takes {OUTLINE_LEVELS_MAX}: export it as JSON")]
    TooDeep {
        /// How many it has below its deepest top.
        levels: usize,
    },
    /// It would be too long.
    #[error("the outline would be longer than {OUTLINE_BYTES_MAX} bytes: export the map as JSON")]
    TooLong,
}
