//! Elements that one update puts into one and the same place.
//!
//! Whoever integrates an element walks past those that were put between the same two neighbours, so that many of them cost
//! the square of their number. A Yjs client never writes two: its second one has the first as a neighbour. So there are at
//! most as many as clients that did not know of each other.

use std::collections::HashMap;

use synapti_protocol::{
    limits::SAME_PLACE_MAX,
    update::{Id, StructKind, UpdateView},
};

/// The neighbours at the time of writing; without any, what holds the element.
type Neighbours<'a> = (Option<Id>, Option<Id>, Option<Id>, Option<&'a str>, Option<&'a str>);

/// Whether more elements than any number of honest clients would are put into one place.
pub(crate) fn is_contended(update: &UpdateView<'_>) -> bool {
    if update.struct_count() <= SAME_PLACE_MAX {
        return false;
    }
    let mut counts: HashMap<Neighbours<'_>, usize> = HashMap::new();
    let items = update.sections().flat_map(|section| section.structs());
    items.filter(|item| matches!(item.kind, StructKind::Item(_))).any(|item| {
        let count = counts.entry((item.origin, item.right_origin, item.parent, item.root, item.key)).or_default();
        *count += 1;
        *count > SAME_PLACE_MAX
    })
}

#[cfg(test)]
mod tests {
    use synapti_protocol::update::{UpdateWriter, scan};

    use super::*;

    /// One character each at the beginning of a text, by so many clients.
    fn crowd(clients: u64) -> Vec<u8> {
        let mut writer = UpdateWriter::new();
        for client in 1..=clients {
            writer.section(client, 0, 1, [&[4, 1, 1, b't', 1, b'x'][..]]);
        }
        writer.finish()
    }

    #[test]
    fn a_crowd_in_one_place_is_noticed_and_one_as_large_in_many_places_is_not() {
        let limit = SAME_PLACE_MAX as u64;
        assert!(!is_contended(&scan(&crowd(limit)).unwrap()));
        assert!(is_contended(&scan(&crowd(limit + 1)).unwrap()));
        // One after the other, as somebody types.
        let mut typed = UpdateWriter::new();
        let first: &[u8] = &[4, 1, 1, b't', 1, b'x'];
        let later: Vec<Vec<u8>> = (0..3_000_u16)
            .map(|clock| {
                let mut item = vec![0x84, 7];
                synapti_protocol::lib0::write_var_uint(&mut item, clock.into());
                item.extend([1, b'x']);
                item
            })
            .collect();
        typed.section(7, 0, 3_001, std::iter::once(first).chain(later.iter().map(Vec::as_slice)));
        assert!(!is_contended(&scan(&typed.finish()).unwrap()));
    }
}
