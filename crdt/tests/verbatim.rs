//! Values that yrs would alter leave the document as their author wrote them.

#![expect(clippy::unwrap_used, reason = "a fixed update that cannot be read fails the test")]

use synapti_crdt::{AsideLimits, Op, Replica, Sender};

/// By npm's yjs 13.6.33, client 7: objects whose keys are not sorted in a map, as elements between others of an array
/// of which the first was deleted, as an embed and as a format; a big integer; -0; a subdocument with `meta`.
const VALUES: &str = "010a07002801016d016f017603017a7d0101617602017175027a00000000000000057d4001627d02016d7d0305010174137b227a223a312c2261\
223a322c226d223a337d860701046c696e6b137b227a223a312c2261223a322c226d223a337d8407020178860703046c696e6b046e756c6c01010161018807\
05017602017a7d0101617d02880706027d05760301797d0101787d0201777d03c8070607070177036d6964290101730373756201677602086175746f4c6f61\
6478046d6574617602057469746c65770141017a7d010107010501";

/// The same client, map key `n`: the big integers 1 and 2, both as the element with clock 0.
const ONE: &str = "010107002801016d016e017a000000000000000100";
const ANOTHER: &str = "010107002801016d016e017a000000000000000200";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn apply(replica: &mut Replica, update: &[u8]) -> Option<Vec<u8>> {
    let applied = replica.apply([Op::Update { update, from: Sender(1) }], 0);
    assert!(applied.results[0].is_ok(), "{:?}", applied.results);
    applied.update
}

#[test]
fn values_are_written_as_they_were_read() {
    let update = bytes(VALUES);
    let mut replica = Replica::new(9, AsideLimits::default());
    let published = apply(&mut replica, &update).unwrap();
    assert_eq!(replica.snapshot(), update);
    assert_eq!(replica.diff(&[0]).unwrap(), update);
    let replayed = Replica::load(10, AsideLimits::default(), [published.as_slice()]).unwrap();
    assert_eq!(replayed.snapshot(), update);
}

#[test]
fn the_first_value_of_an_element_stays() {
    let mut replica = Replica::new(9, AsideLimits::default());
    apply(&mut replica, &bytes(ONE));
    assert_eq!(apply(&mut replica, &bytes(ANOTHER)), None);
    assert_eq!(replica.snapshot(), bytes(ONE));
}
