//! What a room has published: one short ring of frames that all its viewers read.
//!
//! A viewer is only a cursor into the ring. The room pushes without waiting for anybody; a viewer whose cursor
//! has fallen off asks the room for one state diff instead.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;

/// Position in a feed: the number of frames published before it. Never goes back while a room is open.
pub type Cursor = u64;

/// Frames kept at most, whatever their size: bounds the bookkeeping of a room with tiny frames.
pub const FEED_FRAMES_MAX: usize = 1024;

/// A state vector that everybody has who has read the feed up to `cursor`.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where in the feed it was taken.
    pub cursor: Cursor,
    /// Encoded state vector.
    pub state_vector: Bytes,
}

/// The reader's frames are no longer in the ring.
#[derive(Debug, PartialEq, Eq)]
pub struct FellOff;

/// The writing end belongs to the room, the reading ends to its sessions.
#[derive(Debug)]
pub struct Feed {
    // Held for a few clones of `Bytes` and never across an await, so a plain mutex is right.
    ring: Mutex<Ring>,
    /// The ring's head, for those who only want to know whether there is something.
    head: AtomicU64,
}

#[derive(Debug)]
struct Ring {
    frames: VecDeque<Bytes>,
    first: Cursor,
    bytes: usize,
    bytes_max: usize,
    /// The head at the last [`Feed::age`].
    aged: Cursor,
    checkpoint: Option<Arc<Checkpoint>>,
}

impl Feed {
    /// An empty feed whose ring keeps at most `bytes_max` bytes, and always the newest frame.
    pub fn new(bytes_max: usize) -> Self {
        let ring = Ring { frames: VecDeque::new(), first: 0, bytes: 0, bytes_max, aged: 0, checkpoint: None };
        Self { ring: Mutex::new(ring), head: AtomicU64::new(0) }
    }

    /// Publishes a frame. Who publishes wakes the viewers: several frames are one wake-up.
    pub fn push(&self, frame: Bytes) {
        let head = self.ring.lock().push(frame);
        self.head.store(head, Ordering::Release);
    }

    /// Where the next frame will stand.
    pub fn head(&self) -> Cursor {
        self.head.load(Ordering::Acquire)
    }

    /// Whether it can still be told what follows on a cursor.
    pub fn reaches(&self, cursor: Cursor) -> bool {
        let ring = self.ring.lock();
        (ring.first..=ring.head()).contains(&cursor)
    }

    /// Drops what stood in the ring at the last call already, so that a quiet room keeps nothing for its viewers. Who has
    /// not read it by now is sent a diff.
    pub fn age(&self) {
        let mut ring = self.ring.lock();
        while ring.first < ring.aged && ring.drop_oldest() {}
        if ring.frames.is_empty() {
            ring.frames = VecDeque::new();
        }
        ring.aged = ring.head();
    }

    /// Records the state vector that readers at the head have.
    pub fn set_checkpoint(&self, state_vector: Bytes) {
        let mut ring = self.ring.lock();
        ring.checkpoint = Some(Arc::new(Checkpoint { cursor: ring.head(), state_vector }));
    }

    /// Hands over frames from `cursor`, which it moves, until `bytes_max` is reached or the head; at least one frame if
    /// there is one. Answers the newest checkpoint that the reader has reached, when there is one.
    ///
    /// # Errors
    /// [`FellOff`] when frames after `cursor` have left the ring.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        bytes_max: usize,
        mut take: impl FnMut(Bytes),
    ) -> Result<Option<Arc<Checkpoint>>, FellOff> {
        let ring = self.ring.lock();
        let skip = cursor.checked_sub(ring.first).ok_or(FellOff)?;
        let mut bytes = 0;
        for frame in ring.frames.iter().skip(skip as usize) {
            if bytes > 0 && bytes + frame.len() > bytes_max {
                break;
            }
            bytes += frame.len();
            *cursor += 1;
            take(frame.clone());
        }
        Ok(ring.checkpoint.clone().filter(|checkpoint| checkpoint.cursor <= *cursor))
    }
}

impl Ring {
    fn head(&self) -> Cursor {
        self.first + self.frames.len() as Cursor
    }

    fn push(&mut self, frame: Bytes) -> Cursor {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > 1 && (self.bytes > self.bytes_max || self.frames.len() > FEED_FRAMES_MAX) {
            self.drop_oldest();
        }
        self.head()
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.frames.pop_front() else { return false };
        self.bytes -= oldest.len();
        self.first += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    #[test]
    fn a_reader_gets_every_frame_once_and_in_order() {
        let feed = Feed::new(1000);
        let mut cursor = feed.head();
        for byte in 0..5u8 {
            feed.push(Bytes::from(vec![byte]));
        }
        let mut seen = Vec::new();
        while cursor < feed.head() {
            feed.read(&mut cursor, 2, |frame| seen.push(frame[0])).unwrap();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        feed.read(&mut cursor, 2, |_| panic!("nothing is left")).unwrap();
    }

    #[test]
    fn a_reader_that_falls_off_is_told_and_the_ring_stays_bounded() {
        let feed = Feed::new(100);
        let mut cursor = feed.head();
        for _ in 0..50 {
            feed.push(frame(40));
        }
        assert_eq!(feed.read(&mut cursor, 1000, drop).unwrap_err(), FellOff);
        assert_eq!(feed.ring.lock().bytes, 80);
        let mut at_head = feed.head();
        assert!(feed.read(&mut at_head, 1000, drop).is_ok());
    }

    #[test]
    fn a_frame_larger_than_the_ring_still_reaches_those_who_keep_up() {
        let feed = Feed::new(100);
        let mut cursor = feed.head();
        feed.push(frame(500));
        let mut bytes = 0;
        feed.read(&mut cursor, 10, |frame| bytes += frame.len()).unwrap();
        assert_eq!(bytes, 500);
    }

    #[test]
    fn what_has_been_there_for_two_ages_is_dropped_and_whoever_kept_up_reads_on() {
        let feed = Feed::new(1000);
        let (mut keeps_up, mut slow) = (feed.head(), feed.head());
        feed.push(frame(10));
        feed.age();
        feed.read(&mut keeps_up, 100, drop).unwrap();
        feed.push(frame(20));
        feed.age();
        assert_eq!(feed.ring.lock().bytes, 20, "what is younger stays");
        assert_eq!(feed.read(&mut slow, 100, drop).unwrap_err(), FellOff);
        let mut bytes = 0;
        feed.read(&mut keeps_up, 100, |frame| bytes += frame.len()).unwrap();
        assert_eq!(bytes, 20);
        feed.age();
        assert_eq!(feed.ring.lock().frames.capacity(), 0);
        assert_eq!(feed.head(), 2);
        feed.read(&mut keeps_up, 100, |_| panic!("nothing is new")).unwrap();
    }

    #[test]
    fn a_checkpoint_is_handed_out_only_to_those_who_have_read_that_far() {
        let feed = Feed::new(10_000);
        let mut slow = feed.head();
        for _ in 0..100 {
            feed.push(frame(1));
        }
        feed.set_checkpoint(Bytes::from_static(&[0]));
        assert!(feed.read(&mut slow, 10, drop).unwrap().is_none());
        let mut fast = feed.head();
        assert_eq!(feed.read(&mut fast, 10, drop).unwrap().unwrap().cursor, 100);
    }
}
