//! How much one call of `trim` may remove, so that appends are not kept waiting.

/// What is left of a call's slice.
pub(super) struct Budget {
    pub(super) rows: i64,
    pub(super) bytes: i64,
}

impl Budget {
    pub(super) fn is_left(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }

    /// The last of the `(id, bytes)` rows that still fits, after paying for it and those before. The first row always
    /// fits: else one bigger than the budget would stay for ever.
    pub(super) fn take(&mut self, rows: &[(i64, i64)]) -> Option<i64> {
        let mut last = None;
        for &(id, bytes) in rows {
            if self.rows == 0 || (last.is_some() && bytes > self.bytes) {
                break;
            }
            self.rows -= 1;
            self.bytes -= bytes;
            last = Some(id);
        }
        last
    }
}
