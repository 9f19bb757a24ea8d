//! Waiting for a map to change, for readers that know nothing of Yjs.

use std::{sync::Arc, time::Duration};

use synapti_protocol::graph_id::GraphId;
use tokio::time::Instant;

use super::{access::forbidden, error::ApiError, state::AppState};
use crate::{
    hub::Hub,
    room::{Entrant, GraphView, SessionId},
    session::{FeedNews, Session, Telling},
    telemetry::metrics::{self, PresentGuard},
    transport::{
        gate::{Admitted, Gate},
        to_api_error,
        visitor::Visitor,
    },
};

/// A place among those who wait for a map.
pub(super) struct Watch {
    session: Session,
    hub: Hub,
    gate: Gate,
    graph: GraphId,
    until: Instant,
    _place: Admitted,
    _waiting: PresentGuard,
}

impl Watch {
    /// Waits at most so long for a change.
    pub(super) async fn begin(
        app: &AppState,
        graph: &GraphId,
        visitor: &Visitor,
        wait: Duration,
    ) -> Result<Self, ApiError> {
        let until = visitor.until(wait, app.clock.now());
        let place = app.gate.admit_waiting(visitor).await.map_err(to_api_error)?;
        let id = SessionId(app.gate.next_session());
        let (room, joined) = app.hub.join(graph, id, Entrant::default().only_reading(), false).await?;
        place.attach(&joined.slot);
        let role = visitor.access.role_in(graph).ok_or_else(forbidden)?;
        let session = Session::new(id, room, joined, app.gate.session_limits(), role, Telling::Nothing);
        Ok(Self {
            session: session.without_greeting(),
            hub: app.hub.clone(),
            gate: app.gate.clone(),
            graph: graph.clone(),
            until,
            _place: place,
            _waiting: metrics::get().transports.polls_waiting.begin(),
        })
    }

    /// The map once it is another than the one with this tag, or as it is when the time is over.
    pub(super) async fn changed(mut self, etag: String) -> Result<Arc<GraphView>, ApiError> {
        loop {
            let cursor = self.session.room().feed().head();
            // After the look at the feed, so that nothing falls in between.
            let view = Box::pin(self.hub.view(&self.graph)).await?;
            if view.etag != etag || Instant::now() >= self.until {
                return Ok(view);
            }
            drop(view);
            let news = FeedNews { cursor, ..FeedNews::default() };
            let departs_within = || self.gate.departs_within();
            // What exactly was published does not matter; only that something was.
            let news = self.session.next_update(news, 0, self.until, departs_within).await.map_err(to_api_error)?;
            if news.is_ok_and(|news| news.updates.is_empty()) {
                return Ok(Box::pin(self.hub.view(&self.graph)).await?);
            }
        }
    }
}
