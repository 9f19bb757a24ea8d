//! What a client changes, on its way to the room.

use bytes::Bytes;
use synapti_protocol::update::{self, EMPTY_UPDATE};

use super::{
    Session, Told, malformed,
    standing::{Standing, Verdict},
    work::Work,
};
use crate::{room::Refusal, telemetry::metrics};

impl Session {
    pub(super) fn update(&mut self, update: &[u8], is_answer: bool) -> Result<(), Refusal> {
        // Every client answers the greeting, mostly with nothing; who counts acknowledgements counts that as an edit.
        let is_told = !matches!(self.told, Told::Nothing);
        if update == EMPTY_UPDATE && !is_told {
            return Ok(());
        }
        // Before it waits in a lane and shares a batch with others.
        let view = update::scan(update).map_err(malformed)?;
        let has_deletions = view.delete_set().next().is_some();
        let update = match self.standing.judge(&view, is_answer) {
            Verdict::Passes => update,
            // It is told for itself what becomes of each edit, so it should not take a deletion of its own for saved.
            Verdict::CountsAsEmpty if has_deletions && matches!(self.told, Told::Counts(_)) => {
                let (known, update) = (self.answer.known().clone(), Bytes::copy_from_slice(update));
                self.work = Some(Work::deleted(&self.room, known, update));
                return Ok(());
            }
            Verdict::CountsAsEmpty if !is_told => return Ok(()),
            Verdict::CountsAsEmpty => &EMPTY_UPDATE,
            Verdict::Refused(word) => {
                self.refuse(is_answer, word);
                return Ok(());
            }
        };
        self.hand_over(update, is_answer);
        Ok(())
    }

    pub(super) fn refuse(&mut self, is_answer: bool, word: Option<Bytes>) {
        metrics::get().edits_refused.increment(1);
        match &mut self.told {
            Told::Counts(counts) => {
                counts.refuse(is_answer);
                // Each is answered for itself, so none has to fear for those after it.
                self.standing = Standing::Reads;
            }
            _ => self.answer.say(word),
        }
    }

    pub(super) fn hand_over(&mut self, update: &[u8], is_answer: bool) {
        self.edits += 1;
        if let Told::Counts(counts) = &mut self.told {
            counts.note(self.edits, is_answer);
        }
        // A copy: what was received would keep the whole read buffer.
        if let Err(update) = self.room.try_update(self.id, Bytes::copy_from_slice(update)) {
            self.work = Some(Work::update(&self.room, self.id, update));
        }
    }
}
