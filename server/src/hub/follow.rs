//! Looks all the time whether the store has more of the open maps than they have: what another node has saved and the bus has
//! not brought, and what is deleted.

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{Hub, STORE_ANSWERS_WITHIN};
use crate::{
    room::RoomHandle,
    store::{GraphKey, HEADS_MAX, Head, LOOK_EVERY, SharedLog},
};

impl Hub {
    /// Runs until `stop` is cancelled; at once when nobody else can have the store.
    pub async fn follow(self, stop: CancellationToken) {
        let store = self.0.env.store.clone();
        let Some(log) = store.shared_log() else { return };
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            // When it does not answer there is nothing to read; that is told elsewhere.
            let _ = timeout(STORE_ANSWERS_WITHIN, self.look(log)).await;
        }
    }

    async fn look(&self, log: &dyn SharedLog) {
        let mut rooms: Vec<(GraphKey, RoomHandle)> =
            self.0.rooms.iter().filter_map(|room| Some((room.value().key()?, room.value().clone()))).collect();
        rooms.sort_unstable_by_key(|(key, _)| *key);
        for rooms in rooms.chunks(HEADS_MAX) {
            let keys: Vec<GraphKey> = rooms.iter().map(|(key, _)| *key).collect();
            let Ok(heads) = log.heads(&keys).await else { return };
            for Head { key, last, is_deleted, .. } in heads {
                if let Ok(at) = rooms.binary_search_by_key(&key, |(key, _)| *key) {
                    rooms[at].1.store_has(last, is_deleted);
                }
            }
        }
    }
}
