//! Waiting for a map to change, for readers that know nothing of Yjs.

use std::{sync::Arc, time::Duration};

use synapti_protocol::graph_id::GraphId;
use tokio::time::Instant;

use super::{access::forbidden, error::ApiError, state::AppState};
use crate::{
    room::{Entrant, GraphView, Principal, SessionId},
    session::{FeedNews, Session, Telling},
    telemetry::metrics,
    transport::{to_api_error, visitor::Visitor},
};

/// The map once it is another than the client has, or as it is when the time is over.
pub(super) async fn changed(
    app: &AppState,
    graph: &GraphId,
    visitor: &Visitor,
    known: &Arc<GraphView>,
    wait: Duration,
) -> Result<Arc<GraphView>, ApiError> {
    let until = Instant::now() + wait;
    let place = app.gate.admit_waiting(visitor).await.map_err(to_api_error)?;
    let id = SessionId(app.gate.next_session());
    let (room, joined) = app.hub.join(graph, id, Entrant::of(Principal::READER), false).await?;
    place.attach(&joined.slot);
    let role = visitor.access.role_in(graph).ok_or_else(forbidden)?;
    let mut session =
        Session::new(id, room, joined, app.gate.session_limits(), role, Telling::Nothing).without_greeting();
    let _waiting = metrics::get().transports.polls_waiting.begin();
    loop {
        let cursor = session.room().feed().head();
        // After the look at the feed, so that nothing falls in between.
        let view = app.hub.view(graph).await?;
        if view.etag != known.etag || Instant::now() >= until {
            return Ok(view);
        }
        let news = FeedNews { cursor, ..FeedNews::default() };
        let departs_within = || app.gate.departs_within();
        // What exactly was published does not matter; only that something was.
        let news = session.next_update(news, 0, until, departs_within).await.map_err(to_api_error)?;
        if news.is_ok_and(|news| news.updates.is_empty()) {
            return Ok(view);
        }
    }
}
