//! What becomes of the edits of somebody who may only read.

use bytes::Bytes;
use synapti_protocol::{message::encode_permission_denied, update::UpdateView};

use crate::auth::{Role, rights::Action};

const READ_ONLY: &str = "you may read this map, not edit it: nothing of what you change reaches the others";

/// Whether the client edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    Edits,
    /// It does not, and has not tried.
    Reads,
    /// It does not, has tried, and was told so.
    IsTold,
}

/// What becomes of one message with an update.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes to the room.
    Passes,
    /// It says nothing new, and is counted.
    CountsAsEmpty,
    /// It goes nowhere; the client is told when there is something to tell.
    Refused(Option<Bytes>),
}

impl Standing {
    pub(super) fn of(role: Role) -> Self {
        if role >= Action::Edit.role() { Self::Edits } else { Self::Reads }
    }

    /// Judges an update; `is_answer` says that we have asked for it (`SyncStep2`). Such an answer names all deletions that
    /// the client knows of, which are mostly ours; so without anything else it is no edit.
    ///
    /// After a refused edit nothing more is counted: an acknowledgement speaks of the first n edits, so it must not pass one
    /// that was refused.
    pub(super) fn judge(&mut self, update: &UpdateView<'_>, is_answer: bool) -> Verdict {
        let is_empty = !is_edit(update, is_answer);
        match self {
            Self::Edits => Verdict::Passes,
            Self::Reads if is_empty => Verdict::CountsAsEmpty,
            Self::Reads => {
                *self = Self::IsTold;
                Verdict::Refused(Some(encode_permission_denied(READ_ONLY).into()))
            }
            Self::IsTold => Verdict::Refused(None),
        }
    }
}

/// Whether an update would change the map, as far as can be told from it alone.
pub fn is_edit(update: &UpdateView<'_>, is_answer: bool) -> bool {
    update.struct_count() > 0 || (!is_answer && update.delete_set().next().is_some())
}

#[cfg(test)]
mod tests {
    use synapti_protocol::update::{EMPTY_UPDATE, scan};

    use super::*;

    /// One item of client 1: a deleted text of one character in the root `t`.
    const EDIT: &[u8] = &[1, 1, 1, 0, 1, 1, 1, b't', 1, 0];
    /// Deletes the first element of client 1.
    const DELETION: &[u8] = &[0, 1, 1, 1, 0, 1];

    fn judge(standing: &mut Standing, update: &[u8], is_answer: bool) -> Verdict {
        standing.judge(&scan(update).unwrap(), is_answer)
    }

    #[test]
    fn editors_pass() {
        for role in [Role::Editor, Role::Owner] {
            let mut standing = Standing::of(role);
            assert_eq!(judge(&mut standing, EDIT, false), Verdict::Passes);
        }
    }

    #[test]
    fn readers_are_told_once_and_answers_without_content_are_no_edits() {
        for (edit, role) in [(EDIT, Role::Viewer), (DELETION, Role::Commenter)] {
            let mut standing = Standing::of(role);
            assert_eq!(judge(&mut standing, &EMPTY_UPDATE, true), Verdict::CountsAsEmpty);
            assert_eq!(judge(&mut standing, &EMPTY_UPDATE, false), Verdict::CountsAsEmpty);
            assert_eq!(judge(&mut standing, DELETION, true), Verdict::CountsAsEmpty);
            assert!(matches!(judge(&mut standing, edit, false), Verdict::Refused(Some(_))));
            assert_eq!(judge(&mut standing, edit, false), Verdict::Refused(None));
            assert_eq!(judge(&mut standing, &EMPTY_UPDATE, true), Verdict::Refused(None));
        }
        assert!(matches!(judge(&mut Standing::of(Role::Viewer), EDIT, true), Verdict::Refused(Some(_))));
    }
}
