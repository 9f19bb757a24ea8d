//! Whether a reader, whose deletions nobody takes, has deleted something that is still there.

use bytes::Bytes;
use synapti_protocol::{
    message::{self, Message, SyncMessage},
    update,
};

/// Deleted elements of one client: from the first clock up to the second.
type Range = (u64, u32, u32);

/// Whether the frames of a state, which name all deletions of a map, have those of `update` among them.
pub(super) fn are_known<'a>(update: &[u8], state: impl IntoIterator<Item = &'a Bytes>) -> bool {
    let known = joined(state.into_iter().flat_map(of_frame).collect());
    ranges(update).into_iter().all(|(client, from, to)| {
        let after = known.partition_point(|range| (range.0, range.1) <= (client, from));
        after.checked_sub(1).is_some_and(|at| known[at].0 == client && to <= known[at].2)
    })
}

fn of_frame(frame: &Bytes) -> Vec<Range> {
    match message::parse(frame) {
        Ok(Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update))) => ranges(update),
        _ => Vec::new(),
    }
}

fn ranges(update: &[u8]) -> Vec<Range> {
    let view = update::scan(update).into_iter();
    view.flat_map(|view| view.delete_set()).map(|range| (range.client, range.clock, range.clock + range.len)).collect()
}

/// Sorted, and one where several touch.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let touches = next.0 == last.0 && next.1 <= last.2;
        if touches {
            last.2 = last.2.max(next.2);
        }
        touches
    });
    ranges
}

#[cfg(test)]
mod tests {
    use synapti_protocol::update::{EMPTY_UPDATE, UpdateWriter};

    use super::*;

    fn deleting(ranges: &[(u64, &[(u32, u32)])]) -> Vec<u8> {
        let mut writer = UpdateWriter::new();
        for (client, ranges) in ranges {
            writer.delete(*client, ranges);
        }
        writer.finish()
    }

    #[test]
    fn deletions_are_known_when_the_frames_together_have_them() {
        let state: Vec<Bytes> = [deleting(&[(1, &[(0, 5), (8, 2)])]), deleting(&[(1, &[(5, 1)]), (2, &[(3, 1)])])]
            .iter()
            .map(|update| message::encode_update(update).into())
            .collect();
        for (known, ranges) in [
            (true, &[(1, &[(0, 6)][..])][..]),
            (true, &[(1, &[(2, 2), (8, 1)]), (2, &[(3, 1)])]),
            (false, &[(1, &[(0, 7)])]),
            (false, &[(1, &[(6, 1)])]),
            (false, &[(2, &[(2, 1)])]),
            (false, &[(3, &[(0, 1)])]),
        ] {
            assert_eq!(are_known(&deleting(ranges), &state), known, "{ranges:?}");
        }
        assert!(are_known(&EMPTY_UPDATE, &[]));
    }
}
