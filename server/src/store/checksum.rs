//! Checksums of stored rows. They cover the row's place too, so that a row that ends up under another graph is noticed.

use crc32fast::Hasher;

use super::GraphKey;

/// CRC-32 of a journal record.
pub(super) fn record_crc(key: GraphKey, data: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(b"record");
    hasher.update(&key.0.to_le_bytes());
    hasher.update(data);
    hasher.finalize()
}

/// CRC-32 of one slice of a snapshot.
pub(super) fn slice_crc(key: GraphKey, index: u32, data: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(b"slice");
    hasher.update(&key.0.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(data);
    hasher.finalize()
}
