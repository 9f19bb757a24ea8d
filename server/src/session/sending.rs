//! What a session has for its client: news, then the answer to its question, then the feed from its cursor on.

use bytes::Bytes;

use super::{Session, Told, work::Work};
use crate::{
    room::{Refusal, feed::FellOff},
    telemetry::metrics,
};

impl Session {
    /// Hands over what is to be sent now, about `bytes_max` bytes of it; says whether it had anything to do.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn outgoing(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) -> Result<bool, Refusal> {
        // That something is unsaved has to be known before it is seen, in an answer or in the feed.
        if let Some(frame) = self.next_notice() {
            send(frame);
            return Ok(true);
        }
        if let Some(cut) = self.answer.take_cut() {
            self.work = Some(Work::catch_up(&self.room, self.answer.known().clone(), cut.is_asked));
            return Ok(true);
        }
        self.answer.say(self.question.take());
        if !self.answer.is_empty() {
            self.answer.next(bytes_max, send);
            return Ok(true);
        }
        if self.room.feed().head() == self.cursor {
            return Ok(false);
        }
        if self.is_extended() {
            return self.next_of_feed_extended(bytes_max, send);
        }
        Ok(self.next_of_feed(bytes_max, send))
    }

    /// What `synapti.v1` has to say next.
    fn next_notice(&mut self) -> Option<Bytes> {
        match &mut self.told {
            Told::Extension(extension) => extension.next(),
            _ => None,
        }
    }

    /// As [`Session::next_of_feed`], with what the room has said before it published these frames, that they are unsaved for
    /// instance: it may have said so only after this session last heard it.
    fn next_of_feed_extended(&mut self, bytes_max: usize, mut send: impl FnMut(Bytes)) -> Result<bool, Refusal> {
        let mut frames = Vec::new();
        let has_done = self.next_of_feed(bytes_max, |frame| frames.push(frame));
        self.hear()?;
        while let Some(news) = self.next_notice() {
            send(news);
        }
        frames.into_iter().for_each(send);
        Ok(has_done)
    }

    /// The next frames of the feed, or the question for a difference when they are no longer there.
    fn next_of_feed(&mut self, bytes_max: usize, send: impl FnMut(Bytes)) -> bool {
        match self.room.feed().read(&mut self.cursor, bytes_max, send) {
            Ok(checkpoint) => {
                if let Some(checkpoint) = checkpoint {
                    self.answer.knows(checkpoint.state_vector.clone());
                }
                true
            }
            Err(FellOff) if self.work.is_some() => false,
            Err(FellOff) => {
                metrics::get().cursor_falls.increment(1);
                self.work = Some(Work::catch_up(&self.room, self.answer.known().clone(), false));
                true
            }
        }
    }
}
