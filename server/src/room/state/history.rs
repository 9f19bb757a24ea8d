//! When a version of the map is made without anybody asking for it, and whose work it is.

use std::collections::BTreeSet;

use super::{Effect, Life, RoomState};
use crate::{history::Schedule, room::SessionId};

/// Authors that one version names at most.
const AUTHORS_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct RoomHistory {
    pub(super) schedule: Schedule,
    pub(super) is_under_way: bool,
    /// Names of those who edited since the last version and have left.
    authors: BTreeSet<String>,
}

impl RoomHistory {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self { schedule, is_under_way: false, authors: BTreeSet::new() }
    }
}

impl RoomState {
    /// Nobody is here any more: what has changed becomes a version before the room closes.
    pub fn keep_version_before_close(&mut self, now_ms: u64) {
        self.keep_version_if_due(now_ms);
    }

    /// The automatic version of [`Effect::KeepVersion`] is there, or could not be made: then the next change is a reason to
    /// try again, and until then the room may close.
    pub fn version_kept(&mut self) {
        self.history.is_under_way = false;
    }

    pub(super) fn keep_version_if_due(&mut self, now_ms: u64) {
        if self.history.schedule.is_due(now_ms, self.members.is_empty()) {
            self.keep_version(now_ms);
        }
    }

    /// What somebody shows of themselves changes: remembers the name of an author.
    pub(super) fn note_author(&mut self, session: SessionId) {
        let Some(member) = self.members.get_mut(&session).filter(|member| member.has_edited) else { return };
        if let Some(name) = self.presence.name_of(session) {
            member.has_edited = false;
            if self.history.authors.len() < AUTHORS_MAX {
                self.history.authors.insert(name);
            }
        }
    }

    fn keep_version(&mut self, now_ms: u64) {
        if self.history.is_under_way || self.is_ahead || self.is_damaged || self.life != Life::Open {
            return;
        }
        for session in self.members.keys().copied().collect::<Vec<_>>() {
            self.note_author(session);
        }
        let authors: Vec<String> = std::mem::take(&mut self.history.authors).into_iter().collect();
        self.history.schedule.taken(now_ms);
        self.history.is_under_way = true;
        let author = (!authors.is_empty()).then(|| authors.join(", "));
        self.effects.push(Effect::KeepVersion { before: None, author });
    }
}
