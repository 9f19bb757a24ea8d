//! Checksums of stored rows. They cover the row's place too, so that a row that ends up under another graph is noticed.

use crc32fast::Hasher;

use super::{GraphKey, SnapshotId, VersionRecord};

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

/// CRC-32 of a complete snapshot: of what its row says, and of its slices' checksums in their order.
pub(super) fn snapshot_crc(numbers: [i64; 4], slices: impl IntoIterator<Item = i64>) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(b"snapshot");
    for number in numbers.into_iter().chain(slices) {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finalize()
}

/// CRC-32 of what is known of a version.
pub(super) fn version_crc(key: GraphKey, snapshot: SnapshotId, record: &VersionRecord) -> u32 {
    let VersionRecord { id, version, covers, bytes } = record;
    let mut hasher = Hasher::new();
    hasher.update(b"version");
    for number in [key.0, snapshot.0, id.0, covers.0, *bytes as i64, version.at.as_microsecond()] {
        hasher.update(&number.to_le_bytes());
    }
    for text in [Some(version.kind.as_str()), version.name.as_deref(), version.author.as_deref()] {
        // Nothing is told apart from an empty text, and where a text ends is part of it.
        hasher.update(&text.map_or(-1, |text| text.len() as i64).to_le_bytes());
        hasher.update(text.unwrap_or_default().as_bytes());
    }
    hasher.finalize()
}
