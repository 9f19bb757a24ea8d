//! What can go wrong with a store, in words that tell the operator what to do.

/// An operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be used as it stands: wrong file, read-only, newer version, in use. Starting again will not help.
    #[error("{0}")]
    Unusable(String),
    /// Stored bytes are not what was written.
    #[error("stored data of graph key {key} is damaged: {what}; run `synapti check` and restore from a backup")]
    Damaged {
        /// The store's handle of the graph.
        key: i64,
        /// Which row, and how it differs.
        what: String,
    },
    /// The graph, or the snapshot that was being written for it, was deleted; the call will never succeed.
    #[error("{0} does not exist any more")]
    Gone(String),
    /// The database refused or did not answer; the same call may succeed later.
    #[error("database: {0}")]
    Backend(#[from] sqlx::Error),
    /// The commit path's own connection refused or did not answer; the same call may succeed later.
    #[error("database: {0}")]
    Append(#[from] rusqlite::Error),
}
