//! Answers to state vectors, cut into slices.

use synapti_crdt::{AsideLimits, Op, Replica, Sender};
use synapti_protocol::update::{ContentKind, StructKind, UpdateView, scan, slices};
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, Transact, Update, WriteTxn};

/// One struct at a time, a few, and many.
const SLICE_BYTES: [usize; 4] = [1, 60, 300, 4_000];

/// What somebody has who asks, as parts of what there is.
const KNOWN_QUARTERS: [usize; 4] = [0, 1, 2, 3];

/// Checks the answers to people who have the first so many of these updates: slices of any size are as small as is
/// asked for, join on to each other at a replica and, if it can read the updates at all, at a bare yrs document, and
/// end where the whole answer ends. Answers how many slices there were.
pub fn check_slices(updates: &[impl AsRef<[u8]>], readable_by_yrs: bool) -> usize {
    let whole = loaded(updates);
    let mut count = 0;
    for quarters in KNOWN_QUARTERS {
        let base = loaded(&updates[..updates.len() * quarters / 4]);
        let answer = whole.diff(&base.state_vector()).unwrap();
        for bytes_max in SLICE_BYTES {
            let view = scan(&answer).unwrap();
            let slices = slices(&view, bytes_max);
            assert_sizes(&view, &slices, bytes_max);
            let receiver = taken_by_replica(&base, &slices);
            assert_eq!(receiver.digest(), whole.digest(), "{quarters} quarters, {bytes_max} bytes");
            assert_eq!(receiver.map(), whole.map());
            if readable_by_yrs {
                let (one, other) = (taken_by_yrs(&base, &slices), taken_by_yrs(&base, std::slice::from_ref(&answer)));
                assert_eq!(one.transact().snapshot(), other.transact().snapshot());
            }
            count += slices.len();
        }
    }
    count
}

fn assert_sizes(answer: &UpdateView<'_>, slices: &[Vec<u8>], bytes_max: usize) {
    let mut structs = 0;
    for (at, slice) in slices.iter().enumerate() {
        let view = scan(slice).unwrap();
        let is_last = at == slices.len() - 1;
        let has_attributes = view
            .sections()
            .any(|section| section.structs().any(|next| next.kind == StructKind::Item(ContentKind::Format)));
        let may_be_larger = view.struct_count() <= 1 || has_attributes;
        assert!(slice.len() <= bytes_max || may_be_larger, "{} bytes instead of {bytes_max}", slice.len());
        assert!(is_last || !has_attributes, "an attribute before the text that it is for");
        assert!(is_last || view.delete_set().next().is_none(), "a delete set before the end");
        assert!(is_last || view.struct_count() > 0, "nothing in a slice");
        structs += view.struct_count();
    }
    assert_eq!(structs, answer.struct_count());
    let last = scan(slices.last().unwrap()).unwrap();
    assert_eq!(last.delete_set_bytes(), answer.delete_set_bytes());
}

fn taken_by_replica(base: &Replica, slices: &[Vec<u8>]) -> Replica {
    let mut receiver = loaded(&[base.snapshot()]);
    for update in slices {
        let applied = receiver.apply([Op::Update { update, from: Sender(1) }], 0);
        assert!(applied.results[0].is_ok(), "{:?}", applied.results);
        assert_eq!(receiver.held_bytes(), 0, "something waits for a later slice");
    }
    receiver
}

fn taken_by_yrs(base: &Replica, slices: &[Vec<u8>]) -> Doc {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let base = base.snapshot();
    for update in [&base].into_iter().chain(slices) {
        let mut txn = doc.transact_mut();
        txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
        assert!(txn.prune_pending().is_none(), "something waits for a later slice");
    }
    doc
}

fn loaded(updates: &[impl AsRef<[u8]>]) -> Replica {
    Replica::load(77, AsideLimits::default(), updates.iter().map(AsRef::as_ref)).unwrap()
}
