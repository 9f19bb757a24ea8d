//! Messages that were read and cannot be dealt with yet.

use std::collections::VecDeque;

use bytes::Bytes;

/// In the order in which they came. Its owner bounds it, together with those of the other documents.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, message: &[u8]) {
        self.bytes += message.len();
        // A copy: what was received would keep the whole read buffer.
        self.messages.push_back(Bytes::copy_from_slice(message));
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let message = self.messages.pop_front();
        match &message {
            Some(message) => self.bytes -= message.len(),
            // An idle document keeps no room for messages.
            None => self.messages = VecDeque::new(),
        }
        message
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.messages.iter()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn waiting(&self) -> Waiting {
        Waiting { messages: self.messages.len(), bytes: self.bytes }
    }
}

impl Waiting {
    /// What waits in all of them.
    pub(super) fn of<'a>(inboxes: impl Iterator<Item = &'a Inbox>) -> Self {
        inboxes.map(Inbox::waiting).fold(Self::default(), Self::and)
    }

    fn and(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }

    /// Whether `more` bytes in one message would be too much.
    pub(super) fn exceeds(self, messages_max: usize, bytes_max: usize, more: usize) -> bool {
        self.messages + 1 > messages_max || self.bytes + more > bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted() {
        let mut inbox = Inbox::default();
        inbox.push(b"abc");
        inbox.push(b"");
        assert_eq!(inbox.waiting(), Waiting { messages: 2, bytes: 3 });
        assert!(inbox.waiting().exceeds(2, 9, 0) && inbox.waiting().exceeds(3, 4, 2));
        assert!(!inbox.waiting().and(Waiting::default()).exceeds(3, 4, 1));
        assert_eq!(
            (inbox.pop().as_deref(), inbox.pop().as_deref(), inbox.pop()),
            (Some(&b"abc"[..]), Some(&b""[..]), None)
        );
        assert!(inbox.is_empty() && inbox.waiting() == Waiting::default());
    }
}
