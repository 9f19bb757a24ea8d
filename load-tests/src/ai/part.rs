//! What one part of the measurement came to.

use crate::report::{Bar, Fact, Figure};

/// Goes into the report of all.
pub struct Part {
    /// Times that were measured often.
    pub figures: Vec<Figure>,
    /// Everything else.
    pub facts: Vec<Fact>,
    /// What they had to be.
    pub bars: Vec<Bar>,
}
