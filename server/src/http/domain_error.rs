//! The one place that says which status a failure of the domain has.

use axum::http::StatusCode;
use synapti_crdt::map::EditError;

use super::error::{ApiError, FieldError};
use crate::{history::HistoryError, room::RoomError, store::StoreError};

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
            RoomError::TooLarge { .. } | RoomError::TooMany { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "graph_too_large", message)
            }
            RoomError::NotSaved | RoomError::TooLate => {
                Self::unavailable("not_saved", message, NOT_SAVED_RETRY_SECONDS)
            }
            RoomError::Stalled => Self::unavailable("store_stalled", message, NOT_SAVED_RETRY_SECONDS),
            RoomError::Draining => Self::unavailable("draining", message, RESTART_RETRY_SECONDS),
            RoomError::AtCapacity { .. } => Self::unavailable("at_capacity", message, RESTART_RETRY_SECONDS),
            RoomError::Panicked => Self::unavailable("room_restarting", message, NOT_SAVED_RETRY_SECONDS),
            RoomError::Store(store) => store.into(),
            RoomError::Unavailable(what) => {
                // Once for each request: what is wrong with the store is in the log already.
                tracing::debug!(what, "a graph could not be opened");
                Self::store_unavailable()
            }
            RoomError::Unreadable(what) => {
                tracing::error!(what, "a stored graph cannot be read");
                Self::damaged()
            }
        }
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        let message = error.to_string();
        match error {
            HistoryError::Room(error) => error.into(),
            HistoryError::NotFound => Self::new(StatusCode::NOT_FOUND, "version_not_found", message),
            HistoryError::TooMany => Self::new(StatusCode::CONFLICT, "too_many_versions", message),
        }
    }
}

impl From<StoreError> for ApiError {
    /// What the database says is for the operator; the client learns whether it is worth coming back.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Backend(_) | StoreError::Append(_) => Self::store_unavailable(),
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
            EditError::SiblingNotFound(_) => Self::field("before", message),
            EditError::EndpointNotFound(_) => Self::field("source", message),
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

#[cfg(test)]
mod tests {
    use axum::{http::header, response::IntoResponse};

    use super::*;

    #[test]
    fn what_passes_by_itself_says_when_to_come_back_and_what_does_not_pass_does_not() {
        for (error, status, code) in [
            (RoomError::NotFound, 404, "graph_not_found"),
            (RoomError::Gone, 410, "gone"),
            (RoomError::Exists, 409, "graph_exists"),
            (RoomError::TooLarge { what: "the map", bytes_max: 1 }, 413, "graph_too_large"),
            (RoomError::TooMany { what: "nodes", count_max: 1 }, 413, "graph_too_large"),
            (RoomError::NotSaved, 503, "not_saved"),
            (RoomError::Stalled, 503, "store_stalled"),
            (RoomError::Draining, 503, "draining"),
            (RoomError::AtCapacity { what: "open maps" }, 503, "at_capacity"),
            (RoomError::Panicked, 503, "room_restarting"),
            (RoomError::Unavailable("x".into()), 503, "store_unavailable"),
            (RoomError::Unreadable("x".into()), 500, "graph_damaged"),
            (StoreError::Damaged { key: 1, what: "x".into() }.into(), 500, "graph_damaged"),
            (StoreError::Unusable("x".into()).into(), 500, "internal_error"),
            (StoreError::Gone("x".into()).into(), 410, "gone"),
            (EditError::RootHasChildren("x".into()).into(), 409, "root_protected"),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.status().as_u16(), error.code()), (status, code));
            let comes_back = error.into_response().headers().contains_key(header::RETRY_AFTER);
            assert_eq!(comes_back, status == 503, "{code}");
        }
    }

    #[test]
    fn what_the_database_says_stays_with_the_operator() {
        let error = ApiError::from(StoreError::Damaged { key: 77, what: "row 88".into() });
        assert!(!error.message().contains("77") && !error.message().contains("88"));
    }
}
