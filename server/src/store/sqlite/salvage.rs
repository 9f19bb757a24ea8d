//! Reading a damaged graph: from the snapshot before the current one if need be, and row by row.

use sqlx::sqlite::SqliteConnection;

use super::{
    load::{GraphRow, name_damage},
    read::damaged,
    reread::{Records, read_records},
    snapshot::SnapshotRow,
};
use crate::store::{Damage, GraphKey, Purpose, RecordId, StoreError, StoredGraph};

/// Findings that one load names; the rest is only counted.
const NAMED_MAX: usize = 20;

/// A state to build on.
struct Base {
    state: Option<Vec<u8>>,
    covers: i64,
    /// How many of the graph's records it covers.
    records: i64,
}

/// A document that can be read, with what is known to be wrong with it.
struct Attempt {
    base: Base,
    tail: Records,
    /// What is missing from it; empty when it is whole.
    losses: Vec<String>,
    /// Whether each of the graph's records is in the base, or has a row after it, readable or not.
    is_accounted_for: bool,
}

/// Reads as much as can be read of a graph that could not be read as it should be, because of `found`.
pub(super) async fn salvage(
    view: &mut SqliteConnection,
    key: GraphKey,
    found: String,
) -> Result<StoredGraph, StoreError> {
    let graph = GraphRow::find(view, key).await?;
    let mut remarks = vec![found];
    let mut torn: Option<Attempt> = None;
    for snapshot in [graph.snapshot, graph.previous].into_iter().flatten() {
        match read_base(view, key, snapshot).await.map_err(|error| name_damage(key, error)) {
            Ok(base) => {
                let attempt = build_on(view, key, base, graph.records).await?;
                if attempt.losses.is_empty() {
                    return Ok(attempt.finish(remarks));
                }
                torn.get_or_insert(attempt);
            }
            // Often the one that was found at first.
            Err(StoreError::Damaged { what, .. }) if remarks.contains(&what) => {}
            Err(StoreError::Damaged { what, .. }) => remarks.push(what),
            Err(other) => return Err(other),
        }
    }
    // Without any snapshot: the records that the first one covers stay until there is a second.
    let from_the_start = Base { state: None, covers: 0, records: 0 };
    let attempt = build_on(view, key, from_the_start, graph.records).await?;
    if attempt.losses.is_empty() {
        return Ok(attempt.finish(remarks));
    }
    let never_had_any = graph.snapshot.is_none() && graph.previous.is_none();
    let begins_at_the_start = attempt.is_accounted_for || never_had_any;
    match torn.or_else(|| begins_at_the_start.then_some(attempt)) {
        Some(torn) => Ok(torn.finish(remarks)),
        None => Err(damaged(key, remarks.join("; "))),
    }
}

async fn read_base(view: &mut SqliteConnection, key: GraphKey, snapshot: i64) -> Result<Base, StoreError> {
    let row = SnapshotRow::find(view, key, snapshot, Purpose::Compaction).await?;
    let state = row.load(view, key).await?;
    Ok(Base { state: Some(state), covers: row.covers, records: row.records })
}

/// Reads the records after `base`. The graph promises `promised` records in all, those that the base covers included.
async fn build_on(
    view: &mut SqliteConnection,
    key: GraphKey,
    base: Base,
    promised: i64,
) -> Result<Attempt, StoreError> {
    let promised = promised.saturating_sub(base.records);
    let tail = read_records(view, key, base.covers, promised).await?;
    let mut losses = tail.unreadable.clone();
    let is_accounted_for = i64::try_from(tail.filed).is_ok_and(|filed| filed == promised);
    if !is_accounted_for {
        // Also when there are more than promised: then the promise is wrong, and what else is cannot be told.
        losses.push(format!("{} of {promised} records after its snapshot are there", tail.filed));
    }
    Ok(Attempt { base, tail, losses, is_accounted_for })
}

impl Attempt {
    fn finish(self, remarks: Vec<String>) -> StoredGraph {
        let Self { base, tail, losses, .. } = self;
        let last = tail.readable.last_key_value().map_or(base.covers, |(id, _)| *id);
        let tail: Vec<Vec<u8>> = tail.readable.into_values().collect();
        let others: Vec<String> = remarks.into_iter().filter(|remark| !losses.contains(remark)).collect();
        let mut damage: Vec<Damage> = losses.into_iter().map(|what| Damage { what, is_loss: true }).collect();
        damage.extend(others.into_iter().map(|what| Damage { what, is_loss: false }));
        StoredGraph {
            snapshot: base.state,
            tail_bytes: tail.iter().map(|update| update.len() as u64).sum(),
            tail,
            last: RecordId(last),
            damage: shorten(damage),
        }
    }
}

/// Names the first and counts the others.
fn shorten(mut damage: Vec<Damage>) -> Vec<Damage> {
    if let Some(more) = damage.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        let is_loss = damage.drain(NAMED_MAX..).any(|damage| damage.is_loss);
        damage.push(Damage { what: format!("{more} more findings of this kind"), is_loss });
    }
    damage
}
