//! Changes a text by its smallest differing middle.

use yrs::{Any, GetString, Map, MapRef, Out, ReadTxn, Text, TextPrelim, TextRef, TransactionMut};

/// Makes the text under `key` read `new`, keeping what others type into its unchanged parts.
///
/// A plain string is replaced by a `Y.Text`. So is a text that holds more than characters: there, offsets do not
/// follow from what it reads.
pub(super) fn set_text(txn: &mut TransactionMut<'_>, node: &MapRef, key: &str, new: &str) {
    match node.get(txn, key) {
        Some(Out::YText(text)) if is_plain(txn, &text) => {
            let old = text.get_string(txn);
            replace_middle(txn, &text, &old, new);
        }
        Some(Out::YText(text)) if text.get_string(txn) == new => {}
        Some(Out::Any(Any::String(old))) if old.as_ref() == new => {}
        _ => {
            node.insert(txn, key, TextPrelim::new(new));
        }
    }
}

/// Whether a text holds nothing but characters.
pub(in crate::map) fn is_plain<T: ReadTxn>(txn: &T, text: &TextRef) -> bool {
    utf16_len(&text.get_string(txn)) == text.len(txn)
}

fn replace_middle(txn: &mut TransactionMut<'_>, text: &TextRef, old: &str, new: &str) {
    let prefix = shared_prefix(old, new);
    let suffix = shared_suffix(&old[prefix..], &new[prefix..]);
    let at = utf16_len(&old[..prefix]);
    let removed = utf16_len(&old[prefix..old.len() - suffix]);
    let added = &new[prefix..new.len() - suffix];
    if removed > 0 {
        text.remove_range(txn, at, removed);
    }
    if !added.is_empty() {
        text.insert(txn, at, added);
    }
}

/// Length in bytes of the longest common beginning, in whole characters: a surrogate pair is never split.
fn shared_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

fn shared_suffix(a: &str, b: &str) -> usize {
    a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

/// Length as JavaScript counts it.
pub(in crate::map) fn utf16_len(text: &str) -> u32 {
    text.chars().map(|c| c.len_utf16() as u32).sum()
}
