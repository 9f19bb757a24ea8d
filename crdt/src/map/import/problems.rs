//! What is wrong with a file.

use super::ImportError;

/// Problems that are told at once. Whoever mends these may find more.
pub const PROBLEMS_MAX: usize = 20;

/// Something in a file that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `nodes[3].parent_id`, `line 12`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Problems as they are found.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(Problem { field: field.into(), message: message.into() });
        }
    }

    /// Whether there is no use in looking for more.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() == PROBLEMS_MAX
    }

    /// Goes on only without problems.
    pub(super) fn none(self) -> Result<(), ImportError> {
        if self.0.is_empty() { Ok(()) } else { Err(ImportError::Problems(self.0)) }
    }
}

/// One problem in each line.
pub(super) fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|Problem { field, message }| format!("{field}: {message}")).collect();
    lines.join("\n")
}
