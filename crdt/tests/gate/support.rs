//! A replica under watch, and updates written by hand.

use synapti_crdt::{Applied, ApplyError, AsideLimits, Op, Replica, Sender};
use synapti_protocol::lib0::{write_var_str, write_var_uint};
use synapti_protocol::update::{Id, UpdateWriter, scan, scan_state_vector};
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, Transact, Update, WriteTxn};

/// A replica together with everything that it published: whatever it is given, after every step
///
/// - what it published has no holes, and lacks nothing at a replica and at a bare yrs document that got all before;
/// - that replica has the same digest.
pub struct Watched {
    pub replica: Replica,
    pub journal: Vec<Vec<u8>>,
    /// Whose earlier edits came to nothing.
    pub refused: Vec<(Sender, ApplyError)>,
    limits: AsideLimits,
    follower: Replica,
    /// `None` where edits cut characters in half, which a bare yrs document does not survive.
    bare: Option<Doc>,
}

impl Watched {
    pub fn new() -> Self {
        Self::with_limits(AsideLimits::default())
    }

    pub fn with_limits(limits: AsideLimits) -> Self {
        let replica = Replica::new(900, limits);
        let follower = Replica::new(901, limits);
        Self { replica, journal: Vec::new(), refused: Vec::new(), limits, follower, bare: Some(bare_doc()) }
    }

    /// For edits that may cut characters in half.
    pub fn without_bare(limits: AsideLimits) -> Self {
        Self { bare: None, ..Self::with_limits(limits) }
    }

    /// Applies one update of one sender.
    pub fn take(&mut self, update: &[u8], from: u64) -> Result<(), ApplyError> {
        self.take_at(update, from, 0)
    }

    pub fn take_at(&mut self, update: &[u8], from: u64, now_ms: u64) -> Result<(), ApplyError> {
        let op = Op::Update { update, from: Sender(from) };
        self.apply([op], now_ms).pop().unwrap()
    }

    /// Applies updates of one sender in one transaction; all must be accepted.
    pub fn take_all(&mut self, updates: &[impl AsRef<[u8]>]) {
        let ops = updates.iter().map(|update| Op::Update { update: update.as_ref(), from: Sender(1) });
        for result in self.apply(ops, 0) {
            result.unwrap();
        }
    }

    pub fn apply<'a>(&mut self, ops: impl IntoIterator<Item = Op<'a>>, now_ms: u64) -> Vec<Result<(), ApplyError>> {
        let Applied { results, update, refused, .. } = self.replica.apply(ops, now_ms);
        self.refused.extend(refused);
        if let Some(update) = update {
            self.follow(&update);
            self.journal.push(update);
        }
        results
    }

    fn follow(&mut self, update: &[u8]) {
        let view = scan(update).unwrap();
        assert!(!view.has_skips() && !view.needs_modernizing(), "published with holes: {}", hex(update));
        let op = Op::Update { update, from: Sender(1) };
        let applied = self.follower.apply([op], 0);
        applied.results.into_iter().next().unwrap().unwrap();
        assert_eq!(self.follower.held_bytes(), 0, "published with something missing: {}", hex(update));
        assert_eq!(self.follower.digest(), self.replica.digest(), "after {}", hex(update));
        let Some(bare) = &self.bare else { return };
        let mut txn = bare.transact_mut();
        txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
        assert!(txn.prune_pending().is_none(), "published with something missing: {}", hex(update));
    }

    /// Checks that a replica loaded from the journal, and one loaded from the snapshot, are the same.
    pub fn check_reloads(&self) {
        let digest = self.replica.digest();
        let load = |updates: &[Vec<u8>]| {
            let updates = updates.iter().map(Vec::as_slice);
            let loaded = Replica::load(902, AsideLimits::default(), updates).unwrap();
            assert_eq!(loaded.held_bytes(), 0);
            loaded
        };
        assert_eq!(load(&self.journal).digest(), digest, "loaded from the journal");
        let reloaded = load(&[self.replica.snapshot()]);
        assert_eq!(reloaded.digest(), digest, "loaded from the snapshot");
        assert_eq!(reloaded.map(), self.replica.map());
        if let Some(bare) = &self.bare {
            assert_eq!(bare.transact().state_vector(), bare_of(&self.replica.snapshot()).transact().state_vector());
        }
    }

    /// Goes on with what the journal holds, as after a restart. What waited is gone with those who sent it.
    pub fn reopen(&mut self, client_id: u64) {
        self.check_reloads();
        let journal = self.journal.iter().map(Vec::as_slice);
        self.replica = Replica::load(client_id, self.limits, journal).unwrap();
    }

    /// The clock of one client.
    pub fn clock(&self, client: u64) -> u32 {
        let encoded = self.replica.state_vector();
        let vector = scan_state_vector(&encoded).unwrap();
        vector.iter().find(|entry| entry.0 == client).map_or(0, |entry| entry.1)
    }

    /// The text of the root `text`, as a fresh document reads it from the snapshot.
    pub fn text(&self) -> String {
        text_of(&bare_of(&self.replica.snapshot()))
    }
}

pub fn text_of(doc: &Doc) -> String {
    use yrs::GetString;
    let text = doc.get_or_insert_text("text");
    text.get_string(&doc.transact())
}

pub fn bare_doc() -> Doc {
    Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() })
}

/// A yrs document with this state, which must lack nothing.
pub fn bare_of(state: &[u8]) -> Doc {
    let doc = bare_doc();
    let mut txn = doc.transact_mut();
    txn.apply_update(Update::decode_v1(state).unwrap()).unwrap();
    assert!(txn.prune_pending().is_none());
    drop(txn);
    doc
}

/// What a struct written by hand hangs on.
#[derive(Clone, Copy)]
pub enum Place {
    /// The start of the root text.
    Root,
    /// Behind an element.
    After(u64, u32),
    /// Before an element.
    Before(u64, u32),
    /// Between two elements.
    Between((u64, u32), (u64, u32)),
    /// In the nested type that is this element.
    In(u64, u32),
    /// At the key `k` of the nested map that is this element.
    AtKeyOf(u64, u32),
}

/// One string item.
pub fn text(place: Place, content: &str) -> Vec<u8> {
    let mut out = item(place, 4);
    write_var_str(&mut out, content);
    out
}

/// One nested map in the root list.
pub fn nested_map() -> Vec<u8> {
    let mut out = vec![7, 1];
    write_var_str(&mut out, "list");
    out.push(1);
    out
}

/// One nested map.
pub fn map_at(place: Place) -> Vec<u8> {
    let mut out = item(place, 7);
    out.push(1);
    out
}

/// As many `true`s.
pub fn values(place: Place, count: u8) -> Vec<u8> {
    let mut out = item(place, 8);
    out.push(count);
    out.extend(std::iter::repeat_n(120, count.into()));
    out
}

/// So many deleted elements.
pub fn deleted(place: Place, len: u8) -> Vec<u8> {
    let mut out = item(place, 1);
    out.push(len);
    out
}

fn item(place: Place, content: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let id = |out: &mut Vec<u8>, id: Id| {
        write_var_uint(out, id.client);
        write_var_uint(out, id.clock.into());
    };
    match place {
        Place::Root => {
            out.extend([content, 1]);
            write_var_str(&mut out, "text");
        }
        Place::After(client, clock) => {
            out.push(0x80 | content);
            id(&mut out, Id { client, clock });
        }
        Place::Before(client, clock) => {
            out.push(0x40 | content);
            id(&mut out, Id { client, clock });
        }
        Place::Between(left, right) => {
            out.push(0xc0 | content);
            id(&mut out, Id { client: left.0, clock: left.1 });
            id(&mut out, Id { client: right.0, clock: right.1 });
        }
        Place::In(client, clock) => {
            out.extend([content, 0]);
            id(&mut out, Id { client, clock });
        }
        Place::AtKeyOf(client, clock) => {
            out.extend([0x20 | content, 0]);
            id(&mut out, Id { client, clock });
            write_var_str(&mut out, "k");
        }
    }
    out
}

/// An update of sections (client, first clock, structs), highest client first.
pub fn update(sections: &[(u64, u32, &[Vec<u8>])]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    for (client, clock, structs) in sections {
        writer.section(*client, *clock, structs.len() as u32, structs.iter().map(Vec::as_slice));
    }
    writer.finish()
}

pub fn deletion(client: u64, clock: u32, len: u32) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    writer.delete(client, &[(clock, len)]);
    writer.finish()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// `SplitMix64`, for shuffles that a seed determines.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
