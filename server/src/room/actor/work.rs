//! What a room has done beside its edits: compaction, deletion, removal.

use std::time::Duration;

use tokio::time::timeout;

use super::Actor;
use crate::{
    compaction::{Compacted, SnapshotError},
    history::thin_out,
    room::{
        RequestId, RoomError,
        state::{TailError, TailRead},
    },
    store::{NewVersion, VersionKind},
};

/// How long a room waits for the version that a restoring needs; edits gather meanwhile.
const KEPT_WITHIN: Duration = Duration::from_secs(8);

/// What came of it.
pub(super) enum Done {
    Compacted(Option<Compacted>),
    Tombstoned(Result<(), RoomError>),
    VersionKept,
    KeptBeforeRestore(RequestId, bool),
    Purged,
    TailRead(Result<TailRead, TailError>),
}

impl Actor {
    pub(super) fn compact(&mut self) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            let compacted = env.compactor.compact(&env.store, key).await;
            if let Err(error) = &compacted
                && !matches!(error, SnapshotError::Busy)
            {
                tracing::warn!(graph = %id, %error, "compaction failed; the journal of this map stays longer");
            }
            Done::Compacted(compacted.ok())
        });
    }

    /// Keeps an automatic version, or one for a restoring that waits for it.
    pub(super) fn keep_version(&mut self, before: Option<RequestId>, author: Option<String>) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            let kind = if before.is_some() { VersionKind::BeforeRestore } else { VersionKind::Automatic };
            let version = NewVersion { kind, name: None, author, at: env.clock.now() };
            let kept = async {
                match before {
                    // The room waits for this one.
                    Some(_) => env.compactor.keep_now(&env.store, key, &version).await.map(drop),
                    None => env.compactor.keep_unless_recent(&env.store, key, &version).await,
                }
            };
            let within = if before.is_some() { KEPT_WITHIN } else { Duration::MAX };
            let kept = timeout(within, kept).await;
            match &kept {
                Ok(Ok(())) => thin_out(&env.store, &env.compactor, key, version.at, &env.retention).await,
                Ok(Err(error)) => tracing::warn!(graph = %id, %error, "no version of this map could be made"),
                Err(_) => tracing::warn!(graph = %id, "no version of this map could be made in time"),
            }
            match before {
                Some(request) => Done::KeptBeforeRestore(request, matches!(kept, Ok(Ok(())))),
                None => Done::VersionKept,
            }
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
