//! Values of the types that fields must have; anything else is a problem at its place.

use super::loose::Loose;
use crate::map::{
    Proposed, Source,
    color::is_hex_color,
    import::{ID_BYTES_MAX, Problems},
    projection::Given,
};

/// Numbers beyond this are not whole numbers in every program.
const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// Reads the fields of one row.
pub(super) struct Fields<'a> {
    /// Where it is, as `nodes[3]`; empty for the file itself.
    pub place: &'a str,
    pub problems: &'a mut Problems,
}

impl Fields<'_> {
    pub fn problem(&mut self, field: &str, message: impl Into<String>) {
        let place = match (self.place, field) {
            ("", field) => field.to_owned(),
            (place, "") => place.to_owned(),
            (place, field) => format!("{place}.{field}"),
        };
        self.problems.add(place, message);
    }

    /// Text, absent or null.
    pub fn text(&mut self, field: &str, value: Loose) -> Option<String> {
        match value {
            Loose::Text(text) => Some(text),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong(field, "must be text"),
        }
    }

    /// An id of a node or an edge, absent or null. Whole numbers are ids, too.
    pub fn id(&mut self, field: &str, value: Loose) -> Option<String> {
        let id = match value {
            Loose::Number(number) if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER_MAX => {
                (number as i64).to_string()
            }
            Loose::Text(text) => text,
            Loose::Absent | Loose::Null => return None,
            _ => return self.wrong(field, "must be text"),
        };
        if (1..=ID_BYTES_MAX).contains(&id.len()) {
            return Some(id);
        }
        self.wrong(field, &format!("must have 1 to {ID_BYTES_MAX} bytes"))
    }

    /// An id that must be there.
    pub fn needed_id(&mut self, field: &str, value: Loose) -> Option<String> {
        if matches!(value, Loose::Absent | Loose::Null) {
            return self.wrong(field, "is missing");
        }
        self.id(field, value)
    }

    pub fn boolean(&mut self, field: &str, value: &Loose) -> Option<bool> {
        match value {
            Loose::Bool(value) => Some(*value),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong(field, "must be true or false"),
        }
    }

    pub fn color(&mut self, value: Loose) -> Option<String> {
        let color = self.text("color", value)?;
        if is_hex_color(&color) { Some(color) } else { self.wrong("color", "must be written #RRGGBB") }
    }

    pub fn size(&mut self, value: &Loose) -> Option<f64> {
        match value {
            Loose::Number(size) if *size > 0.0 => Some(*size),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong("size", "must be a number above 0"),
        }
    }

    pub fn seconds(&mut self, field: &str, value: &Loose) -> Option<f64> {
        match value {
            Loose::Number(seconds) if *seconds >= 0.0 => Some(*seconds),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong(field, "must be a number of seconds"),
        }
    }

    pub fn strength(&mut self, value: &Loose) -> Option<f64> {
        match value {
            Loose::Number(strength) if (0.0..=1.0).contains(strength) => Some(*strength),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong("strength", "must be a number from 0 to 1"),
        }
    }

    /// A place as `{"x", "y", "z"}` or as a list; without `z` it is on the page.
    pub fn position(&mut self, value: &Loose) -> Option<[f64; 3]> {
        let axis = |value: Option<&Loose>| match value {
            Some(Loose::Number(number)) => Some(*number),
            _ => None,
        };
        let depth = |value: Option<&Loose>| match value {
            None | Some(Loose::Absent | Loose::Null) => Some(0.0),
            value => axis(value),
        };
        let read = match value {
            Loose::Absent | Loose::Null => return None,
            Loose::Point(point) => axis(point.first()).zip(axis(point.get(1))).zip(depth(point.get(2))),
            Loose::List(list) if list.len() <= 3 => axis(list.first()).zip(axis(list.get(1))).zip(depth(list.get(2))),
            _ => None,
        };
        let Some(((x, y), z)) = read else {
            return self.wrong("position", "must be {\"x\": …, \"y\": …, \"z\": …} with numbers");
        };
        Some([x, y, z])
    }

    pub fn source(&mut self, value: Loose) -> Option<Source> {
        let word = self.text("source", value)?;
        Source::from_word(&word).or_else(|| self.wrong("source", "must be human, ai, template or import"))
    }

    pub fn state(&mut self, value: Loose) -> Option<Proposed> {
        let word = self.text("state", value)?;
        if word == Proposed::WORD { Some(Proposed) } else { self.wrong("state", "must be proposed, or absent") }
    }

    /// Which values the node says itself; `None` in files that do not tell.
    pub fn given(&mut self, value: Loose) -> Option<Vec<Given>> {
        let words = self.list("given", value, "position, color and size")?;
        let read = words.iter().map(|word| match word {
            Loose::Text(word) => Given::from_word(word),
            _ => None,
        });
        let read: Option<Vec<Given>> = read.collect();
        read.or_else(|| self.wrong("given", "must be a list of position, color and size"))
    }

    /// Ids of neighbours.
    pub fn connections(&mut self, value: Loose) -> Vec<String> {
        let mut ids = Vec::new();
        for id in self.list("connections", value, "ids").unwrap_or_default() {
            ids.extend(self.needed_id("connections", id));
        }
        ids
    }

    fn list(&mut self, field: &str, value: Loose, of: &str) -> Option<Vec<Loose>> {
        match value {
            Loose::List(list) => Some(list),
            Loose::Absent | Loose::Null => None,
            _ => self.wrong(field, &format!("must be a list of {of}")),
        }
    }

    fn wrong<T>(&mut self, field: &str, message: &str) -> Option<T> {
        self.problem(field, message);
        None
    }
}
