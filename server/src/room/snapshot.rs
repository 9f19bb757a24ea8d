//! A map as one update: what a client begins with.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use synapti_crdt::Replica;
use tokio::{sync::OnceCell, task::spawn_blocking};

use super::Cursor;
use crate::limits::answers::Paid;

/// Somebody waits for it, and maps compress well at any level.
const COMPRESSION: Compression = Compression::new(3);

/// Smaller ones fit into one packet as they are.
const COMPRESSED_FROM_BYTES: usize = 1024;

/// One state of a map, shared by all who ask for it.
#[derive(Debug)]
pub struct Snapshot {
    /// Yjs update, format v1, of the whole map.
    pub update: Bytes,
    /// Names the state: equal states have equal names on every node.
    pub digest: String,
    /// Where the feed goes on from it.
    pub cursor: Cursor,
    /// Whether all of it is on disk.
    pub is_saved: bool,
    /// Its share of what answers may hold.
    pub paid: Paid,
    gzip: OnceCell<Bytes>,
}

impl Snapshot {
    /// Encodes the document; costs time in proportion to the map.
    pub fn of(replica: &Replica, cursor: Cursor, is_saved: bool) -> Self {
        Self {
            update: replica.snapshot().into(),
            digest: replica.digest().to_string(),
            cursor,
            is_saved,
            paid: Paid::default(),
            gzip: OnceCell::new(),
        }
    }

    /// `update`, compressed by whoever asks first; `None` when that would be no gain.
    pub async fn gzip(&self) -> Option<Bytes> {
        if self.update.len() < COMPRESSED_FROM_BYTES {
            return None;
        }
        let gzip = self.gzip.get_or_init(|| async {
            let update = self.update.clone();
            spawn_blocking(move || compress(&update)).await.unwrap_or_default()
        });
        Some(gzip.await.clone()).filter(|gzip| !gzip.is_empty())
    }
}

/// Nothing when it fails, which writing into memory does not.
fn compress(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), COMPRESSION);
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use synapti_crdt::{
        AsideLimits, Op,
        map::{MapEdit, NewNode},
    };

    use super::*;

    #[tokio::test]
    async fn it_is_compressed_once_and_reads_back() {
        let mut replica = Replica::new(7, AsideLimits::default());
        assert!(Snapshot::of(&replica, 0, true).gzip().await.is_none(), "nothing to gain");
        for n in 0..100 {
            replica.apply([Op::Edit(&MapEdit::AddNode(NewNode::new(format!("n{n}"), "title")))], 0);
        }
        let snapshot = Snapshot::of(&replica, 5, true);
        let (one, two) = tokio::join!(snapshot.gzip(), snapshot.gzip());
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.as_ptr(), two.as_ptr());
        assert!(one.len() * 3 < snapshot.update.len());
        let mut read = Vec::new();
        GzDecoder::new(&one[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, snapshot.update);
    }
}
