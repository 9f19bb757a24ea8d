//! Recognising an edit on the wire.
//!
//! A server merges what gathered into one frame, so frames cannot be counted. But it does not change what people
//! wrote, and the id of a new node is written once, as plain bytes: an id that nobody else uses marks the edit
//! wherever it arrives, and finding it costs no decoding that would be measured too. (As long as no other node hangs
//! under a marked one: it would name its parent.)

use memchr::memmem::Finder;

/// Digits of an edit's number, which stands at a marker's end.
const DIGITS: usize = 6;

/// Edits that one run can mark.
pub const MARKED_MAX: u32 = 10_u32.pow(DIGITS as u32);

/// The markers of one run.
#[derive(Debug, Clone)]
pub struct Markers {
    prefix: String,
    finder: Finder<'static>,
}

impl Markers {
    /// Markers that differ from those of other runs by `run`.
    pub fn new(run: u32) -> Self {
        let prefix = format!("mark-{run:08x}-");
        let finder = Finder::new(&prefix).into_owned();
        Self { prefix, finder }
    }

    /// The id of the node that edit number `edit` adds.
    pub fn id(&self, edit: u32) -> String {
        debug_assert!(edit < MARKED_MAX);
        format!("{}{edit:0DIGITS$}", self.prefix)
    }

    /// The numbers of the edits in a frame, in the order in which they stand there.
    pub fn find<'a>(&'a self, frame: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        self.finder.find_iter(frame).filter_map(|at| {
            let digits = frame[at + self.prefix.len()..].first_chunk::<DIGITS>()?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use synapti_crdt::{
        AsideLimits, Op, Replica, Sender,
        map::{MapEdit, NewNode},
    };
    use synapti_protocol::message::encode_update;

    use super::*;

    fn replica(client_id: u64) -> Replica {
        Replica::new(client_id, AsideLimits::default())
    }

    /// Replicas of a map whose root is not marked.
    fn rooted<const N: usize>() -> [Replica; N] {
        let init = replica(99).apply([Op::Edit(&crate::map::init("Topic"))], 0).update.unwrap();
        std::array::from_fn(|index| {
            let mut replica = replica(1 + index as u64);
            replica.apply([Op::Update { update: &init, from: Sender::default() }], 0);
            replica
        })
    }

    /// Updates that add one marked node each, as one client makes them.
    fn marked(markers: &Markers, client: &mut Replica, edits: Range<u32>) -> Vec<Vec<u8>> {
        edits
            .map(|edit| {
                let add = MapEdit::AddNode(NewNode::new(markers.id(edit), "A title"));
                client.apply([Op::Edit(&add)], 0).update.unwrap()
            })
            .collect()
    }

    fn found(markers: &Markers, frame: &[u8]) -> Vec<u32> {
        let mut found: Vec<u32> = markers.find(frame).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn an_edit_is_found_once_in_its_own_frame() {
        let markers = Markers::new(7);
        let [mut client] = rooted();
        for (edit, update) in marked(&markers, &mut client, 0..20).iter().enumerate() {
            assert_eq!(found(&markers, &encode_update(update)), [edit as u32]);
        }
    }

    #[test]
    fn every_edit_is_found_once_in_a_merged_frame() {
        let markers = Markers::new(7);
        let [mut first, mut second, mut server] = rooted();
        let updates = [marked(&markers, &mut first, 0..50), marked(&markers, &mut second, 50..80)].concat();
        let ops = updates.iter().map(|update| Op::Update { update, from: Sender::default() });
        let merged = server.apply(ops, 0).update.unwrap();
        assert!(merged.len() < updates.iter().map(Vec::len).sum(), "they are merged, not put side by side");
        assert_eq!(found(&markers, &encode_update(&merged)), (0..80).collect::<Vec<_>>());
    }

    #[test]
    fn the_edits_of_another_run_are_not_ours() {
        let (ours, theirs) = (Markers::new(1), Markers::new(2));
        let [mut client] = rooted();
        for update in marked(&theirs, &mut client, 0..3) {
            assert_eq!(found(&ours, &encode_update(&update)), [0; 0]);
        }
    }

    #[test]
    fn what_only_looks_like_a_marker_is_passed_over() {
        let markers = Markers::new(1);
        assert_eq!(found(&markers, b""), [0; 0]);
        assert_eq!(found(&markers, b"mark-00000001-"), [0; 0]);
        assert_eq!(found(&markers, b"mark-00000001-12345"), [0; 0]);
        assert_eq!(found(&markers, b"mark-00000001-12x456"), [0; 0]);
        assert_eq!(found(&markers, b"mark-00000001-mark-00000001-000042"), [42]);
    }
}
