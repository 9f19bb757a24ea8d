//! The room's way to other nodes, and to what they have stored.

use std::time::Duration;

use bytes::Bytes;
use synapti_protocol::envelope::Foreign;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Actor, cost::perhaps_long_for, work::Done};
use crate::{
    bus::News,
    room::state::{TailError, TailRead},
    store::{GraphKey, RecordId, SharedStore, Since, StoreError},
    telemetry::metrics::{self, Ignored},
};

/// How long the store may take to say what others have written.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// How long other nodes have to say who is in a map, when it is opened: two ways there and back.
const HEARD_WITHIN: Duration = Duration::from_millis(50);

/// What is taken in for so long would keep other tasks waiting.
const LONG: Duration = Duration::from_millis(2);

impl Actor {
    /// Nobody comes in before other nodes had time to say who is there: whose client ids are whose is decided by that.
    pub(super) async fn hear_who_is_there(&mut self) {
        if !self.env.guards_client_ids || self.link.is_alone() || self.env.bus.health().nodes == 0 {
            return;
        }
        let until = Instant::now() + HEARD_WITHIN;
        while let Ok(news) = timeout_at(until, self.link.mail.next()).await {
            self.hear(news);
            self.perform_effects();
        }
    }

    pub(super) fn hear(&mut self, news: News) {
        if let Err(foreign) = self.state.hear(news, self.now_ms()) {
            metrics::get().bus.ignored(match foreign {
                Foreign::Unknown => Ignored::Foreign,
                Foreign::Newer { .. } => Ignored::Newer,
                Foreign::Damaged(_) => Ignored::Damaged,
            });
        }
    }

    /// Takes in what has come from other nodes, unless it would be shown with what is not saved.
    pub(super) fn take_in(&mut self) {
        let Some(bytes) = self.state.arrived_bytes() else { return };
        if !self.state.can_integrate(self.may_run_ahead()) {
            return;
        }
        let (now, now_ms) = (self.env.clock.now(), self.now_ms());
        // Another node has done the same before, so that little is seldom long; what was long may be so again.
        let long = if self.took_in > LONG { usize::MAX } else { bytes };
        let begun = Instant::now();
        perhaps_long_for(long, || self.state.take_in(now, now_ms));
        self.took_in = begun.elapsed();
        self.perform_effects();
    }

    /// Reads what the store has after a record.
    pub(super) fn read_tail(&mut self, after: u64) {
        let (env, key, id) = (self.env.clone(), self.key, self.handle.id().clone());
        self.work.spawn(async move {
            let read = timeout(READ_WITHIN, tail_of(&env.store, key, after)).await;
            Done::TailRead(match read {
                Ok(Ok(read)) => {
                    metrics::get().cluster.catch_ups.increment(u64::from(!read.updates.is_empty()));
                    Ok(read)
                }
                Ok(Err(StoreError::Gone(_))) => Err(TailError::Gone),
                Ok(Err(error)) => {
                    tracing::warn!(graph = %id, %error, "what other nodes have saved could not be read; it is tried again");
                    Err(TailError::Unread)
                }
                Err(_) => Err(TailError::Unread),
            })
        });
    }
}

async fn tail_of(store: &SharedStore, key: GraphKey, after: u64) -> Result<TailRead, StoreError> {
    let Some(log) = store.shared_log() else {
        return Ok(TailRead { updates: Vec::new(), up_to: after, modified_at: None, has_more: false });
    };
    match log.since(key, RecordId(after as i64)).await? {
        Since::Records { updates, up_to, has_more, modified_at } => {
            Ok(TailRead { updates, up_to: up_to.0 as u64, modified_at: Some(modified_at), has_more })
        }
        Since::Load => {
            // Before the map is read: what cannot be read of the records up to here is not looked for again.
            let head = log.heads(&[key]).await?.pop().ok_or_else(|| StoreError::Gone("its row has gone".to_owned()))?;
            let stored = store.load(key).await?;
            let updates = stored.snapshot.into_iter().chain(stored.tail).map(Bytes::from).collect();
            let up_to = head.last.max(stored.last).0.unsigned_abs();
            Ok(TailRead { updates, up_to, modified_at: Some(head.modified_at), has_more: false })
        }
    }
}
