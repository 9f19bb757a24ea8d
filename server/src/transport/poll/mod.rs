//! `POST /v1/graphs/{graph_id}/sync`: editing for clients that can only send requests.
//!
//! Each request is a session of its own, with the limits and the rights of any other. Nothing is kept between two requests but
//! what the client shows of itself, for a while: a cursor says where in the feed it is, and where that is of no use its state vector does.

mod asked;
mod body;
mod reply;

use axum::{
    Extension, Router,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use bytes::Bytes;
use synapti_protocol::{graph_id::GraphId, message};
use tokio::time::{Duration, Instant, timeout_at};

use super::{
    cursor::ClientCursor,
    deferred::Deferred,
    gate::{Admitted, Gate},
    refused::to_api_error,
    visitor::{Visitor, ip_of},
};
use crate::{
    auth::{Access, rights::Action},
    http::{AppState, InGraph, access::forbidden, error::ApiError},
    hub::Hub,
    room::{Entrant, Principal, Refusal, SessionId, feed::FellOff},
    session::{FeedNews, Session, Telling, refusal},
    telemetry::metrics::{self, PresentGuard},
};
use asked::{Asked, Params};
pub use asked::{WAIT_MAX, wait};
use body::PollBody;
use reply::Reply;
pub use reply::{CURSOR, DURABLE};

/// How long a client waits for its edits to be on disk.
const SAVED_WITHIN: Duration = Duration::from_secs(10);

/// Of this, what is kept for the way to the disk.
const SETTLED_WITHIN: Duration = Duration::from_secs(2);

/// Bytes of the feed in one answer, about; the cursor says where the next one begins.
const FEED_BYTES_MAX: usize = 1 << 20;

/// What a body holds besides one large update: the lengths and kinds of messages, presence, a state vector.
const BODY_OVERHEAD_BYTES: usize = 256 << 10;

/// A state vector that says "I have nothing".
const NOTHING: Bytes = Bytes::from_static(&[0]);

/// The routes of this transport.
pub fn routes() -> Router<AppState> {
    Router::new().route("/v1/graphs/{graph_id}/sync", post(sync))
}

async fn sync(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InGraph(graph): InGraph,
    request: Request,
) -> Result<Response, ApiError> {
    let params = Params::parse(request.uri())?;
    let visitor = Visitor { ip: ip_of(&request, &app.config.trusted_proxies), access };
    let body = PollBody::read(request, body_bytes_max(&app), &app.gate, &visitor).await?;
    let asked = Asked::parse(&body.bytes, &app.gate.session_limits())?;
    if asked.changes && !visitor.access.may(Action::Edit, &graph) {
        metrics::get().edits_refused.increment(1);
        return Err(forbidden());
    }
    let mut exchange = Exchange { app, graph, visitor, params, asked };
    match exchange.begin().await? {
        Begun::Done(reply) => Ok(reply.into_response()),
        Begun::Waits(poll) => Ok(Deferred::response(async { poll.run().await.map(Reply::into_response) })),
    }
}

/// One request on its way through a room.
struct Exchange {
    app: AppState,
    graph: GraphId,
    visitor: Visitor,
    params: Params,
    asked: Asked,
}

/// How a request goes on.
enum Begun {
    Done(Reply),
    Waits(Box<WaitingPoll>),
}

impl Exchange {
    async fn begin(&mut self) -> Result<Begun, ApiError> {
        let until = Instant::now() + SAVED_WITHIN;
        let mut session = self.join().await?;
        let question = self.hand_over(&mut session, until).await.map_err(to_api_error)?;
        if session.take_refused().all() > 0 {
            // Deletions, which only the room can tell from those that it has.
            return Err(forbidden());
        }
        let has_edits = !self.asked.edits.is_empty();
        let durable = has_edits.then(|| session.take_durable().all());
        let mut speaker = Speaker {
            session,
            hub: self.app.hub.clone(),
            gate: self.app.gate.clone(),
            state_vector: self.asked.state_vector.take(),
            had_cursor: self.params.cursor.is_some(),
            wants_presence: self.asked.wants_presence,
        };
        let from = self.params.cursor.and_then(|cursor| cursor.in_room(speaker.session.room()));
        let news = from.map_or(Err(FellOff), |from| speaker.session.feed_news(from, FEED_BYTES_MAX));
        match news {
            Ok(news) if !has_edits && news.updates.is_empty() && !self.params.wait.is_zero() => {
                Ok(Begun::Waits(Box::new(self.wait(speaker, news).await?)))
            }
            news => {
                if news.is_err() && self.params.cursor.is_some() {
                    // After a restart everybody comes with a cursor of before.
                    self.app.gate.admit_poll(true).await.map_err(to_api_error)?;
                }
                speaker.reply(news, question, durable).await.map(Begun::Done)
            }
        }
    }

    /// A session in the room; one of somebody without a place in the feed waits for its turn like any that joins.
    async fn join(&self) -> Result<Session, ApiError> {
        let Self { app, graph, visitor: Visitor { access, .. }, .. } = self;
        app.gate.admit_poll(self.params.cursor.is_none()).await.map_err(to_api_error)?;
        let id = SessionId(app.gate.next_session());
        let principal = Principal(access.principal());
        let may_edit = access.may(Action::Edit, graph);
        let entrant = Entrant::of(principal).who_may_edit(may_edit).told().lingering_for(principal);
        let may_create = access.may(Action::Create, graph);
        let (room, joined) = app.hub.join(graph, id, entrant, may_create).await?;
        let role = access.role_in(graph).ok_or_else(forbidden)?;
        let session = Session::new(id, room, joined, app.gate.session_limits(), role, Telling::Counts);
        Ok(app.gate.paces().paced(session, access.client()).without_greeting())
    }

    /// Hands over what the client says, and waits until it is on disk; answers what is asked of the client in return.
    async fn hand_over(&self, session: &mut Session, until: Instant) -> Result<Option<Bytes>, Refusal> {
        let all = async {
            for frame in self.asked.edits.iter().chain(&self.asked.presence) {
                session.receive_and_wait(frame).await?;
            }
            Ok::<_, Refusal>(())
        };
        // What is not handed over by then, because the client is too fast, is simply not durable.
        timeout_at(until - SETTLED_WITHIN, all).await.unwrap_or(Ok(()))?;
        if self.asked.edits.is_empty() {
            return Ok(None);
        }
        let question = session.settle(until).await?;
        if session.has_all_durable() {
            return Ok(question);
        }
        // They may join on to what the client has from another node, and this one has not heard of.
        self.app.hub.freshen(session.room()).await.map_err(|error| refusal(&error))?;
        Ok(session.settle(until).await?.or(question))
    }

    /// Only who waits counts among the connections; everybody counts among the requests.
    async fn wait(&self, speaker: Speaker, news: FeedNews) -> Result<WaitingPoll, ApiError> {
        let place = self.app.gate.admit_waiting(&self.visitor).await.map_err(to_api_error)?;
        place.attach(speaker.session.slot());
        let until = self.visitor.until(self.params.wait, self.app.clock.now());
        let waiting = metrics::get().transports.polls_waiting.begin();
        Ok(WaitingPoll { speaker, news, until, _place: place, _waiting: waiting })
    }
}

/// A poll to which there is nothing to say yet.
struct WaitingPoll {
    speaker: Speaker,
    news: FeedNews,
    until: Instant,
    _place: Admitted,
    _waiting: PresentGuard,
}

impl WaitingPoll {
    // Through the box: what would be moved out of it would be kept twice.
    async fn run(mut self: Box<Self>) -> Result<Reply, ApiError> {
        let news = std::mem::take(&mut self.news);
        let Self { speaker: Speaker { session, gate, .. }, until, .. } = &mut *self;
        let next = session.next_update(news, FEED_BYTES_MAX, *until, || gate.departs_within());
        let news = next.await.map_err(to_api_error)?;
        Box::pin(self.speaker.reply(news, None, None)).await
    }
}

/// What is needed to answer a client.
struct Speaker {
    session: Session,
    hub: Hub,
    gate: Gate,
    state_vector: Option<Bytes>,
    had_cursor: bool,
    wants_presence: bool,
}

impl Speaker {
    async fn reply(
        &mut self,
        news: Result<FeedNews, FellOff>,
        question: Option<Bytes>,
        durable: Option<u64>,
    ) -> Result<Reply, ApiError> {
        self.session.catch_word().map_err(to_api_error)?;
        let reply = match news {
            Ok(news) => self.news(news, question, durable).await,
            Err(FellOff) => self.state(question, durable).await,
        };
        reply.map(|reply| Reply { closes: self.session.is_departing(), ..reply })
    }

    /// The answer to a client whose cursor was good.
    async fn news(&mut self, news: FeedNews, question: Option<Bytes>, durable: Option<u64>) -> Result<Reply, ApiError> {
        let session = &mut self.session;
        let mut frames = news.updates;
        frames.extend(question);
        if news.has_presence || self.wants_presence {
            frames.extend(session.presence_news().await.map_err(to_api_error)?);
        }
        let cursor = ClientCursor::of(session.room(), news.cursor);
        Ok(Reply { frames, cursor, durable, is_unsaved: session.is_unsaved(), state: None, closes: false })
    }

    /// The answer to a client of which only its state vector tells what it lacks.
    async fn state(&mut self, question: Option<Bytes>, durable: Option<u64>) -> Result<Reply, ApiError> {
        let session = &mut self.session;
        if self.had_cursor {
            // It may have been on another node, and done something there.
            self.hub.freshen(session.room()).await?;
        }
        let reply = session.difference(self.state_vector.take().unwrap_or(NOTHING)).await.map_err(to_api_error)?;
        let question = question.unwrap_or_else(|| message::encode_step1(&reply.state_vector).into());
        // Who had a cursor may know of people who have gone since.
        let people =
            if self.had_cursor { session.presence_news().await.map_err(to_api_error)? } else { reply.presence };
        let frames = [question].into_iter().chain(people).collect();
        let cursor = ClientCursor::of(session.room(), reply.cursor);
        let state = Some(reply.frames);
        Ok(Reply { frames, cursor, durable, is_unsaved: session.is_unsaved(), state, closes: false })
    }
}

/// What one body may hold: one answer with all that somebody did offline, and what goes with it.
fn body_bytes_max(app: &AppState) -> usize {
    let limits = app.gate.session_limits();
    match limits.message_bytes_max.max(limits.sync_bytes_max) {
        _ if limits.message_bytes_max == 0 || limits.sync_bytes_max == 0 => usize::MAX,
        max => max + BODY_OVERHEAD_BYTES,
    }
}
