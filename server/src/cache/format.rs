//! An entry as bytes, the same on disk and in Redis: a header that says what follows and whose it is, then the packed value.
//!
//! | bytes | |
//! | --- | --- |
//! | 4 | `SYNC` with the last letter small: `SYNc` |
//! | 1 | version, 1 |
//! | 1 | flags: 1 = packed |
//! | 2 | zero |
//! | 8 | until when it is good, ms since 1970, big endian like all numbers here |
//! | 32 | SHA-256 of the key |
//! | 4 | bytes that follow the header |
//! | 4 | CRC-32 of all that comes before, and of what follows |

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use jiff::Timestamp;

use super::entry::{Entry, TTL_MAX, VALUE_BYTES_MAX};

const MAGIC: [u8; 4] = *b"SYNc";
const VERSION: u8 = 1;
const PACKED: u8 = 1;
const CRC_AT: usize = 52;

/// Bytes before the value.
pub const HEADER_BYTES: usize = CRC_AT + 4;

/// Bytes of one entry at most.
pub const ENTRY_BYTES_MAX: usize = HEADER_BYTES + VALUE_BYTES_MAX;

/// What a key is called outside of this process: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEntry {
    /// Not whole, not ours, or changed.
    Damaged,
    /// It was one.
    Over,
}

impl KeyHash {
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(hash)
    }

    /// From its name in hexadecimal digits.
    pub fn parse(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.len() != 64 || !bytes.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&name[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An entry as bytes.
pub fn encode(name: KeyHash, entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entry.packed.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[VERSION, if entry.is_packed { PACKED } else { 0 }, 0, 0]);
    bytes.extend_from_slice(&entry.expires.as_millisecond().to_be_bytes());
    bytes.extend_from_slice(&name.0);
    bytes.extend_from_slice(&(entry.packed.len() as u32).to_be_bytes());
    let crc = checksum(&bytes, &entry.packed);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(&entry.packed);
    bytes
}

/// The entry that these bytes are.
pub fn decode(name: KeyHash, bytes: &Bytes, now: Timestamp) -> Result<Entry, NoEntry> {
    if bytes.len() < HEADER_BYTES || bytes.len() > ENTRY_BYTES_MAX {
        return Err(NoEntry::Damaged);
    }
    let (header, value) = (&bytes[..CRC_AT], bytes.slice(HEADER_BYTES..));
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let is_ours = header[..4] == MAGIC && header[4] == VERSION && header[5] & !PACKED == 0 && header[6..8] == [0, 0];
    let is_whole = number(CRC_AT - 4) as usize == value.len() && number(CRC_AT) == checksum(header, &value);
    if !is_ours || !is_whole || header[16..48] != name.0 {
        return Err(NoEntry::Damaged);
    }
    let expires_ms = i64::from(number(8)) << 32 | i64::from(number(12));
    let expires = Timestamp::from_millisecond(expires_ms).map_err(|_| NoEntry::Damaged)?;
    let entry = Entry { packed: value, is_packed: header[5] & PACKED != 0, expires };
    // A time too far ahead was written by a clock that was wrong.
    if entry.is_over(now) || entry.left(now) > TTL_MAX { Err(NoEntry::Over) } else { Ok(entry) }
}

fn checksum(header: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry() -> (KeyHash, Entry) {
        let value = Bytes::from("a mind map about the sun ".repeat(100));
        let entry = Entry::new(value, Duration::from_mins(1), Timestamp::UNIX_EPOCH).unwrap();
        (KeyHash::of("generate:sun"), entry)
    }

    fn read(name: KeyHash, bytes: &[u8], seconds: i64) -> Result<Entry, NoEntry> {
        decode(name, &Bytes::copy_from_slice(bytes), Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn what_is_written_is_read_until_it_is_over() {
        let (name, entry) = entry();
        let bytes = encode(name, &entry);
        assert_eq!(read(name, &bytes, 59), Ok(entry));
        assert_eq!(read(name, &bytes, 60), Err(NoEntry::Over));
        let long_before = -i64::try_from(TTL_MAX.as_secs()).unwrap();
        assert_eq!(read(name, &bytes, long_before), Err(NoEntry::Over));
    }

    #[test]
    fn every_cut_every_changed_byte_and_a_foreign_key_are_found() {
        let (name, entry) = entry();
        let bytes = encode(name, &entry);
        for length in 0..bytes.len() {
            assert_eq!(read(name, &bytes[..length], 0), Err(NoEntry::Damaged), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert_eq!(read(name, &bytes, 0), Err(NoEntry::Damaged), "changed at {at}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(read(name, &longer, 0), Err(NoEntry::Damaged));
        assert_eq!(read(KeyHash::of("other"), &bytes, 0), Err(NoEntry::Damaged));
        assert_eq!(read(name, &vec![0; ENTRY_BYTES_MAX + 1], 0), Err(NoEntry::Damaged));
    }

    #[test]
    fn a_name_reads_back_and_nothing_else_is_one() {
        let name = KeyHash::of("a");
        assert_eq!(KeyHash::parse(&name.to_string()), Some(name));
        for other in ["", "..", "abc", &"g".repeat(64), &"é".repeat(32), &name.to_string().to_uppercase()] {
            assert_eq!(KeyHash::parse(other), None, "{other}");
        }
    }
}
