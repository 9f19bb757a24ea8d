//! What a room has done beside its edits: compaction, deletion, removal.

use super::Actor;
use crate::{
    compaction::Compacted,
    history::thin_out,
    room::RoomError,
    store::{NewVersion, VersionKind},
};

/// What came of it.
pub(super) enum Done {
    Compacted(Option<Compacted>),
    Tombstoned(Result<(), RoomError>),
    VersionKept(bool),
    Purged,
}

impl Actor {
    pub(super) fn compact(&mut self) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            let compacted = env.compactor.compact(&env.store, key).await;
            if let Err(error) = &compacted {
                tracing::warn!(graph = %id, %error, "compaction failed; the journal of this map stays longer");
            }
            Done::Compacted(compacted.ok())
        });
    }

    pub(super) fn keep_version(&mut self, author: Option<String>) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            let at = env.clock.now();
            let version = NewVersion { kind: VersionKind::Automatic, name: None, author, at };
            let kept = env.compactor.keep(&env.store, key, &version).await;
            match &kept {
                Ok(_) => thin_out(&env.store, &env.compactor, key, at, &env.retention).await,
                Err(error) => tracing::warn!(graph = %id, %error, "no version of this map could be made"),
            }
            Done::VersionKept(kept.is_ok())
        });
    }

    pub(super) fn tombstone(&mut self, at: jiff::Timestamp) {
        let (env, key) = (self.env.clone(), self.key);
        self.work.spawn(async move { Done::Tombstoned(env.store.tombstone(key, at).await.map_err(RoomError::Store)) });
    }

    /// Removes a deleted graph's data. It is deleted already; what is left when the node stops is removed at the next
    /// start.
    pub(super) fn purge(&mut self) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            if let Err(error) = env.compactor.purge(&env.store, key).await {
                tracing::warn!(graph = %id, %error, "the data of a deleted map could not be removed yet");
            }
            Done::Purged
        });
    }
}
