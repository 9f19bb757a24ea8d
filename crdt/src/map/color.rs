//! Colours and sizes that nodes have when nobody chose one.

/// The root's colour.
pub const ROOT_COLOR: &str = "#8B5CF6";
/// The colour of what belongs to no category, floating topics among it.
pub const GENERAL_COLOR: &str = "#6B7280";
/// The root's size.
pub const ROOT_SIZE: f64 = 1.5;
/// A child's size as a share of its parent's.
const CHILD_SIZE_SHARE: f64 = 0.8;
/// No automatic size is smaller.
pub const SIZE_MIN: f64 = 0.6;
/// How far towards white a child's tone goes.
const LIGHTER_PERCENT: u32 = 25;
/// A tone whose brightness (mean of its strongest and weakest channel) has reached this is not made lighter: deep
/// branches stay visible on a white page.
const BRIGHTNESS_MAX: u32 = 215;

/// The colour of a category that the AI names; unknown ones are general.
pub fn category_color(category: &str) -> &'static str {
    match category {
        "concept" => "#3B82F6",
        "application" => "#10B981",
        "theory" => "#8B5CF6",
        "method" => "#F59E0B",
        "tool" => "#EF4444",
        _ => GENERAL_COLOR,
    }
}

/// A lighter tone of `color`; anything that is no `#RRGGBB` counts as general.
pub fn lighter(color: &str) -> String {
    let channels = parse(color).or_else(|| parse(GENERAL_COLOR)).unwrap_or([0; 3]);
    let strongest = channels.into_iter().max().unwrap_or(0);
    let weakest = channels.into_iter().min().unwrap_or(0);
    let [red, green, blue] = if u32::midpoint(strongest, weakest) >= BRIGHTNESS_MAX {
        channels
    } else {
        channels.map(|channel| channel + (255 - channel) * LIGHTER_PERCENT / 100)
    };
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The size of a child whose parent has this size, rounded to three decimals.
pub fn child_size(parent_size: f64) -> f64 {
    let size = (parent_size * CHILD_SIZE_SHARE).max(SIZE_MIN);
    if size < 1e9 { (size * 1000.0).round() / 1000.0 } else { size }
}

/// Whether `color` is written `#RRGGBB`.
pub fn is_hex_color(color: &str) -> bool {
    parse(color).is_some()
}

fn parse(color: &str) -> Option<[u32; 3]> {
    let digits = color.strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let channel = |at: usize| u32::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_six_hex_digits_make_a_colour() {
        assert!(is_hex_color("#8B5CF6") && is_hex_color("#8b5cf6"));
        for other in ["", "#", "8B5CF6", "#8B5CF", "#8B5CF67", "#8B5CFG", "#+B5CF6", "#éé5C", "red"] {
            assert!(!is_hex_color(other), "{other}");
        }
    }

    #[test]
    fn children_are_lighter_but_never_fade_into_white() {
        assert_eq!(lighter(ROOT_COLOR), "#A884F8");
        assert_eq!(lighter("nonsense"), lighter(GENERAL_COLOR));
        let mut tone = "#000000".to_owned();
        for _ in 0..100 {
            tone = lighter(&tone);
        }
        assert_eq!(tone, lighter(&tone), "it settles");
        assert!(parse(&tone).unwrap().iter().all(|&channel| channel < 240));
    }

    #[test]
    fn children_shrink_to_a_floor() {
        let mut sizes = vec![ROOT_SIZE];
        for _ in 0..6 {
            sizes.push(child_size(*sizes.last().unwrap()));
        }
        assert_eq!(sizes, [1.5, 1.2, 0.96, 0.768, 0.614, 0.6, 0.6]);
    }
}
