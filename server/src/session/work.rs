//! The one thing that a session waits for on behalf of its client.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;

use tokio::time::timeout;

use super::{
    call_refusal, deletions,
    pace::{Pace, Toll},
};
use crate::room::{About, CallError, Refusal, RoomError, RoomHandle, SessionId, SyncReply};

/// How long a client waits for the state; then it is sent away with 1013.
const SYNCED_WITHIN: Duration = Duration::from_secs(15);

type Doing = Pin<Box<dyn Future<Output = Result<Done, CallError>> + Send>>;

/// Boxed, because a session seldom has work and there are many sessions.
pub(super) struct Work(Doing);

/// What came of it.
pub(super) enum Done {
    /// The room has taken the message.
    Handed,
    /// The answer to the client's state vector.
    Synced(SyncReply),
    /// The state for a session that fell off the ring, or did not take an answer; `is_asked` if it waits for that.
    CaughtUp { reply: SyncReply, is_asked: bool },
    /// What was read too soon may be taken now.
    Due(Option<Bytes>),
    /// Everybody's presence, if anybody shows any.
    Presence(Option<Bytes>),
    /// Whether the map lacks something that a reader has deleted.
    Deleted { is_news: bool },
}

impl Work {
    /// The answer waits for a commit under way, but not for ever: a client that hears nothing would wait as well.
    pub(super) fn sync(room: &RoomHandle, state_vector: Bytes, after: (SessionId, u64)) -> Self {
        let room = room.clone();
        Self(Box::pin(async move { in_time(room.sync(state_vector, Some(after))).await.map(Done::Synced) }))
    }

    pub(super) fn catch_up(room: &RoomHandle, known: Bytes, is_asked: bool) -> Self {
        let room = room.clone();
        Self(Box::pin(
            async move { in_time(room.sync(known, None)).await.map(|reply| Done::CaughtUp { reply, is_asked }) },
        ))
    }

    /// Waits until a message may be taken that came too soon.
    pub(super) fn due(pace: Arc<Pace>, toll: Toll, frame: Option<Bytes>) -> Self {
        Self(Box::pin(async move {
            pace.pay(toll).await;
            Ok(Done::Due(frame))
        }))
    }

    pub(super) fn presence(room: &RoomHandle) -> Self {
        let room = room.clone();
        Self(Box::pin(async move { room.presence().await.map(Done::Presence) }))
    }

    /// Finds out whether the map knows of all deletions in `update`; `known` is what the client has of it.
    pub(super) fn deleted(room: &RoomHandle, known: Bytes, update: Bytes) -> Self {
        let room = room.clone();
        Self(Box::pin(async move {
            let reply = in_time(room.sync(known, None)).await?;
            Ok(Done::Deleted { is_news: !deletions::are_known(&update, reply.frames.iter()) })
        }))
    }

    pub(super) fn update(room: &RoomHandle, session: SessionId, update: Bytes) -> Self {
        let room = room.clone();
        Self(Box::pin(async move {
            room.update(session, update).await.map(|()| Done::Handed).map_err(|_| CallError::Closed)
        }))
    }

    pub(super) fn awareness(room: &RoomHandle, session: SessionId, payload: Bytes, about: About) -> Self {
        let room = room.clone();
        Self(Box::pin(async move { room.awareness(session, payload, about).await.map(|()| Done::Handed) }))
    }

    /// Goes on with the work.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Done, Refusal>> {
        self.0.as_mut().poll(cx).map_err(call_refusal)
    }
}

pub(super) async fn in_time(
    reading: impl Future<Output = Result<SyncReply, CallError>>,
) -> Result<SyncReply, CallError> {
    timeout(SYNCED_WITHIN, reading).await.unwrap_or(Err(CallError::Room(RoomError::Stalled)))
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}
