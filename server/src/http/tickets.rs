//! `/v1/tickets`.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    access::forbidden,
    body::Valid,
    dto::CreateTicket,
    error::{ApiError, ErrorBody},
    path,
    state::AppState,
};
use crate::auth::{
    Access,
    rights::Action,
    tickets::{TICKET_SECONDS, Ticket, TooManyTickets},
};

/// A ticket is used or gone after this.
const FULL_RETRY_SECONDS: u32 = 5;

/// Stands for the caller's token, once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTicket {
    /// Goes into the URL of a socket: `?ticket=…`.
    #[schema(example = "b2xkIHdvcmRzIGFyZSBub3Qgc2VjcmV0")]
    ticket: String,
    /// How long it is good.
    #[schema(example = 30)]
    expires_in_seconds: u32,
}

/// Gets a ticket for opening a socket
///
/// It stands for the caller's token where a token must not show, and is good once and for 30 seconds, on every node. With
/// `graph_id` it is good for that graph alone.
#[utoipa::path(post, path = "/v1/tickets", tag = "live", request_body = CreateTicket, responses(
    (status = 201, description = "A ticket", body = NewTicket),
    (status = 400, description = "No JSON, or not a graph id", body = ErrorBody),
    (status = 422, description = "Fields that are not valid", body = ErrorBody),
    (status = 503, description = "Too many tickets wait to be used", body = ErrorBody),
))]
pub async fn create_ticket(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    Valid(wanted): Valid<CreateTicket>,
) -> Result<Response, ApiError> {
    let graph = wanted.graph_id.as_deref().map(path::graph_id).transpose()?;
    if graph.as_ref().is_some_and(|graph| !access.may(Action::Read, graph)) {
        return Err(forbidden());
    }
    let ticket = app.auth.give_ticket(Ticket { access, graph }).await?;
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let ticket = NewTicket { ticket, expires_in_seconds: TICKET_SECONDS };
    Ok((StatusCode::CREATED, no_store, Json(ticket)).into_response())
}

impl From<TooManyTickets> for ApiError {
    fn from(error: TooManyTickets) -> Self {
        Self::unavailable("too_many_tickets", error.to_string(), FULL_RETRY_SECONDS)
    }
}
