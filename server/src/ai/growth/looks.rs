//! What an answer says of a node besides its texts, as far as it can be believed.

use serde_json::Value;
use synapti_crdt::map::{Looks, color};

use crate::ai::reader::clean;

/// Characters of a relationship that are kept.
const RELATIONSHIP_CHARS_MAX: usize = 100;

/// How large a node is that is not important at all, and how much more one that is most important.
const SIZE: (f64, f64) = (0.8, 0.6);

/// Importance of a node that says nothing of it, in hundredths.
const IMPORTANCE_DEFAULT: u8 = 50;

/// Values that count; all others are ignored.
#[derive(Debug, Default)]
pub(super) struct Values {
    category: Option<&'static str>,
    importance: Option<f64>,
    expandable: Option<bool>,
    relationship: Option<String>,
    strength: Option<f64>,
}

impl Values {
    pub(super) fn note(&mut self, name: &str, value: &Value) {
        match name {
            "category" => self.category = value.as_str().map(color::category_color),
            "importance" => self.importance = share(value),
            "expandable" => self.expandable = value.as_bool(),
            "relationship" => {
                let relationship = value.as_str().map(|text| clean(text, RELATIONSHIP_CHARS_MAX));
                self.relationship = relationship.filter(|text| !text.is_empty());
            }
            "strength" => self.strength = share(value),
            _ => {}
        }
    }

    pub(super) fn looks(&self) -> Looks {
        Looks {
            color: self.category.map(str::to_owned),
            size: self.importance.map(|importance| ((SIZE.0 + SIZE.1 * importance) * 100.0).round() / 100.0),
            expandable: self.expandable.filter(|expandable| !expandable),
            relationship: self.relationship.clone(),
            strength: self.strength.map(|strength| (strength * 100.0).round() / 100.0),
        }
    }

    pub(super) fn importance(&self) -> u8 {
        self.importance.map_or(IMPORTANCE_DEFAULT, |importance| (importance * 100.0).round() as u8)
    }
}

/// A number from 0 to 1, also when a model writes it as text or in percent.
fn share(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().trim_end_matches('%').parse().ok())?;
    let share = if number > 1.0 && number <= 100.0 { number / 100.0 } else { number };
    (0.0..=1.0).contains(&share).then_some(share)
}
