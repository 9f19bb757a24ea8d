use proptest::prelude::*;

use super::*;

#[test]
fn keys_are_those_of_the_published_scheme() {
    // The first 22 are from the scheme's own test suite (rocicorp/fractional-indexing, CC0).
    let cases: [(Option<&str>, Option<&str>, &str); 27] = [
        (None, None, "a0"),
        (None, Some("a0"), "Zz"),
        (None, Some("Zz"), "Zy"),
        (Some("a0"), None, "a1"),
        (Some("a1"), None, "a2"),
        (Some("a0"), Some("a1"), "a0V"),
        (Some("a1"), Some("a2"), "a1V"),
        (Some("a0V"), Some("a1"), "a0l"),
        (Some("Zz"), Some("a0"), "ZzV"),
        (Some("Zz"), Some("a1"), "a0"),
        (None, Some("Y00"), "Xzzz"),
        (Some("bzz"), None, "c000"),
        (Some("a0"), Some("a0V"), "a0G"),
        (Some("a0"), Some("a0G"), "a08"),
        (Some("b125"), Some("b129"), "b127"),
        (Some("a0"), Some("a1V"), "a1"),
        (Some("Zz"), Some("a01"), "a0"),
        (None, Some("a0V"), "a0"),
        (None, Some("b999"), "b99"),
        (None, Some("A000000000000000000000000001"), "A000000000000000000000000000V"),
        (Some("zzzzzzzzzzzzzzzzzzzzzzzzzzy"), None, "zzzzzzzzzzzzzzzzzzzzzzzzzzz"),
        (Some("zzzzzzzzzzzzzzzzzzzzzzzzzzz"), None, "zzzzzzzzzzzzzzzzzzzzzzzzzzzV"),
        (Some("a0V"), Some("a0W"), "a0VV"),
        (Some("a0z"), Some("a1"), "a0zV"),
        (Some("a0"), Some("a01"), "a00V"),
        (Some("a0"), Some("a001"), "a000V"),
        (Some("Zzz"), Some("a0"), "ZzzV"),
    ];
    for (lower, upper, expected) in cases {
        assert_eq!(between(lower, upper), expected, "{lower:?} {upper:?}");
    }
}

#[test]
fn ten_thousand_siblings_have_short_keys_at_either_end() {
    let appended = n_between(None, None, 10_000);
    assert!(appended.is_sorted_by(|a, b| a < b));
    assert!(appended.iter().all(|key| key.len() <= 4));
    let prepended = n_between(None, Some("a0"), 10_000);
    assert!(prepended.is_sorted_by(|a, b| a < b));
    assert!(prepended.iter().all(|key| key.len() <= 4));
    let spread = n_between(Some("a0"), Some("a1"), 10_000);
    assert!(spread.is_sorted_by(|a, b| a < b));
    assert!(spread.iter().all(|key| key.len() <= 6), "{:?}", spread.iter().max_by_key(|k| k.len()));
}

#[test]
fn inserting_at_one_spot_grows_keys_by_a_digit_in_five_steps() {
    let mut upper = "a1".to_owned();
    for _ in 0..1000 {
        upper = between(Some("a0"), Some(&upper));
    }
    assert!(upper.len() <= 2 + 1000 / 5 + 1, "{}", upper.len());
}

#[test]
fn appending_after_foreign_orders_goes_over_to_short_keys() {
    for foreign in ["", "1", "0", "10", "Zz0", "~", "é", "a", "zebra", "a00", "\u{10FFFF}"] {
        let mut last = foreign.to_owned();
        for _ in 0..1000 {
            let next = between(Some(&last), None);
            assert!(next > last, "{last:?} {next:?}");
            last = next;
        }
        let growth = last.len().saturating_sub(foreign.len());
        assert!(growth <= 1000 / 5 + 2, "{foreign:?} grew to {}", last.len());
    }
}

#[test]
fn bounds_that_leave_no_room_give_a_key_above_the_lower() {
    for (lower, upper) in [("a1", "a1"), ("a2", "a1"), ("x", "x0"), ("x", "x\0"), ("q~", "q~")] {
        assert_eq!(try_between(Some(lower), Some(upper)), None, "{lower:?} {upper:?}");
        assert!(between(Some(lower), Some(upper)).as_str() > lower);
        assert_eq!(n_between(Some(lower), Some(upper), 3).len(), 3);
    }
    assert_eq!(try_between(None, Some("")), None);
    assert_eq!(between(None, Some("")), "a0");
}

#[test]
fn a_long_run_of_last_digits_needs_no_recursion() {
    let long = format!("a0{}", "z".repeat(1_000_000));
    let next = between(Some(&long), Some("a1"));
    assert!(next > long && next.as_str() < "a1");
}

fn any_key() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<u16>(), 1..40).prop_map(|steps| {
        let mut keys: Vec<String> = Vec::new();
        for step in steps {
            let at = usize::from(step) % (keys.len() + 1);
            let lower = at.checked_sub(1).map(|index| keys[index].clone());
            let upper = keys.get(at).cloned();
            keys.insert(at, between(lower.as_deref(), upper.as_deref()));
        }
        keys.swap_remove(keys.len() / 2)
    })
}

proptest! {
    #[test]
    fn keys_stay_strictly_ordered_wherever_they_are_inserted(
        steps in proptest::collection::vec((any::<u16>(), 1..4_usize), 1..120)
    ) {
        let mut keys: Vec<String> = Vec::new();
        for (step, count) in steps {
            let at = usize::from(step) % (keys.len() + 1);
            let lower = at.checked_sub(1).map(|index| keys[index].clone());
            let upper = keys.get(at).cloned();
            let new = n_between(lower.as_deref(), upper.as_deref(), count);
            prop_assert_eq!(new.len(), count);
            keys.splice(at..at, new);
            prop_assert!(keys.is_sorted_by(|a, b| a < b), "{:?}", keys);
        }
        for key in keys {
            prop_assert!(is_key(&key), "{}", key);
        }
    }

    #[test]
    fn any_strings_are_honoured_as_bounds(lower in ".{0,6}", upper in ".{0,6}") {
        if let Some(key) = try_between(Some(&lower), Some(&upper)) {
            prop_assert!(lower < key && key < upper, "{:?} {:?} {:?}", lower, key, upper);
        }
        prop_assert!(between(Some(&lower), Some(&upper)) > lower);
        prop_assert!(between(Some(&lower), None) > lower);
    }

    #[test]
    fn digits_as_bounds_leave_room_unless_the_upper_only_adds_zeros(
        lower in "[0-9A-Za-z]{0,4}", upper in "[0-9A-Za-z]{1,5}"
    ) {
        let only_zeros = upper.strip_prefix(lower.as_str()).is_some_and(|rest| rest.bytes().all(|b| b == b'0'));
        if lower < upper && !only_zeros {
            let key = try_between(Some(&lower), Some(&upper));
            prop_assert!(key.is_some(), "{:?} {:?}", lower, upper);
            // What was made leaves room on both sides again.
            prop_assert!(try_between(Some(&lower), key.as_deref()).is_some());
            prop_assert!(try_between(key.as_deref(), Some(&upper)).is_some());
        }
    }

    #[test]
    fn a_key_made_anywhere_is_well_formed(key in any_key()) {
        prop_assert!(is_key(&key));
    }
}
