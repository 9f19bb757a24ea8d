//! Damaged and made-up updates: whatever is let in, the replica and its journal stay one.
//!
//! `FUZZ_ITERATIONS` and `FUZZ_SEED` steer the mutations, as in the protocol's own fuzz test. Memory that yrs uses after it has
//! freed it mostly goes unnoticed: `valgrind -q --error-exitcode=99` on the test's program sees it.

#[path = "../../../protocol/tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../../../protocol/tests/support/mod.rs"]
mod published;

use std::path::Path;

use synapti_crdt::map::{Children, MapEdit, NewNode};
use synapti_crdt::{AsideLimits, Op, Restorable, Sender};

use self::mutate::Mutator;
use crate::support::{Place, Random, Watched, deleted, deletion, map_at, nested_map, text, update, values};
use crate::vectors::histories;

const ITERATIONS_DEFAULT: u64 = 400;
const SEED_DEFAULT: u64 = 0x5eed;
/// Updates that one room gets.
const ROOM_UPDATES: usize = 30;
/// So little that some of it is dropped.
const HELD_BYTES_MAX: usize = 2_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// What the scanner is fuzzed with, and what Yjs and others have written.
fn inputs() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/corpus/update");
    let mut paths: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let corpus = paths.iter().map(|path| std::fs::read(path).unwrap());
    let published = published::all_updates().into_iter().step_by(50).map(|(_, update)| update);
    let recorded = histories().into_iter().take(20).flat_map(|history| history.updates);
    recorded.chain(corpus).chain(published).filter(|input| input.len() <= 4 << 10).collect()
}

/// Several senders, batches, the server's own edits, restoring, expiry and opening again, with intact and damaged updates.
#[test]
fn damaged_updates_do_no_damage() {
    let seed = setting("FUZZ_SEED", SEED_DEFAULT);
    let inputs = inputs();
    let mut mutator = Mutator::new(seed);
    let mut random = Random(seed);
    let (mut accepted, mut edited, mut restored) = (0, 0, 0);
    for round in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) {
        let mut room = Watched::without_bare(AsideLimits { bytes_max: HELD_BYTES_MAX });
        let mut older = room.replica.snapshot();
        for step in 0..ROOM_UPDATES {
            match random.below(24) {
                0 => {
                    let id = format!("n{}", random.below(4));
                    let node = MapEdit::AddNode(NewNode::new(id.clone(), "A title 😀"));
                    let remove = MapEdit::RemoveNode { id, children: Children::Remove };
                    let edit = if random.below(3) == 0 { remove } else { node };
                    edited += u32::from(room.apply([Op::Edit(&edit)], 0)[0].is_ok());
                }
                1 => older = room.replica.snapshot(),
                2 => {
                    let restoring = Restorable::read(&older).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    restored += u32::from(room.apply([Op::Restore(&restoring)], 0)[0].is_ok());
                }
                3 => room.replica.expire_held(random.below(ROOM_UPDATES) as u64).for_each(drop),
                4 => room.reopen(1_000_000 + round * 100 + step as u64),
                _ => {
                    let mut any = || match random.below(2) {
                        0 => inputs[random.below(inputs.len())].clone(),
                        _ => mutator.mutation_of(&inputs),
                    };
                    let batch: Vec<Vec<u8>> = (0..=round % 4).map(|_| any()).collect();
                    let ops = batch.iter().map(|update| {
                        let from = Sender(1 + random.below(3) as u64);
                        Op::Update { update, from }
                    });
                    let results = room.apply(ops.collect::<Vec<_>>(), step as u64);
                    accepted += results.iter().filter(|result| result.is_ok()).count();
                }
            }
        }
        finish(room);
    }
    assert!(
        accepted > 100 && edited > 10 && restored > 10,
        "{accepted} accepted, {edited} edited, {restored} restored"
    );
}

/// Structs at random places over few clients and clocks, so that they meet: in circles, inside each other, overlapping.
/// Each client says one thing at one clock, as every client does that counts its clocks right.
#[test]
fn made_up_structs_do_no_damage() {
    let mut random = Random(setting("FUZZ_SEED", SEED_DEFAULT));
    let (mut refused, iterations) = (0, setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT));
    for _ in 0..iterations * 5 {
        let streams: Vec<Stream> = (1..=CLIENTS).map(|client| Stream::made_up(client, &mut random)).collect();
        let mut room = Watched::without_bare(AsideLimits { bytes_max: HELD_BYTES_MAX });
        for _ in 0..ROOM_UPDATES {
            let made_up = made_up(&streams, &mut random);
            refused += u64::from(room.take(&made_up, 1 + random.below(3) as u64).is_err());
        }
        finish(room);
    }
    assert!(refused > iterations, "only {refused} updates were refused");
}

/// Clients that say two things at one clock: the first that joins on counts, and room and journal stay one.
#[test]
fn clients_that_contradict_themselves_do_no_damage() {
    let mut random = Random(setting("FUZZ_SEED", SEED_DEFAULT));
    for _ in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) * 5 {
        let mut room = Watched::without_bare(AsideLimits { bytes_max: HELD_BYTES_MAX });
        for _ in 0..ROOM_UPDATES {
            let streams: Vec<Stream> = (1..=CLIENTS).map(|client| Stream::made_up(client, &mut random)).collect();
            let made_up = made_up(&streams, &mut random);
            drop(room.take(&made_up, 1 + random.below(3) as u64));
        }
        finish(room);
    }
}

fn finish(mut room: Watched) {
    assert!(room.replica.held_bytes() <= HELD_BYTES_MAX);
    room.replica.expire_held(u64::MAX).for_each(drop);
    assert_eq!(room.replica.held_bytes(), 0);
    room.check_reloads();
}

const CLIENTS: u64 = 3;
const STREAM_STRUCTS: usize = 8;

/// All that one client ever says: structs that follow on each other, each with its length.
struct Stream {
    client: u64,
    structs: Vec<(Vec<u8>, u32)>,
}

impl Stream {
    fn made_up(client: u64, random: &mut Random) -> Self {
        let mut clock = 0;
        let structs = (0..STREAM_STRUCTS).map(|_| {
            let (bytes, len) = made_up_struct(client, clock, random);
            clock += len;
            (bytes, len)
        });
        Self { client, structs: structs.collect() }
    }
}

fn made_up(streams: &[Stream], random: &mut Random) -> Vec<u8> {
    if random.below(5) == 0 {
        let len = 1 + random.below(4) as u32;
        return deletion(1 + random.below(CLIENTS as usize) as u64, random.below(10) as u32, len);
    }
    let mut sections: Vec<(u64, u32, Vec<Vec<u8>>)> = Vec::new();
    for stream in streams.iter().rev().filter(|_| random.below(2) == 0).collect::<Vec<_>>() {
        let first = random.below(STREAM_STRUCTS);
        let count = 1 + random.below(3);
        let clock = stream.structs[..first].iter().map(|(_, len)| len).sum();
        let structs = stream.structs[first..].iter().take(count).map(|(bytes, len)| {
            // A hole in the middle, now and then.
            if random.below(8) == 0 { vec![10, *len as u8] } else { bytes.clone() }
        });
        let structs = structs.collect();
        sections.push((stream.client, clock, structs));
    }
    let sections: Vec<_> = sections.iter().map(|(client, clock, structs)| (*client, *clock, &structs[..])).collect();
    update(&sections)
}

fn made_up_struct(client: u64, clock: u32, random: &mut Random) -> (Vec<u8>, u32) {
    let element = |random: &mut Random| {
        let other = 1 + random.below(CLIENTS as usize) as u64;
        let bound = if other == client { clock } else { 8 };
        (bound > 0).then(|| (other, random.below(bound as usize) as u32))
    };
    let (content, len) = [("x", 1), ("yz", 2), ("😀", 2), ("a😁b", 4)][random.below(4)];
    let place = match (random.below(10), element(random), element(random)) {
        (0, ..) => return (nested_map(), 1),
        (1, ..) => return (vec![0, 2], 2),
        (6, Some((client, clock)), _) => return (map_at(Place::In(client, clock)), 1),
        (7, Some((client, clock)), _) => return (values(Place::AtKeyOf(client, clock), 1), 1),
        (8, Some((client, clock)), _) => return (values(Place::After(client, clock), 1), 1),
        (9, Some((client, clock)), _) => return (deleted(Place::After(client, clock), 2), 2),
        (2, Some((client, clock)), _) => Place::In(client, clock),
        (3, Some(left), Some(right)) => Place::Between(left, right),
        (4, Some((client, clock)), _) => Place::After(client, clock),
        _ => Place::Root,
    };
    (text(place, content), len)
}
