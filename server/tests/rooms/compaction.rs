//! When a room replaces its tail of records by a snapshot.

use std::time::Duration;

use synapti_server::compaction::Compacted;

use crate::support::{Bench, Client, Seen};

const TAIL_RECORDS_MAX: usize = 500;
const TAIL_RECORDS_WORTH_CLOSING: usize = 64;

fn replaced(records: u32, bytes: u64, snapshot_bytes: u64) -> Compacted {
    Compacted { records, bytes, snapshot_bytes, covers: 0 }
}

/// Saves so many edits; what the last one brought.
fn save(bench: &mut Bench, ann: &mut Client, edits: usize) -> Seen {
    let mut last = Seen::default();
    for _ in 0..edits {
        assert_eq!(last.compactions, 0, "too early");
        let node = format!("n{}", ann.nodes().len());
        last = bench.save(1, ann.add(node));
    }
    last
}

#[test]
fn a_long_tail_is_replaced_once_it_is_on_disk() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    let seen = save(&mut bench, &mut ann, TAIL_RECORDS_MAX);
    assert_eq!(seen.compactions, 1);
    assert!(!bench.room.is_idle());
    assert_eq!(save(&mut bench, &mut ann, 3).compactions, 0, "one at a time");
    bench.room.compacted(Some(replaced(TAIL_RECORDS_MAX as u32, 1, 1)));
    let seen = save(&mut bench, &mut ann, TAIL_RECORDS_MAX - 3);
    assert_eq!(seen.compactions, 1, "the three that came meanwhile are part of the next tail");
}

#[test]
fn after_a_failure_it_is_tried_again_when_the_tail_has_grown_by_as_much() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    save(&mut bench, &mut ann, TAIL_RECORDS_MAX);
    bench.room.compacted(None);
    bench.room.compact_before_close();
    assert!(bench.take().is_empty(), "and not on closing");
    assert_eq!(save(&mut bench, &mut ann, TAIL_RECORDS_MAX).compactions, 1);
}

#[test]
fn a_heavy_tail_is_replaced_when_it_outweighs_the_snapshot() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    assert_eq!(bench.save(1, ann.add_large("a", 600 << 10)).compactions, 0);
    assert_eq!(bench.save(1, ann.add_large("b", 600 << 10)).compactions, 1);
    bench.room.compacted(Some(replaced(2, 1201 << 10, 1201 << 10)));
    assert_eq!(bench.save(1, ann.add_large("c", 1100 << 10)).compactions, 0, "the snapshot is still larger");
    assert_eq!(bench.save(1, ann.add_large("d", 300 << 10)).compactions, 1);
}

#[test]
fn a_tail_that_took_long_to_integrate_is_replaced() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.save(1, ann.add("a"));
    bench.room.took(Duration::from_secs(4));
    assert_eq!(bench.save(1, ann.add("b")).compactions, 0);
    bench.room.took(Duration::from_secs(1));
    assert_eq!(bench.save(1, ann.add("c")).compactions, 1);
    // Two of the three came before it was read.
    bench.room.compacted(Some(replaced(2, 1, 1 << 20)));
    bench.room.took(Duration::from_secs(3));
    assert_eq!(bench.save(1, ann.add("d")).compactions, 0);
    bench.room.took(Duration::from_secs(1));
    assert_eq!(bench.save(1, ann.add("e")).compactions, 1);
}

#[test]
fn a_tail_of_small_records_is_replaced_when_there_are_many_for_the_snapshot() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    assert_eq!(bench.save(1, ann.add_large("a", 2 << 20)).compactions, 1);
    for (round, (snapshot_bytes, records)) in [(3 << 20, 4_000), (5 << 20, 5_120)].into_iter().enumerate() {
        let replaced_records = if round == 0 { 1 } else { 4_000 };
        bench.room.compacted(Some(replaced(replaced_records, 3 << 20, snapshot_bytes)));
        for number in 1..=records {
            let seen = bench.save(1, ann.add(format!("{round}-{number}")));
            assert_eq!(seen.compactions, usize::from(number == records), "record {number} of round {round}");
        }
    }
}

#[test]
fn a_room_that_closes_leaves_a_short_tail() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    save(&mut bench, &mut ann, TAIL_RECORDS_WORTH_CLOSING - 1);
    bench.room.compact_before_close();
    assert!(bench.take().is_empty(), "too short to be worth a snapshot");
    bench.save(1, ann.add("last"));
    bench.room.compact_before_close();
    assert_eq!(bench.take().compactions, 1);
}
