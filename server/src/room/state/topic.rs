//! The topic in listings.

use super::RoomState;

/// Two nodes that write the topic within so short a time may each have overwritten the other's in listings.
const TOPICS_CROSS_WITHIN_MS: u64 = 10_000;

/// The topic that the store lists, where other nodes write it too.
#[derive(Debug, Default)]
pub(super) struct ListedTopic {
    /// When it was written here last.
    written_ms: Option<u64>,
    /// Whether the store may list another one than the map has: two nodes wrote it at about the same time.
    pub(super) is_doubtful: bool,
}

/// Characters of a topic that listings show: a map may hold a longer one, and everybody is sent the lists.
const LISTED_CHARS_MAX: usize = 1000;

/// A topic as listings show it.
pub fn listed(topic: &str) -> &str {
    topic.char_indices().nth(LISTED_CHARS_MAX).map_or(topic, |(end, _)| &topic[..end])
}

impl RoomState {
    /// The topic that goes along with a commit, when the store may list another one.
    pub(super) fn topic_to_list(&mut self, now_ms: u64) -> Option<String> {
        let topic = self.replica.topic().unwrap_or_default();
        let was_doubtful = std::mem::take(&mut self.listed.is_doubtful);
        let is_new = topic != self.topic || was_doubtful;
        is_new.then(|| {
            self.topic.clone_from(&topic);
            self.listed.written_ms = Some(now_ms);
            listed(&topic).to_owned()
        })
    }

    /// Another node's edit is in the document: its topic is listed, unless ours was written at about the same time.
    pub(super) fn note_topic(&mut self, now_ms: u64) {
        if let Some(topic) = self.replica.topic().filter(|topic| *topic != self.topic) {
            self.topic = topic;
            let is_recent = |written_ms: u64| now_ms < written_ms + TOPICS_CROSS_WITHIN_MS;
            self.listed.is_doubtful |= self.listed.written_ms.is_some_and(is_recent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_topic_is_listed_by_its_beginning() {
        assert_eq!(listed("Größe"), "Größe");
        let long = "ü".repeat(LISTED_CHARS_MAX + 1);
        assert_eq!(listed(&long).chars().count(), LISTED_CHARS_MAX);
    }
}
