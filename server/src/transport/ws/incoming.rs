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

/// How long a large message may take at least, however slow the client is.
const LARGE_WITHIN: Duration = Duration::from_secs(15);

/// Bytes a second at which a large message has to come after that: it keeps others waiting.
const LARGE_BYTES_PER_SECOND: u64 = 32 << 10;

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
    /// The most that a message may have; what one in many frames is taken for.
    message_bytes_max: u64,
    large: Option<Large>,
    budget: LargeMessages,
}

/// A share of the budget, or the way to it.
enum Large {
    Waiting(Acquiring),
    Held { since: Instant, bytes: u64, _share: OwnedSemaphorePermit },
}

impl Incoming {
    pub(super) fn new(message_bytes_max: u64, budget: LargeMessages) -> Self {
        Self {
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            payload_left: 0,
            message_bytes: 0,
            is_fragmented: false,
            message_bytes_max,
            large: None,
            budget,
        }
    }

    /// Follows what was read.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= skipped;
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

    /// Whether a large message was read, or is being read.
    pub(super) fn is_large(&self) -> bool {
        self.large.is_some()
    }

    /// The large message has been dealt with.
    pub(super) fn release(&mut self) {
        self.large = None;
    }

    /// Ready when the message under way may be read on.
    pub(super) fn poll_may_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.large.is_none() && self.wanted() > LARGE_FROM_BYTES {
            let units = self.wanted().div_ceil(UNIT_BYTES).min(LARGE_BYTES_MAX as u64 / UNIT_BYTES);
            let acquiring = self.budget.0.clone().acquire_many_owned(units as u32);
            self.large = Some(Large::Waiting(Box::pin(acquiring)));
        }
        let Some(Large::Waiting(acquiring)) = &mut self.large else { return Poll::Ready(()) };
        match acquiring.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            // The budget is never closed.
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(share)) => {
                self.large = Some(Large::Held { since: Instant::now(), bytes: self.wanted(), _share: share });
                Poll::Ready(())
            }
        }
    }

    /// Whether a large message comes so slowly that others need not wait for it.
    pub(super) fn is_crawling(&self) -> bool {
        match &self.large {
            Some(Large::Held { since, bytes, .. }) if !self.is_between_messages() => {
                since.elapsed() > LARGE_WITHIN + Duration::from_secs(bytes / LARGE_BYTES_PER_SECOND)
            }
            _ => false,
        }
    }

    /// Whether the message waits for others to be read.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.large, Some(Large::Waiting(_)))
    }

    /// Bytes to set aside for the message under way. Of one in many frames only the largest size is known.
    fn wanted(&self) -> u64 {
        let is_more_than_small = self.message_bytes > LARGE_FROM_BYTES;
        if self.is_fragmented && is_more_than_small { self.message_bytes_max } else { self.message_bytes }
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
                let mut incoming = Incoming::new(MAX, LargeMessages::default());
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
        let mut small = Incoming::new(MAX, budget.clone());
        small.read(&header(0x82, LARGE_FROM_BYTES));
        assert!(may_read(&mut small) && !small.is_large());

        let holders = LARGE_BYTES_MAX as u64 / MAX;
        let mut large: Vec<Incoming> = (0..=holders).map(|_| Incoming::new(MAX, budget.clone())).collect();
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
    async fn a_message_in_many_frames_is_taken_for_the_largest() {
        let mut incoming = Incoming::new(MAX, LargeMessages::default());
        let frame = |first, len: u64| [header(first, len), vec![0; len as usize]].concat();
        incoming.read(&frame(0x02, 60_000));
        assert!(may_read(&mut incoming) && !incoming.is_large());
        incoming.read(&frame(0x89, 10));
        incoming.read(&header(0x00, 60_000));
        assert!(may_read(&mut incoming) && incoming.is_large());
        assert_eq!(incoming.budget.0.available_permits(), (LARGE_BYTES_MAX - MAX as usize) >> 10);
        incoming.read(&vec![0; 60_000]);
        assert!(!incoming.is_between_messages());
        incoming.read(&frame(0x80, 5));
        assert!(incoming.is_between_messages());
        incoming.release();
        assert_eq!(incoming.budget.0.available_permits(), LARGE_BYTES_MAX >> 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_must_come_at_some_pace() {
        let mut incoming = Incoming::new(MAX, LargeMessages::default());
        incoming.read(&header(0x82, 1 << 20));
        assert!(may_read(&mut incoming));
        tokio::time::advance(Duration::from_secs(45)).await;
        assert!(!incoming.is_crawling());
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(incoming.is_crawling());
        incoming.read(&vec![0; 1 << 20]);
        assert!(!incoming.is_crawling());
    }
}
