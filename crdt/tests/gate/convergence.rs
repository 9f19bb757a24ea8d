//! Concurrent edits of several people, delivered in any order, twice, in parts and merged with holes.

use proptest::prelude::*;
use proptest::sample::Index;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, Out, ReadTxn, StateVector, Text,
    TextPrelim, Transact, TransactionMut, Update, merge_updates_v1,
};

use crate::sliced::check_slices;
use crate::support::{Random, Watched};

const AUTHORS: usize = 3;
const WORDS: [&str; 5] = ["a", "bc", "Zürich", "女の子", "😀x"];

/// What the authors do.
#[derive(Debug, Clone)]
enum Step {
    /// One transaction of one author: its kind, a place and a word.
    Edit(usize, u8, Index, Index),
    /// The second hears all that the first knows.
    Hear(usize, usize),
    /// The first sends all that it knows and the second did not know, as an answer to a state vector would.
    Send(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let author = 0..AUTHORS;
    prop_oneof![
        5 => (author.clone(), any::<u8>(), any::<Index>(), any::<Index>())
            .prop_map(|(author, kind, at, word)| Step::Edit(author, kind, at, word)),
        2 => (author.clone(), 0..AUTHORS).prop_map(|(from, to)| Step::Hear(from, to)),
        1 => (author, 0..AUTHORS).prop_map(|(from, to)| Step::Send(from, to)),
    ]
}

/// The updates that the authors send, in the order in which they were made.
fn play(steps: &[Step]) -> Vec<Vec<u8>> {
    let authors: Vec<Doc> = (1..=AUTHORS as u64).map(author).collect();
    let diff = |from: usize, to: usize| {
        let known = authors[to].transact().state_vector();
        authors[from].transact().encode_diff_v1(&known)
    };
    let mut updates = Vec::new();
    for step in steps {
        match step {
            Step::Edit(author, kind, at, word) => {
                let mut txn = authors[*author].transact_mut();
                edit(&mut txn, *kind, *at, WORDS[word.index(WORDS.len())]);
                txn.commit();
                updates.push(txn.encode_update_v1());
            }
            Step::Hear(from, to) if from != to => {
                let update = diff(*from, *to);
                authors[*to].transact_mut().apply_update(Update::decode_v1(&update).unwrap()).unwrap();
            }
            Step::Send(from, to) if from != to => updates.push(diff(*from, *to)),
            Step::Hear(..) | Step::Send(..) => {}
        }
    }
    updates
}

fn author(client_id: u64) -> Doc {
    let doc = Doc::with_options(Options {
        client_id: ClientID::new(client_id),
        offset_kind: OffsetKind::Utf16,
        ..Options::default()
    });
    declare_roots(&doc);
    doc
}

fn declare_roots(doc: &Doc) {
    doc.get_or_insert_text("text");
    doc.get_or_insert_array("list");
    doc.get_or_insert_map("nodes");
}

fn edit(txn: &mut TransactionMut<'_>, kind: u8, at: Index, word: &str) {
    let text = txn.get_text("text").unwrap();
    let list = txn.get_array("list").unwrap();
    let nodes = txn.get_map("nodes").unwrap();
    let key = format!("n{}", at.index(3));
    match kind % 8 {
        0 | 1 => {
            let at = position(txn, &text, at);
            text.insert(txn, at, word);
        }
        2 => {
            let content = text.get_string(txn);
            let start = at.index(content.chars().count() + 1);
            let units = |characters: usize| content.chars().take(characters).map(char::len_utf16).sum::<usize>() as u32;
            text.remove_range(txn, units(start), units(start + 3) - units(start));
        }
        3 => {
            list.insert(txn, at.index(list.len(txn) as usize + 1) as u32, word);
        }
        4 if list.len(txn) > 0 => {
            let from = at.index(list.len(txn) as usize) as u32;
            let len = (list.len(txn) - from).min(3);
            list.remove_range(txn, from, len);
        }
        5 => {
            nodes.insert(txn, key, MapPrelim::from([("title", Any::from(word))]));
        }
        6 => {
            nodes.remove(txn, &key);
        }
        _ => match nodes.get(txn, &key) {
            Some(Out::YMap(node)) => match node.get(txn, "text") {
                Some(Out::YText(text)) => text.insert(txn, 0, word),
                _ => {
                    node.insert(txn, "text", TextPrelim::new(word));
                }
            },
            _ => {
                nodes.insert(txn, key, MapPrelim::default());
            }
        },
    }
}

/// A place in the text, never between the halves of a character: bare yrs documents write these histories.
fn position(txn: &TransactionMut<'_>, text: &yrs::TextRef, at: Index) -> u32 {
    let content = text.get_string(txn);
    let characters = at.index(content.chars().count() + 1);
    content.chars().take(characters).map(char::len_utf16).sum::<usize>() as u32
}

fn json(state: &[u8]) -> Any {
    let doc = Doc::new();
    declare_roots(&doc);
    doc.transact_mut().apply_update(Update::decode_v1(state).unwrap()).unwrap();
    let txn = doc.transact();
    assert!(txn.store().pending_update().is_none());
    let roots = [
        txn.get_text("text").unwrap().get_string(&txn).into(),
        txn.get_array("list").unwrap().to_json(&txn),
        txn.get_map("nodes").unwrap().to_json(&txn),
    ];
    Any::from(roots.to_vec())
}

/// What a bare document says that got everything in the order in which it was made.
fn expected(updates: &[Vec<u8>]) -> (Any, StateVector) {
    let doc = Doc::new();
    for update in updates {
        doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }
    let txn = doc.transact();
    (json(&txn.encode_diff_v1(&StateVector::default())), txn.state_vector())
}

/// Merges random groups of updates; what does not follow on each other leaves holes within.
fn merged(updates: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut groups: Vec<Vec<&[u8]>> = Vec::new();
    for update in updates {
        let count = groups.len();
        if count > 0 && random.below(10) < 6 {
            groups[random.below(count)].push(update);
        } else {
            groups.push(vec![update]);
        }
    }
    groups.into_iter().map(|group| merge_updates_v1(group).unwrap()).collect()
}

/// Delivers everything in batches, checking after each; some of it comes twice.
fn deliver(updates: &[Vec<u8>], random: &mut Random) -> Watched {
    let mut order: Vec<&Vec<u8>> = updates.iter().collect();
    for _ in 0..updates.len() / 3 {
        order.push(&updates[random.below(updates.len())]);
    }
    random.shuffle(&mut order);
    let mut room = Watched::new();
    let mut rest = &order[..];
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(1 + random.below(rest.len().min(4)));
        room.take_all(batch);
        rest = later;
    }
    room
}

proptest! {
    #[test]
    fn every_order_ends_in_the_same_document(steps in prop::collection::vec(step(), 1..40), seed: u64) {
        let updates = play(&steps);
        let (document, state_vector) = expected(&updates);
        let mut random = Random(seed);
        let mut digests = Vec::new();
        for parts in [updates.clone(), merged(&updates, &mut random)] {
            let room = deliver(&parts, &mut random);
            prop_assert_eq!(room.replica.held_bytes(), 0, "something still waits");
            prop_assert_eq!(json(&room.replica.snapshot()), document.clone());
            prop_assert_eq!(StateVector::decode_v1(&room.replica.state_vector()).unwrap(), state_vector.clone());
            room.check_reloads();
            digests.push(room.replica.digest());
        }
        prop_assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn answers_can_be_sliced(steps in prop::collection::vec(step(), 1..40)) {
        let updates = play(&steps);
        prop_assume!(!updates.is_empty());
        prop_assert!(check_slices(&updates, true) > 0);
    }
}
