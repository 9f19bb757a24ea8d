//! A session that is one request and its answer: what a client that polls says, and what it is told.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use synapti_protocol::message::{self, Message};
use tokio::time::{Instant, timeout_at};

use super::{Answer, Session, call_refusal};
use crate::room::{CallError, Cursor, Refusal, SyncReply, feed::FellOff};

/// What the room has published since a client was told something.
#[derive(Debug, Default)]
pub struct FeedNews {
    /// Frames with updates, in order.
    pub updates: Vec<Bytes>,
    /// Somebody came, moved or went.
    pub has_presence: bool,
    /// Where the feed goes on.
    pub cursor: Cursor,
}

impl Session {
    /// The same without a greeting: whoever holds it says what it has to say.
    #[must_use]
    pub fn without_greeting(mut self) -> Self {
        self.answer = Answer::new([]);
        self
    }

    /// The same at another place in the feed, of somebody who has at least what a state vector says.
    #[must_use]
    pub fn resumed_at(mut self, cursor: Cursor, known: Bytes) -> Self {
        self.cursor = cursor;
        self.answer.knows(known);
        self
    }

    /// Where in the feed the client is, once [`Session::is_up_to_cursor`].
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether the client was sent all that stands before its cursor.
    pub fn is_up_to_cursor(&self) -> bool {
        self.answer.is_over() && self.work.is_none()
    }

    /// Who is here, and who has gone lately.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub async fn presence_news(&mut self) -> Result<Option<Bytes>, Refusal> {
        let room = self.room.clone();
        self.unless_refused(room.presence_news()).await
    }

    /// Hears what the room has said so far: that something is unsaved it says before it shows it.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub fn catch_word(&mut self) -> Result<(), Refusal> {
        self.hear()
    }

    /// Takes one message, however long the room lets it wait.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub async fn receive_and_wait(&mut self, frame: &Bytes) -> Result<(), Refusal> {
        self.receive(frame)?;
        while self.work.is_some() || self.later.is_some() {
            self.wait().await?;
        }
        Ok(())
    }

    /// Waits until what was received is on disk, or cannot be yet; answers a `SyncStep1` frame that asks for what is missing.
    /// [`Session::take_durable`] says how far it came.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub async fn settle(&mut self, until: Instant) -> Result<Option<Bytes>, Refusal> {
        let (room, id, edits) = (self.room.clone(), self.id, self.edits);
        let settled = async {
            let question = self.unless_refused(room.turn(id, edits)).await?;
            // Acknowledgements come before that answer, unless the room runs ahead of the disk.
            self.hear()?;
            while self.is_unsaved() && self.durable() < edits {
                self.wait().await?;
            }
            Ok(question)
        };
        timeout_at(until, settled).await.map_or(Ok(None), |settled| settled.map(Some))
    }

    /// Whether all edits that were received are on disk.
    pub fn has_all_durable(&mut self) -> bool {
        self.durable() == self.edits
    }

    /// Everything beyond a state vector, which the caller has checked, with the edits that were received.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub async fn difference(&mut self, state_vector: Bytes) -> Result<SyncReply, Refusal> {
        let (room, after) = (self.room.clone(), Some((self.id, self.edits)));
        self.unless_refused(super::work::in_time(room.sync(state_vector, after))).await
    }

    /// What was published from `cursor` on, about `bytes_max` bytes of it.
    ///
    /// # Errors
    /// [`FellOff`] when that cannot be told any more.
    pub fn feed_news(&self, cursor: Cursor, bytes_max: usize) -> Result<FeedNews, FellOff> {
        let mut news = FeedNews { cursor, ..FeedNews::default() };
        self.room.feed().read(&mut news.cursor, bytes_max, |frame| match message::parse(&frame) {
            Ok(Message::Awareness(_)) => news.has_presence = true,
            _ => news.updates.push(frame),
        })?;
        Ok(news)
    }

    /// Waits for an update after `cursor`, not beyond `until`; not longer than the node lets sessions stay when it goes.
    ///
    /// # Errors
    /// Why the client has to be refused.
    pub async fn next_update(
        &mut self,
        mut news: FeedNews,
        bytes_max: usize,
        mut until: Instant,
        departs_within: impl Fn() -> Duration,
    ) -> Result<Result<FeedNews, FellOff>, Refusal> {
        let mut departs = false;
        while news.updates.is_empty() {
            if self.is_departing() && !std::mem::replace(&mut departs, true) {
                until = until.min(Instant::now() + departs_within());
            }
            let Ok(woken) = timeout_at(until, self.wait()).await else { break };
            woken?;
            self.take_probe().into_iter().for_each(crate::room::slot::Probe::answer);
            let had_presence = news.has_presence;
            match self.feed_news(news.cursor, bytes_max) {
                Ok(next) => news = FeedNews { has_presence: next.has_presence | had_presence, ..next },
                Err(FellOff) => return Ok(Err(FellOff)),
            }
        }
        Ok(Ok(news))
    }

    /// A room's answer, unless the session is ended before it comes.
    pub(super) async fn unless_refused<T>(
        &mut self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Refusal> {
        tokio::pin!(call);
        loop {
            tokio::select! {
                done = &mut call => return done.map_err(call_refusal),
                heard = self.wait() => heard?,
            }
        }
    }

    fn durable(&mut self) -> u64 {
        self.counts().map_or(0, |counts| counts.durable())
    }
}
