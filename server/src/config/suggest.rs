//! The known name that somebody probably meant.

/// The candidate nearest to `name`, unless even that one is far.
pub fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let far = (name.len() / 3).max(2) + 1;
    candidates
        .map(|candidate| (edit_distance(name, &candidate), candidate))
        .filter(|(distance, _)| *distance < far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements of one byte that turn one name into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_forgotten_sections_but_nothing_far() {
        let known = || ["limits.max_connections", "limits.message_bytes_max", "listen"].map(String::from).into_iter();
        assert_eq!(nearest("limits.max_conections", known()).as_deref(), Some("limits.max_connections"));
        assert_eq!(nearest("max_connections", known()), None);
        assert_eq!(
            nearest("SYNAPTI_MAX_CONNECTIONS", ["SYNAPTI_LIMITS_MAX_CONNECTIONS".into()].into_iter()).as_deref(),
            Some("SYNAPTI_LIMITS_MAX_CONNECTIONS")
        );
        assert_eq!(nearest("lisen", known()).as_deref(), Some("listen"));
        assert_eq!(nearest("colour", known()), None);
    }

    #[test]
    fn edit_distance_of_known_pairs() {
        for (a, b, distance) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("abc", "acb", 2)] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }
}
