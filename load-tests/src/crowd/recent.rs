//! Frames that arrived lately, and what is in them.
//!
//! The clients of a room receive the same bytes. Comparing a frame with one that was looked through before is much
//! cheaper than looking it through again, and as exact.

use std::{collections::VecDeque, rc::Rc};

use anyhow::Context as _;
use synapti_protocol::message::{self, Message, SyncMessage};

use crate::marker::Markers;

/// Frames that are kept.
const FRAMES_MAX: usize = 256;

/// Bytes of frames that are kept.
const BYTES_MAX: usize = 16 << 20;

/// A frame that was looked through.
pub struct Known {
    bytes: Box<[u8]>,
    /// Numbers of the edits in it.
    pub edits: Vec<u32>,
    /// Where the update is in the bytes.
    update: Option<std::ops::Range<usize>>,
    /// Whether it ends the answer to a question for the state.
    pub is_step2: bool,
}

/// The frames, the oldest first.
#[derive(Default)]
pub struct Recent {
    frames: VecDeque<Rc<Known>>,
    /// Frames that were dropped: the place of the oldest one that is kept.
    dropped: u64,
    bytes: usize,
}

impl Known {
    fn look_through(frame: &[u8], markers: &Markers) -> anyhow::Result<Self> {
        let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
        let (update, is_step2) = match message {
            Message::Sync(SyncMessage::Step2(update)) => (Some(update), true),
            Message::Sync(SyncMessage::Update(update)) => (Some(update), false),
            _ => (None, false),
        };
        // The update is the last part of such a message.
        let update = update.map(|update| frame.len() - update.len()..frame.len());
        let edits = update.clone().map(|update| markers.find(&frame[update]).collect()).unwrap_or_default();
        Ok(Self { bytes: frame.into(), edits, update, is_step2 })
    }

    /// The update in it.
    pub fn update(&self) -> Option<&[u8]> {
        Some(&self.bytes[self.update.clone()?])
    }
}

impl Recent {
    /// What is in a frame. `place` is where the same client's last frame was, and is moved to this one: the next frame is
    /// most often the one behind.
    pub fn known(&mut self, frame: &[u8], place: &mut u64, markers: &Markers) -> anyhow::Result<Rc<Known>> {
        let is_it = |known: &Rc<Known>| known.bytes.len() == frame.len() && *known.bytes == *frame;
        let next = (*place + 1).checked_sub(self.dropped).map(|at| at as usize);
        if let Some(next) = next
            && let Some(known) = self.frames.get(next).filter(|known| is_it(known))
        {
            *place += 1;
            return Ok(known.clone());
        }
        if let Some(at) = self.frames.iter().rposition(is_it) {
            *place = self.dropped + at as u64;
            return Ok(self.frames[at].clone());
        }
        let known = Rc::new(Known::look_through(frame, markers)?);
        self.bytes += frame.len();
        self.frames.push_back(known.clone());
        while self.frames.len() > FRAMES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
            self.dropped += 1;
        }
        *place = self.dropped + self.frames.len() as u64 - 1;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use synapti_protocol::message::{encode_step2, encode_update};

    use super::*;

    #[test]
    fn the_same_bytes_are_looked_through_once_and_others_are_not_taken_for_them() {
        let markers = Markers::new(1);
        let frame = |edit| encode_update(markers.id(edit).as_bytes());
        let mut recent = Recent::default();
        let (mut first, mut second) = (0, 0);
        for edit in 0..5 {
            let known = recent.known(&frame(edit), &mut first, &markers).unwrap();
            assert_eq!(known.edits, [edit]);
            assert_eq!(known.update().unwrap(), markers.id(edit).as_bytes());
        }
        for edit in [0, 1, 2, 4, 3] {
            assert_eq!(recent.known(&frame(edit), &mut second, &markers).unwrap().edits, [edit]);
        }
        assert_eq!(recent.frames.len(), 5);
        let step2 = recent.known(&encode_step2(&[0, 0]), &mut first, &markers).unwrap();
        assert!(step2.is_step2 && step2.edits.is_empty());
        assert!(recent.known(&[77, 77], &mut first, &markers).is_err());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let markers = Markers::new(1);
        let mut recent = Recent::default();
        let mut place = 0;
        for edit in 0..3 * FRAMES_MAX as u32 {
            let frame = encode_update(markers.id(edit).as_bytes());
            assert_eq!(recent.known(&frame, &mut place, &markers).unwrap().edits, [edit]);
        }
        assert_eq!(recent.frames.len(), FRAMES_MAX);
        let large = encode_update(&vec![0; BYTES_MAX / 2]);
        for _ in 0..4 {
            recent.known(&large, &mut place, &markers).unwrap();
        }
        assert!(recent.bytes <= BYTES_MAX);
    }
}
