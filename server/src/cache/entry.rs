//! What a tier keeps: a value, packed where that gains something, and until when it is good.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use jiff::Timestamp;

/// Bytes of one value. What is larger is not kept.
pub const VALUE_BYTES_MAX: usize = 4 << 20;

/// How long anything is kept at most; a time beyond this is no time of ours.
pub const TTL_MAX: Duration = Duration::from_hours(24 * 30);

/// Smaller values are kept as they are.
const PACK_BYTES_MIN: usize = 1024;

/// Packed, a value must be so many percent smaller.
const PACK_GAINS_PERCENT: usize = 10;

/// A value as the tiers keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value, or what zlib made of it.
    pub packed: Bytes,
    /// Whether zlib did.
    pub is_packed: bool,
    /// Until when it is good.
    pub expires: Timestamp,
}

impl Entry {
    /// `None`: it is too large, or over at once.
    pub fn new(value: Bytes, ttl: Duration, now: Timestamp) -> Option<Self> {
        if value.len() > VALUE_BYTES_MAX || ttl.is_zero() {
            return None;
        }
        let expires = now.checked_add(ttl.min(TTL_MAX)).ok()?;
        let (packed, is_packed) = match pack(&value) {
            Some(packed) => (packed, true),
            None => (value, false),
        };
        Some(Self { packed, is_packed, expires })
    }

    /// The value. `None`: it is not what zlib wrote.
    pub fn value(&self) -> Option<Bytes> {
        if !self.is_packed {
            return Some(self.packed.clone());
        }
        let mut value = Vec::new();
        ZlibDecoder::new(&self.packed[..]).take(VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut value).ok()?;
        (value.len() <= VALUE_BYTES_MAX).then(|| value.into())
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// How long it is good from now on.
    pub fn left(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.expires.duration_since(now)).unwrap_or_default()
    }
}

fn pack(value: &[u8]) -> Option<Bytes> {
    if value.len() < PACK_BYTES_MIN {
        return None;
    }
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(value.len() / 2), Compression::fast());
    encoder.write_all(value).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() * 100 <= value.len() * (100 - PACK_GAINS_PERCENT)).then(|| packed.into())
}

#[cfg(test)]
mod tests {
    use rand::{RngCore as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn entry(value: impl Into<Bytes>) -> Entry {
        Entry::new(value.into(), HOUR, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn what_gains_is_packed_and_what_does_not_stays_as_it_is() {
        let mut noise = vec![0; 8192];
        StdRng::seed_from_u64(8).fill_bytes(&mut noise);
        let text = "live mind maps ".repeat(500);
        for (value, is_packed) in [
            (Bytes::new(), false),
            (Bytes::from(vec![b'a'; PACK_BYTES_MIN - 1]), false),
            (Bytes::from(vec![b'a'; PACK_BYTES_MIN]), true),
            (text.into(), true),
            (noise.into(), false),
        ] {
            let entry = entry(value.clone());
            assert_eq!((entry.is_packed, entry.value()), (is_packed, Some(value.clone())), "{} bytes", value.len());
            assert!(entry.packed.len() * 10 <= value.len() * 9 || !is_packed);
        }
    }

    #[test]
    fn what_is_too_large_or_lasts_no_time_is_none() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(Entry::new(Bytes::from(vec![0; VALUE_BYTES_MAX + 1]), HOUR, now).is_none());
        assert!(Entry::new(Bytes::from_static(b"a"), Duration::ZERO, now).is_none());
        let entry = Entry::new(Bytes::from_static(b"a"), Duration::MAX, now).unwrap();
        assert_eq!(entry.left(now), TTL_MAX);
    }

    #[test]
    fn a_bomb_and_a_broken_stream_have_no_value() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; VALUE_BYTES_MAX + 1]).unwrap();
        let bomb = Entry { packed: encoder.finish().unwrap().into(), ..entry(vec![b'a'; 2000]) };
        assert_eq!(bomb.value(), None);
        let good = entry(vec![b'a'; 2000]);
        let cut = Entry { packed: good.packed.slice(..good.packed.len() / 2), ..good };
        assert_eq!(cut.value(), None);
    }

    #[test]
    fn an_entry_is_over_at_its_time() {
        let entry = entry("a");
        assert!(!entry.is_over(Timestamp::from_second(3599).unwrap()));
        assert!(entry.is_over(Timestamp::from_second(3600).unwrap()));
        assert_eq!(entry.left(Timestamp::from_second(3599).unwrap()), Duration::from_secs(1));
        assert_eq!(entry.left(Timestamp::from_second(9999).unwrap()), Duration::ZERO);
    }
}
