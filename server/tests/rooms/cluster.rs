//! Several nodes, several maps, people who edit and move, one store, and a bus that loses, repeats and reorders: any order of
//! events, and everything fails at some time. In the end everybody has the same, within five seconds, and nothing that was
//! acknowledged is missing. Of three histories one has no bus, and one nobody who looks into the store.
//!
//! `CLUSTER_SEEDS` histories are played, from `CLUSTER_SEED` on; a failure names its seed.

mod node;
mod person;
mod repair;
mod world;

use std::env;

use world::World;

const SEEDS: u64 = 500;
const STEPS: usize = 160;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn all_nodes_and_people_end_with_the_same_maps() {
    let (first, seeds) = (number("CLUSTER_SEED", 1), number("CLUSTER_SEEDS", SEEDS));
    let mut repairs = 0;
    for seed in first..first + seeds {
        let played = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..STEPS {
                world.step();
            }
            world.come_to_rest();
            world.assert_all_is_well();
            world.repairs
        });
        repairs += played.unwrap_or_else(|_| panic!("play it again with CLUSTER_SEED={seed} CLUSTER_SEEDS=1"));
    }
    assert!(seeds < 100 || repairs > seeds, "the bus loses too little for this to prove anything: {repairs} repairs");
}
