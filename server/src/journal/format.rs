//! What a spill file looks like.
//!
//! ```text
//! "SYNSPIL1"  identity of the store (16 bytes)  number of records (u32)  record…
//! record: length of the rest (u32)  crc of the rest (u32)  graph key (i64)  at, µs (i64)  topic length + 1, or 0 (u32)  topic  update
//! ```
//!
//! All numbers are little-endian. A file is complete or not there: it is written under another name first.

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::store::{GraphKey, JournalRecord};

const MAGIC: &[u8; 8] = b"SYNSPIL1";

/// A file's content.
pub(super) fn encode(identity: Uuid, records: &[JournalRecord]) -> Vec<u8> {
    let mut content = Vec::with_capacity(records.iter().map(|record| record.update.len() + 64).sum());
    content.extend_from_slice(MAGIC);
    content.extend_from_slice(identity.as_bytes());
    content.extend_from_slice(&(records.len() as u32).to_le_bytes());
    for record in records {
        let mut rest = Vec::with_capacity(record.update.len() + 32);
        rest.extend_from_slice(&record.key.0.to_le_bytes());
        rest.extend_from_slice(&record.at.as_microsecond().to_le_bytes());
        let topic = record.topic.as_deref();
        rest.extend_from_slice(&topic.map_or(0, |topic| topic.len() as u32 + 1).to_le_bytes());
        rest.extend_from_slice(topic.unwrap_or_default().as_bytes());
        rest.extend_from_slice(&record.update);
        content.extend_from_slice(&(rest.len() as u32).to_le_bytes());
        content.extend_from_slice(&crc32fast::hash(&rest).to_le_bytes());
        content.extend_from_slice(&rest);
    }
    content
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Spilled {
    /// The records up to the first that is damaged.
    pub(super) records: Vec<JournalRecord>,
    /// Those after it that are not.
    pub(super) after_damage: Vec<JournalRecord>,
    /// Whether that is all, and all of it sound.
    pub(super) is_whole: bool,
}

/// Reads a file's content, as far as it is of this store and sound.
pub(super) fn decode(identity: Uuid, content: &Bytes) -> Spilled {
    let mut spilled = Spilled::default();
    let Some(body) = content.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(identity.as_bytes())) else {
        return spilled;
    };
    let mut body = content.slice_ref(body);
    let Some(count) = take(&mut body).map(u32::from_le_bytes) else { return spilled };
    let mut is_damaged = false;
    while let Some((crc, rest)) = next_rest(&mut body) {
        match Some(rest).filter(|rest| crc32fast::hash(rest) == crc).and_then(decode_record) {
            Some(record) if is_damaged => spilled.after_damage.push(record),
            Some(record) => spilled.records.push(record),
            None => is_damaged = true,
        }
    }
    spilled.is_whole = !is_damaged && body.is_empty() && spilled.records.len() == count as usize;
    spilled
}

/// The checksum of a record and what it is over; `None` at the end, and after a length that cannot be.
fn next_rest(body: &mut Bytes) -> Option<(u32, Bytes)> {
    let (len, crc) = (u32::from_le_bytes(take(body)?), u32::from_le_bytes(take(body)?));
    let rest = (len as usize <= body.len()).then(|| body.split_to(len as usize))?;
    Some((crc, rest))
}

fn decode_record(mut rest: Bytes) -> Option<JournalRecord> {
    let key = GraphKey(i64::from_le_bytes(take(&mut rest)?));
    let at = Timestamp::from_microsecond(i64::from_le_bytes(take(&mut rest)?)).ok()?;
    let topic = match u32::from_le_bytes(take(&mut rest)?) {
        0 => None,
        len if len as usize <= rest.len() + 1 => Some(String::from_utf8(rest.split_to(len as usize - 1).into()).ok()?),
        _ => return None,
    };
    Some(JournalRecord { key, update: rest, topic, at })
}

fn take<const N: usize>(from: &mut Bytes) -> Option<[u8; N]> {
    (from.len() >= N).then(|| from.split_to(N)).and_then(|bytes| bytes[..].try_into().ok())
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn record(key: i64, update: &'static [u8], topic: Option<&str>) -> JournalRecord {
        let at = Timestamp::from_microsecond(1_800_000_000_123_456).unwrap();
        JournalRecord { key: GraphKey(key), update: Bytes::from_static(update), topic: topic.map(str::to_owned), at }
    }

    fn same(left: &[JournalRecord], right: &[JournalRecord]) -> bool {
        format!("{left:?}") == format!("{right:?}")
    }

    #[test]
    fn what_is_written_is_read_and_a_part_of_it_is_known_as_one() {
        let records = [record(1, b"first", None), record(-2, b"", Some("")), record(3, b"third", Some("Bees 🐝"))];
        let identity = Uuid::from_u128(7);
        let content = encode(identity, &records);
        let Spilled { records: read, is_whole, .. } = decode(identity, &content.clone().into());
        assert!(is_whole && same(&read, &records), "{read:?}");
        assert!(!decode(Uuid::from_u128(8), &content.clone().into()).is_whole, "of another store");
        for len in 0..content.len() {
            let Spilled { records: read, is_whole, .. } = decode(identity, &content[..len].to_vec().into());
            assert!(same(&read, &records[..read.len()]));
            assert!(!is_whole, "{len}");
        }
        for at in 24..content.len() {
            let mut flipped = content.clone();
            flipped[at] ^= 1;
            let Spilled { records: read, after_damage, is_whole } = decode(identity, &flipped.into());
            assert!(!is_whole && same(&read, &records[..read.len()]), "{at}");
            let is_one = |read: &JournalRecord| {
                records.iter().any(|record| same(slice::from_ref(read), slice::from_ref(record)))
            };
            assert!(after_damage.iter().all(is_one), "{at}");
        }
    }
}
