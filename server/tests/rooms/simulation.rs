//! A room, its disk and three people, in any order of events and with crashes at any moment.
//!
//! What is checked after every step: nothing is shown that is not on disk. After every crash: what anybody was
//! shown is still there. At the end: everybody has what the disk has.

mod person;
mod world;

use proptest::prelude::*;

use world::World;

const PEOPLE: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody edits their own copy, in the room or not.
    Edit(usize),
    /// Somebody removes the first node that they see.
    Remove(usize),
    /// An edit comes through the API.
    ApiEdit,
    Join(usize),
    Leave(usize),
    /// Somebody asks for the state.
    Ask(usize),
    /// Somebody takes in what the feed has for them, or one diff if they fell off it.
    Listen(usize),
    Presence(usize),
    /// The commit in flight reaches the disk.
    Commit,
    /// The room takes what has gathered.
    Integrate,
    /// The store falls behind, or is in order again.
    Behind(bool),
    /// The process dies, and the room is opened again from the disk.
    Crash,
    Tick,
}

fn any_step() -> impl Strategy<Value = Step> {
    let person = || 0..PEOPLE;
    prop_oneof![
        8 => person().prop_map(Step::Edit),
        2 => person().prop_map(Step::Remove),
        2 => Just(Step::ApiEdit),
        3 => person().prop_map(Step::Join),
        1 => person().prop_map(Step::Leave),
        2 => person().prop_map(Step::Ask),
        5 => person().prop_map(Step::Listen),
        2 => person().prop_map(Step::Presence),
        6 => Just(Step::Commit),
        6 => Just(Step::Integrate),
        1 => Just(Step::Crash),
        2 => any::<bool>().prop_map(Step::Behind),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_unsaved_is_shown_as_saved_and_nothing_shown_as_saved_is_lost(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut world = World::new(PEOPLE);
        for step in steps {
            world.perform(step);
        }
        world.come_to_rest();
        world.assert_everybody_has_what_the_disk_has();
    }
}
