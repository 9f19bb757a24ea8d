//! What a client is about to send: knows from the headers of frames how large a message will be, before it is read.
//!
//! The WebSocket library makes room for a whole frame when it has read its header, and keeps that room. So before a large
//! message is read its bytes are taken out of a budget of the whole node, and afterwards the library's buffer is thrown away.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Messages up to this size are read without asking: what each connection may hold.
pub(super) const LARGE_FROM_BYTES: u64 = 64 << 10;

/// Bytes of large messages that are being read on this node.
const LARGE_BYTES_MAX: usize = 256 << 20;

/// A message counts in units of this size.
const UNIT_BYTES: u64 = 1 << 10;

/// What is added at once for a message in many frames, whose size nobody knows before its end.
const STEP_BYTES: u64 = 256 << 10;

/// How long a large message may take at least, however slow the client is.
const LARGE_WITHIN: Duration = Duration::from_secs(10);

/// Bytes between two looks (5 s) at a large message that keeps others from sending theirs.
const LARGE_BYTES_PER_LOOK: u64 = 64 << 10;

/// Others have to wait, or soon will, when less than this is left of the budget.
const SCARCE_BELOW_BYTES: usize = LARGE_BYTES_MAX / 4;

/// The library keeps a buffer of the size of the largest message; one that is larger than this is thrown away.
const KEPT_BYTES_MAX: u64 = 4 << 10;

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// What large messages of all connections may hold.
#[derive(Clone, Debug)]
pub struct LargeMessages(Arc<Semaphore>);

impl Default for LargeMessages {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_BYTES_MAX / UNIT_BYTES as usize)))
    }
}

impl LargeMessages {
    /// Waits for a part of the budget for a message of so many bytes; a small one needs none.
    pub(in crate::transport) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        if bytes <= LARGE_FROM_BYTES {
            return None;
        }
        let units = bytes.min(LARGE_BYTES_MAX as u64).div_ceil(UNIT_BYTES) as u32;
        // The budget is never closed.
        self.0.clone().acquire_many_owned(units).await.ok()
    }
}

type Acquiring = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Where in a client's stream of frames the reading is.
pub(super) struct Incoming {
    header: [u8; HEADER_BYTES_MAX],
    header_len: u8,
    /// Bytes of the present frame that have not been read.
    payload_left: u64,
    /// Declared bytes of the message under way, all its frames so far together.
    message_bytes: u64,
    /// A message has begun and its last frame has not come.
    is_fragmented: bool,
    /// The largest message since the buffer was thrown away.
    largest_bytes: u64,
    /// Bytes of this message's payload that were read, and at the last look.
    read_bytes: u64,
    looked_bytes: u64,
    held: Option<Held>,
    waiting: Option<Acquiring>,
    budget: LargeMessages,
}

/// What a large message has of the budget.
struct Held {
    since: Instant,
    bytes: u64,
    share: OwnedSemaphorePermit,
}

impl Incoming {
    pub(super) fn new(budget: LargeMessages) -> Self {
        Self {
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            payload_left: 0,
            message_bytes: 0,
            is_fragmented: false,
            largest_bytes: 0,
            read_bytes: 0,
            looked_bytes: 0,
            held: None,
            waiting: None,
            budget,
        }
    }

    /// Follows what was read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= skipped;
                self.read_bytes += skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.header[usize::from(self.header_len)] = bytes[0];
            self.header_len += 1;
            bytes = &bytes[1..];
            self.frame_begins();
        }
    }

    /// Whether nothing is half read: no frame, and no message of many frames.
    pub(super) fn is_between_messages(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0 && !self.is_fragmented
    }

    /// Whether a message was read that leaves a large buffer behind.
    pub(super) fn is_large(&self) -> bool {
        self.largest_bytes > KEPT_BYTES_MAX
    }

    /// The large message has been dealt with.
    pub(super) fn release(&mut self) {
        (self.held, self.waiting, self.largest_bytes) = (None, None, 0);
    }

    /// Ready when the message under way may be read on.
    pub(super) fn poll_may_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = self.wanted();
        if wanted <= LARGE_FROM_BYTES || self.held.as_ref().is_some_and(|held| held.bytes >= wanted) {
            return Poll::Ready(());
        }
        let missing = wanted - self.held.as_ref().map_or(0, |held| held.bytes);
        let budget = &self.budget.0;
        let acquiring = self.waiting.get_or_insert_with(|| {
            let units = missing.div_ceil(UNIT_BYTES).min(LARGE_BYTES_MAX as u64 / UNIT_BYTES);
            Box::pin(budget.clone().acquire_many_owned(units as u32))
        });
        // The budget is never closed.
        let Poll::Ready(Ok(share)) = acquiring.as_mut().poll(cx) else { return Poll::Pending };
        self.waiting = None;
        match &mut self.held {
            Some(held) => {
                held.share.merge(share);
                held.bytes = wanted;
            }
            None => self.held = Some(Held { since: Instant::now(), bytes: wanted, share }),
        }
        Poll::Ready(())
    }

    /// Whether a large message comes so slowly that it keeps others from sending theirs. To be asked every few seconds.
    pub(super) fn is_crawling(&mut self) -> bool {
        let came = self.read_bytes.saturating_sub(std::mem::replace(&mut self.looked_bytes, self.read_bytes));
        let Some(held) = self.held.as_ref().filter(|_| !self.is_between_messages()) else { return false };
        let is_scarce = self.budget.0.available_permits() * (UNIT_BYTES as usize) < SCARCE_BELOW_BYTES;
        is_scarce && held.since.elapsed() > LARGE_WITHIN && came < LARGE_BYTES_PER_LOOK
    }

    /// Whether the message waits for others to be read.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Bytes to set aside for the message under way. Of one in many frames only what has been declared is known.
    fn wanted(&self) -> u64 {
        let is_growing = self.is_fragmented && self.message_bytes > LARGE_FROM_BYTES;
        if is_growing { self.message_bytes.next_multiple_of(STEP_BYTES) } else { self.message_bytes }
    }

    /// Understands the header when all of it is there (RFC 6455, section 5.2).
    fn frame_begins(&mut self) {
        let header = &self.header[..usize::from(self.header_len)];
        let [first, second, rest @ ..] = header else { return };
        let (length_bytes, mask_bytes) = match second & 0x7f {
            126 => (2, usize::from(second >> 7) * 4),
            127 => (8, usize::from(second >> 7) * 4),
            _ => (0, usize::from(second >> 7) * 4),
        };
        if rest.len() < length_bytes + mask_bytes {
            return;
        }
        let declared = rest[..length_bytes].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        self.payload_left = if length_bytes == 0 { u64::from(second & 0x7f) } else { declared };
        self.header_len = 0;
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        // Control frames may stand within a message.
        if opcode < 8 {
            let before = if self.is_fragmented { self.message_bytes } else { 0 };
            self.message_bytes = before.saturating_add(self.payload_left);
            self.is_fragmented = !is_final;
            self.largest_bytes = self.largest_bytes.max(self.message_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 16 << 20;

    /// A masked frame without its payload.
    fn header(first: u8, len: u64) -> Vec<u8> {
        let mut header = vec![first];
        match len {
            0..126 => header.push(0x80 | len as u8),
            126..=0xffff => {
                header.push(0xfe);
                header.extend((len as u16).to_be_bytes());
            }
            _ => {
                header.push(0xff);
                header.extend(len.to_be_bytes());
            }
        }
        header.extend([1, 2, 3, 4]);
        header
    }

    fn may_read(incoming: &mut Incoming) -> bool {
        incoming.poll_may_read(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[test]
    fn frames_of_every_length_are_followed_however_they_are_cut() {
        for len in [0, 1, 125, 126, 0xffff, 0x1_0000] {
            for step in [1, 2, 3, 7, 1_000_000] {
                let mut stream = header(0x82, len);
                stream.extend(vec![9; len as usize]);
                stream.extend(header(0x89, 3));
                stream.extend([0; 3]);
                let mut incoming = Incoming::new(LargeMessages::default());
                let before_last = stream.len() - 1;
                stream[..before_last].chunks(step).for_each(|chunk| incoming.read(chunk));
                assert!(!incoming.is_between_messages(), "{len} in steps of {step}");
                incoming.read(&stream[before_last..]);
                assert!(incoming.is_between_messages(), "{len} in steps of {step}");
                assert_eq!(incoming.message_bytes, len);
            }
        }
    }

    #[tokio::test]
    async fn large_messages_share_a_budget_and_small_ones_do_not_ask() {
        let budget = LargeMessages::default();
        let mut small = Incoming::new(budget.clone());
        small.read(&header(0x82, LARGE_FROM_BYTES));
        assert!(may_read(&mut small) && small.held.is_none());

        let holders = LARGE_BYTES_MAX as u64 / MAX;
        let mut large: Vec<Incoming> = (0..=holders).map(|_| Incoming::new(budget.clone())).collect();
        for incoming in &mut large {
            incoming.read(&header(0x82, MAX));
        }
        let waiting = large.iter_mut().map(may_read).filter(|may| !may).count();
        assert_eq!(waiting, 1);
        assert!(large[holders as usize].is_waiting());
        large[0].release();
        assert!(may_read(&mut large[holders as usize]), "its turn has come");
    }

    #[tokio::test]
    async fn a_message_in_many_frames_takes_more_as_it_grows() {
        let mut incoming = Incoming::new(LargeMessages::default());
        let frame = |first, len: u64| [header(first, len), vec![0; len as usize]].concat();
        let taken =
            |incoming: &Incoming| LARGE_BYTES_MAX as u64 - ((incoming.budget.0.available_permits() as u64) << 10);
        incoming.read(&frame(0x02, 60_000));
        assert!(may_read(&mut incoming) && taken(&incoming) == 0);
        incoming.read(&frame(0x89, 10));
        for steps in [1, 1, 1, 2, 2] {
            incoming.read(&frame(0x00, 60_000));
            assert!(may_read(&mut incoming));
            assert_eq!(taken(&incoming), steps * STEP_BYTES);
        }
        incoming.read(&frame(0x80, 5));
        assert!(incoming.is_between_messages());
        incoming.release();
        assert_eq!(taken(&incoming), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_must_come_at_some_pace_when_others_wait() {
        let budget = LargeMessages::default();
        let mut incoming = Incoming::new(budget.clone());
        incoming.read(&header(0x82, 1 << 20));
        assert!(may_read(&mut incoming));
        tokio::time::advance(Duration::from_mins(10)).await;
        assert!(!incoming.is_crawling(), "nobody waits");
        let _others = budget.0.clone().acquire_many_owned((LARGE_BYTES_MAX as u32 >> 10) * 9 / 10).await.unwrap();
        incoming.read(&vec![0; LARGE_BYTES_PER_LOOK as usize]);
        assert!(!incoming.is_crawling());
        incoming.read(&[0]);
        assert!(incoming.is_crawling());
        incoming.read(&vec![0; 1 << 20]);
        assert!(!incoming.is_crawling());
    }

    #[tokio::test]
    async fn a_buffer_of_a_page_or_more_is_not_kept() {
        let mut incoming = Incoming::new(LargeMessages::default());
        incoming.read(&[header(0x82, 1_000), vec![0; 1_000]].concat());
        assert!(!incoming.is_large());
        incoming.read(&[header(0x82, 60_000), vec![0; 60_000]].concat());
        incoming.read(&[header(0x82, 10), vec![0; 10]].concat());
        assert!(incoming.is_large());
        incoming.release();
        assert!(!incoming.is_large());
    }
}
