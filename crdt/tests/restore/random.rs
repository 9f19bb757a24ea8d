//! Random histories: whatever came after a state, it can be restored.

use proptest::prelude::*;
use synapti_crdt::{Op, Restorable, Sender};

use crate::{
    authors::{Author, history},
    show::show,
    support::{Random, apply, check_restore, follow, load, restore},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_state_comes_back(seed in any::<u64>(), steps in 1usize..80) {
        let mut random = Random(seed);
        let log = history(&mut random, steps);
        let middle = random.below(steps + 1);
        let (mut replica, older) = (load(&log), load(&log[..middle]).snapshot());
        let newest = replica.snapshot();
        let published = check_restore(&mut replica, &older, "older");
        prop_assert_eq!(published.is_some(), show(&newest) != show(&older));
        // And forward again, over what the restoring has brought.
        check_restore(&mut replica, &newest, "newest");
        check_restore(&mut replica, &older, "older again");
    }

    #[test]
    fn everybody_converges_in_any_order(seed in any::<u64>(), steps in 1usize..40) {
        let mut random = Random(seed);
        let mut log = history(&mut random, steps);
        let older = load(&log[..random.below(steps + 1)]).snapshot();
        let mut replica = load(&log);
        // Somebody who has not heard of the restoring goes on.
        let mut elsewhere = Author::new(21);
        elsewhere.catch_up(&log);
        let meanwhile: Vec<_> = (0..6).map(|_| elsewhere.edit(&mut random)).collect();
        log.extend(restore(&mut replica, &older));
        for update in &meanwhile {
            apply(&mut replica, update);
        }
        log.extend(meanwhile);
        for _ in 0..3 {
            random.shuffle(&mut log);
            let other = load(&log);
            prop_assert_eq!(other.held_bytes(), 0);
            prop_assert_eq!(other.digest(), replica.digest());
            prop_assert_eq!(show(&other.snapshot()), show(&replica.snapshot()));
        }
        check_restore(&mut replica, &older, "after edits that the restoring had not seen");
    }

    /// As a busy room does: edits before and after it in one batch.
    #[test]
    fn in_one_batch_with_other_edits(seed in any::<u64>(), steps in 4usize..40) {
        let mut random = Random(seed);
        let log = history(&mut random, steps);
        let (middle, late) = (steps / 2, steps - 2);
        let older = load(&log[..random.below(middle)]).snapshot();
        let mut one_by_one = load(&log[..late]);
        restore(&mut one_by_one, &older);
        for update in &log[late..] {
            apply(&mut one_by_one, update);
        }
        let mut batched = load(&log[..middle]);
        let restorable = Restorable::read(&older).unwrap();
        let op = |update| Op::Update { update, from: Sender(1) };
        let updates: Vec<_> = log.iter().map(Vec::as_slice).collect();
        let ops = updates[middle..late].iter().copied().map(op);
        let ops = ops.chain([Op::Restore(&restorable)]).chain(updates[late..].iter().copied().map(op));
        let applied = batched.apply(ops, 0);
        prop_assert!(applied.results.iter().all(Result::is_ok));
        prop_assert_eq!(show(&batched.snapshot()), show(&one_by_one.snapshot()));
        let mut follower = follow(&log[..middle]);
        // Nothing may be left to do: an update that came twice, a state that is already there.
        if let Some(update) = &applied.update {
            apply(&mut follower, update);
        }
        prop_assert_eq!(follower.digest(), batched.digest());
    }
}
