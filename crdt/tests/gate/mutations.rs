//! Damaged and made-up updates: whatever is let in, the replica and its journal stay one.
//!
//! `FUZZ_ITERATIONS` and `FUZZ_SEED` steer the mutations, as in the protocol's own fuzz test.

#[path = "../../../protocol/tests/fuzz/mutate.rs"]
mod mutate;

use synapti_crdt::AsideLimits;

use self::mutate::Mutator;
use crate::support::{Place, Random, Watched, deletion, nested_map, text, update};
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

#[test]
fn damaged_updates_do_no_damage() {
    let seed = setting("FUZZ_SEED", SEED_DEFAULT);
    let inputs: Vec<Vec<u8>> = histories().into_iter().take(20).flat_map(|history| history.updates).collect();
    let mut mutator = Mutator::new(seed);
    let mut random = Random(seed);
    let mut accepted = 0;
    for _ in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) {
        let mut room = Watched::without_bare(AsideLimits { bytes_max: HELD_BYTES_MAX });
        for _ in 0..ROOM_UPDATES {
            let intact = random.below(2) == 0;
            let update = if intact { inputs[random.below(inputs.len())].clone() } else { mutator.mutation_of(&inputs) };
            accepted += u32::from(room.take(&update, 1 + random.below(3) as u64).is_ok());
        }
        finish(room);
    }
    assert!(accepted > 100, "only {accepted} updates were accepted");
}

/// Structs at random places over few clients and clocks, so that they meet: in circles, inside each other, overlapping.
/// Each client says one thing at one clock, as every client does that counts its clocks right.
#[test]
fn made_up_structs_do_no_damage() {
    let mut random = Random(setting("FUZZ_SEED", SEED_DEFAULT));
    let mut refused = 0;
    for _ in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) * 5 {
        let streams: Vec<Stream> = (1..=CLIENTS).map(|client| Stream::made_up(client, &mut random)).collect();
        let mut room = Watched::without_bare(AsideLimits { bytes_max: HELD_BYTES_MAX });
        for _ in 0..ROOM_UPDATES {
            let made_up = made_up(&streams, &mut random);
            refused += u32::from(room.take(&made_up, 1 + random.below(3) as u64).is_err());
        }
        finish(room);
    }
    assert!(refused > 50, "only {refused} updates were refused");
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
    let place = match (random.below(6), element(random), element(random)) {
        (0, ..) => return (nested_map(), 1),
        (1, ..) => return (vec![0, 2], 2),
        (2, Some((client, clock)), _) => Place::In(client, clock),
        (3, Some(left), Some(right)) => Place::Between(left, right),
        (4, Some((client, clock)), _) => Place::After(client, clock),
        _ => Place::Root,
    };
    (text(place, content), len)
}
