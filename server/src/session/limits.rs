//! Bounds of what one client may say.

use synapti_protocol::message::{Message, SyncMessage};

/// Bounds of one session's messages; 0 = no limit.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bytes of one message, except a `SyncStep2`.
    pub message_bytes_max: usize,
    /// Bytes of one `SyncStep2`.
    pub sync_bytes_max: usize,
    /// Messages per second; four times as many may come at once.
    pub messages_per_second: u32,
    /// Bytes per second; four times as many may come at once.
    pub bytes_per_second: u32,
}

impl SessionLimits {
    /// How large a message of this kind may be; 0 = no limit.
    pub fn bytes_max(&self, message: &Message<'_>) -> usize {
        match message {
            Message::Sync(SyncMessage::Step2(_)) => self.sync_bytes_max,
            _ => self.message_bytes_max,
        }
    }
}
