//! The one place that says which status a failure of the domain has.

use axum::http::StatusCode;
use synapti_crdt::map::EditError;

use super::error::{ApiError, FieldError};
use crate::{room::RoomError, store::StoreError};

/// A journal that stumbled is tried again about every second.
const NOT_SAVED_RETRY_SECONDS: u32 = 2;
/// A node that restarts is back in a few seconds, or another one has its place.
const RESTART_RETRY_SECONDS: u32 = 5;

impl From<RoomError> for ApiError {
    fn from(error: RoomError) -> Self {
        let message = error.to_string();
        match error {
            RoomError::NotFound => Self::new(StatusCode::NOT_FOUND, "graph_not_found", message),
            RoomError::Gone => Self::new(StatusCode::GONE, "gone", message),
            RoomError::Exists => Self::new(StatusCode::CONFLICT, "graph_exists", message),
            RoomError::Edit(edit) => edit.into(),
            RoomError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "graph_too_large", message),
            RoomError::NotSaved => Self::unavailable("not_saved", message, NOT_SAVED_RETRY_SECONDS),
            RoomError::Draining => Self::unavailable("draining", message, RESTART_RETRY_SECONDS),
            RoomError::AtCapacity { .. } => Self::unavailable("at_capacity", message, RESTART_RETRY_SECONDS),
            RoomError::Panicked => Self::unavailable("room_restarting", message, NOT_SAVED_RETRY_SECONDS),
            RoomError::Store(store) => store.into(),
            RoomError::Unavailable(what) => {
                tracing::error!(what, "a graph could not be opened");
                Self::store_unavailable()
            }
            RoomError::Unreadable(what) => {
                tracing::error!(what, "a stored graph cannot be read");
                Self::damaged()
            }
        }
    }
}

impl From<StoreError> for ApiError {
    /// What the database says is for the operator; the client learns whether it is worth coming back.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Backend(_) => Self::store_unavailable(),
            StoreError::Gone(_) => RoomError::Gone.into(),
            StoreError::Damaged { .. } => Self::damaged(),
            StoreError::Unusable(_) => Self::internal(),
        }
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        let message = error.to_string();
        match error {
            EditError::NodeNotFound(_) => Self::new(StatusCode::NOT_FOUND, "node_not_found", message),
            EditError::EdgeNotFound(_) => Self::new(StatusCode::NOT_FOUND, "edge_not_found", message),
            EditError::AlreadyInitialised => Self::new(StatusCode::CONFLICT, "graph_exists", message),
            EditError::NodeExists(_) => Self::new(StatusCode::CONFLICT, "node_exists", message),
            EditError::EdgeExists(_) => Self::new(StatusCode::CONFLICT, "edge_exists", message),
            EditError::WouldCycle { .. } => Self::new(StatusCode::CONFLICT, "would_cycle", message),
            EditError::RootHasChildren(_) | EditError::RootCannotMove(_) => {
                Self::new(StatusCode::CONFLICT, "root_protected", message)
            }
            EditError::ParentNotFound(_) => Self::field("parent_id", message),
            EditError::SiblingNotFound(_) => Self::field("before/after", message),
            EditError::EndpointNotFound(_) => Self::field("source/target", message),
            EditError::Invalid { field, reason } => Self::field(field, reason.to_owned()),
        }
    }
}

impl ApiError {
    /// One field refers to something that is not there, or holds what it cannot hold.
    pub fn field(field: &str, message: String) -> Self {
        Self::validation(&[FieldError { field: field.to_owned(), message }])
    }

    fn store_unavailable() -> Self {
        Self::unavailable("store_unavailable", "the database does not answer", NOT_SAVED_RETRY_SECONDS)
    }

    fn damaged() -> Self {
        let message = "what is stored of this graph is damaged; the operator finds the details in the log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "graph_damaged", message)
    }
}
