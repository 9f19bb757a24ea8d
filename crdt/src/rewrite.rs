//! Updates with some of their structs written anew.

use std::{borrow::Cow, collections::HashSet};

use synapti_protocol::{
    lib0::write_var_uint,
    update::{ContentKind, Id, Struct, StructKind, UpdateView, UpdateWriter},
};
use yrs::{BranchID, ID, ReadTxn, block::ClientID};

/// The update with what `write` makes of each struct, which must stand for as many elements.
pub(crate) fn rewrite<'a>(update: &UpdateView<'a>, write: impl Fn(u64, &Struct<'a>) -> Cow<'a, [u8]>) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    for section in update.sections() {
        let structs: Vec<_> = section.structs().map(|item| write(section.client, &item)).collect();
        writer.section(section.client, section.clock, section.struct_count, structs.iter().map(AsRef::as_ref));
    }
    let mut bytes = writer.finish();
    // An update without deletions ends in their number, zero.
    bytes.pop();
    bytes.extend_from_slice(update.delete_set_bytes());
    bytes
}

/// The update with every edit inside something that can hold none written as deleted, which is what Yjs takes it for.
/// yrs stops there, and loses what comes after.
pub(crate) fn bury_misplaced(update: &UpdateView<'_>, txn: &impl ReadTxn) -> Vec<u8> {
    let state = txn.state_vector();
    let own_types: HashSet<Id> = update
        .sections()
        .flat_map(|section| {
            let types = section.structs().filter(|item| item.kind == StructKind::Item(ContentKind::Type));
            types.map(move |item| Id { client: section.client, clock: item.clock })
        })
        .collect();
    let can_hold = |Id { client, clock }: Id| {
        let id = ID::new(ClientID::new(client), clock);
        if clock < state.get(&id.client) {
            BranchID::get_nested(txn, &id).is_some()
        } else {
            own_types.contains(&Id { client, clock })
        }
    };
    rewrite(update, |_, item| match item.parent {
        Some(parent) if !can_hold(parent) => {
            let mut gone = vec![INFO_GC];
            write_var_uint(&mut gone, item.len.into());
            Cow::Owned(gone)
        }
        _ => Cow::Borrowed(item.bytes),
    })
}

/// The update with each of these structs, named by its first element, written as deleted where it stands.
pub(crate) fn deleted(update: &UpdateView<'_>, structs: &[Id]) -> Vec<u8> {
    let named: HashSet<Id> = structs.iter().copied().collect();
    rewrite(update, |client, item| {
        if !named.contains(&Id { client, clock: item.clock }) {
            return Cow::Borrowed(item.bytes);
        }
        let mut gone = item.bytes[..item.bytes.len() - item.content.len()].to_vec();
        gone[0] = gone[0] & !CONTENT_MASK | ContentKind::Deleted as u8;
        write_var_uint(&mut gone, item.len.into());
        Cow::Owned(gone)
    })
}

/// The bits of an info byte that say what content follows.
const CONTENT_MASK: u8 = 0x1f;

/// The info byte of a struct of which only the length is left.
const INFO_GC: u8 = 0;
