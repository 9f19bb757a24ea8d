//! The scanner reads what Yjs, y-crdt and y-octo have published.

mod support;

use support::all_updates;
use synapti_protocol::update::{UpdateWriter, scan};

#[test]
fn every_published_update_is_accepted() {
    let updates = all_updates();
    assert!(updates.len() > 5_000, "only {} updates", updates.len());
    for (name, update) in &updates {
        let view = scan(update).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.sections().count(), view.client_count(), "{name}");
    }
}

#[test]
fn sections_and_structs_add_up_to_the_bytes_they_were_read_from() {
    for (name, update) in all_updates() {
        let view = scan(&update).unwrap();
        let mut writer = UpdateWriter::new();
        let mut structs_seen = 0;
        for section in view.sections() {
            let mut expected = section.clock;
            for next in section.structs() {
                assert_eq!(next.clock, expected, "{name}");
                expected = next.end();
                structs_seen += 1;
            }
            assert_eq!(expected, section.end, "{name}");
            writer.section(
                section.client,
                section.clock,
                section.struct_count,
                section.structs().map(|next| next.bytes),
            );
        }
        assert_eq!(structs_seen, view.struct_count(), "{name}");
        let mut client_ranges: Vec<(u64, Vec<(u32, u32)>)> = Vec::new();
        for range in view.delete_set() {
            match client_ranges.last_mut() {
                Some((client, ranges)) if *client == range.client => {
                    ranges.push((range.clock, range.len));
                }
                _ => client_ranges.push((range.client, vec![(range.clock, range.len)])),
            }
        }
        for (client, ranges) in &client_ranges {
            writer.delete(*client, ranges);
        }
        assert_eq!(writer.finish(), update, "{name}");
    }
}
