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
        let mut room = Watched::with_limits(AsideLimits { bytes_max: 4_000 });
        for _ in 0..ROOM_UPDATES {
            let intact = random.below(2) == 0;
            let update = if intact { inputs[random.below(inputs.len())].clone() } else { mutator.mutation_of(&inputs) };
            accepted += u32::from(room.take(&update, random.below(3) as u64).is_ok());
        }
        finish(room);
    }
    assert!(accepted > 1_000, "only {accepted} updates were accepted");
}

/// Structs at random places over few clients and clocks, so that they meet: in circles, inside each other, overlapping.
#[test]
fn made_up_structs_do_no_damage() {
    let seed = setting("FUZZ_SEED", SEED_DEFAULT);
    let mut random = Random(seed);
    let mut refused = 0;
    for room in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) * 5 {
        eprintln!("room {room}");
        let mut room = Watched::with_limits(AsideLimits { bytes_max: 4_000 });
        for _ in 0..ROOM_UPDATES {
            let made_up = made_up(&mut random);
            eprintln!("{}", crate::support::hex(&made_up));
            refused += u32::from(room.take(&made_up, random.below(3) as u64).is_err());
        }
        finish(room);
    }
    assert!(refused > 100, "only {refused} updates were refused");
}

fn finish(mut room: Watched) {
    assert!(room.replica.held_bytes() <= 4_000);
    room.replica.expire_held(u64::MAX).for_each(drop);
    assert_eq!(room.replica.held_bytes(), 0);
    room.check_reloads();
}

const CLIENTS: u64 = 3;

fn made_up(random: &mut Random) -> Vec<u8> {
    if random.below(5) == 0 {
        let len = 1 + random.below(4) as u32;
        return deletion(1 + random.below(CLIENTS as usize) as u64, random.below(10) as u32, len);
    }
    let sections: Vec<(u64, u32, Vec<Vec<u8>>)> = (1..=CLIENTS)
        .rev()
        .filter_map(|client| {
            let mut structs = Vec::new();
            let start = random.below(6) as u32;
            let mut clock = start;
            for _ in 0..random.below(4) {
                let (bytes, len) = made_up_struct(client, clock, random);
                structs.push(bytes);
                clock += len;
            }
            (!structs.is_empty()).then_some((client, start, structs))
        })
        .collect();
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
