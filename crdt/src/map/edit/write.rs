//! Single values, written only when they differ.

use yrs::{Any, Map, MapRef, Number, TransactionMut};

/// Sets `key` unless it has that value already.
pub(in crate::map) fn set(txn: &mut TransactionMut<'_>, map: &MapRef, key: &str, value: impl Into<Any>) {
    map.try_update(txn, key, value);
}

/// Sets or clears `key`.
pub(super) fn set_or_clear(txn: &mut TransactionMut<'_>, map: &MapRef, key: &str, value: Option<impl Into<Any>>) {
    match value {
        Some(value) => set(txn, map, key, value),
        None => {
            if map.contains_key(txn, key) {
                map.remove(txn, key);
            }
        }
    }
}

/// A parent as it is stored.
pub(super) fn parent(id: Option<&str>) -> Any {
    id.map_or(Any::Null, Any::from)
}

/// A place as one value, so that two people who drag a node do not end up with a mixture of theirs.
pub(super) fn pos(pos: [f64; 3]) -> Any {
    Any::Array(pos.map(number).into())
}

/// A number as JavaScript would write it: whole ones as integers, which are also shorter.
pub(in crate::map) fn number(value: f64) -> Any {
    let whole = value.fract() == 0.0 && value.abs() <= f64::from(i32::MAX);
    Any::Number(if whole { Number::Int(value as i64) } else { Number::Float(value) })
}
