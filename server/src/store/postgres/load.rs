//! Reading a graph's document: every byte is checked, and whatever does not fit is told.

use futures_util::TryStreamExt as _;
use sqlx::{Row, postgres::PgConnection};

use super::{
    PostgresStore,
    lease::View,
    refusal::{damaged, gone, is_corruption},
};
use crate::store::{
    Damage, GraphKey, RecordId, StoreError, StoredGraph,
    checksum::{record_crc, slice_crc},
};

/// Memory reserved on the word of a snapshot's row; a bigger snapshot grows beyond it slice by slice.
const RESERVED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A graph has the current snapshot and the one before.
const SNAPSHOTS_MAX: usize = 2;

const GRAPH: &str = "SELECT records, snapshot, previous_snapshot FROM graphs WHERE key = $1 AND deleted_at IS NULL";

const SNAPSHOT: &str =
    "SELECT covers, slices, bytes FROM snapshots WHERE id = $1 AND graph = $2 AND state = 'complete'";

const SLICES: &str = "SELECT idx, crc, data FROM snapshot_slices WHERE snapshot = $1 ORDER BY idx";

const RECORDS: &str = "SELECT id, crc, data FROM journal WHERE graph = $1 AND id > $2 ORDER BY id";

impl PostgresStore {
    pub(super) async fn load_graph(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        let mut corruption = Vec::new();
        // A page that the server itself finds torn ends the transaction; the next one does without that snapshot.
        loop {
            let mut lease = self.lease().await?;
            sqlx::query(SETTLE).bind(key.0).fetch_optional(lease.connection()).await?;
            lease.begin(View::Still).await?;
            let loaded = load(lease.connection(), key, &corruption).await;
            match loaded {
                Err(StoreError::Backend(error)) if is_corruption(&error) => {
                    corruption.push(error.to_string());
                    if corruption.len() > SNAPSHOTS_MAX {
                        return Err(damaged(key, corruption.join("; ")));
                    }
                }
                other => return lease.end(other).await,
            }
        }
    }
}

/// Waits for appends to the graph that are under way. A server that was killed leaves behind the statement that it sent last:
/// `PostgreSQL` finishes it, and what is read before that would lack a record that comes to light later.
const SETTLE: &str = "SELECT FROM graphs WHERE key = $1 FOR SHARE";

/// Runs the hot statements on nothing.
pub(super) async fn warm(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(GRAPH).bind(0_i64).fetch_optional(&mut *connection).await?;
    sqlx::query(SNAPSHOT).bind(0_i64).bind(0_i64).fetch_optional(&mut *connection).await?;
    sqlx::query(SLICES).bind(0_i64).fetch_optional(&mut *connection).await?;
    sqlx::query(RECORDS).bind(0_i64).bind(0_i64).fetch_optional(connection).await.map(|_| ())
}

/// `corruption`: what the server said of snapshots, newest first, that are not to be tried again.
async fn load(view: &mut PgConnection, key: GraphKey, corruption: &[String]) -> Result<StoredGraph, StoreError> {
    let row = sqlx::query(GRAPH).bind(key.0).fetch_optional(&mut *view).await?.ok_or_else(|| gone(key))?;
    let records: i64 = row.try_get("records")?;
    let snapshots: [Option<i64>; SNAPSHOTS_MAX] = [row.try_get("snapshot")?, row.try_get("previous_snapshot")?];
    let mut graph = StoredGraph::default();
    let mut unreadable = Vec::new();
    for (nth, id) in snapshots.into_iter().flatten().enumerate() {
        let read = match corruption.get(nth) {
            Some(said) => Err(format!("snapshot {id} cannot be read: {said}")),
            None => read_snapshot(view, key, id).await?,
        };
        match read {
            Ok((covers, state)) => {
                graph.last = covers;
                graph.snapshot = Some(state);
                break;
            }
            Err(what) => unreadable.push(what),
        }
    }
    let first = read_records(view, key, records, &mut graph).await?;
    account_for(key, records, first, unreadable, graph)
}

/// Decides what unreadable snapshots mean, now that it is known which records are there.
fn account_for(
    key: GraphKey,
    records: i64,
    first: Option<i64>,
    unreadable: Vec<String>,
    mut graph: StoredGraph,
) -> Result<StoredGraph, StoreError> {
    let has_no_base = graph.snapshot.is_none() && records > 0;
    // Records are trimmed from the first on: while that one is there, they make up for every snapshot.
    let is_torso = !unreadable.is_empty() && first != Some(1);
    if has_no_base && (is_torso || graph.tail.is_empty()) {
        let losses = graph.damage.into_iter().map(|damage| damage.what);
        return Err(damaged(key, unreadable.into_iter().chain(losses).collect::<Vec<_>>().join("; ")));
    }
    let made_up = |what| Damage { what: format!("{what}; read from what was kept besides"), is_loss: false };
    graph.damage.splice(0..0, unreadable.into_iter().map(made_up));
    Ok(graph)
}

/// A snapshot with the record that it covers. The inner error says what is wrong with it.
pub(super) async fn read_snapshot(
    view: &mut PgConnection,
    key: GraphKey,
    id: i64,
) -> Result<Result<(RecordId, Vec<u8>), String>, StoreError> {
    let row = sqlx::query(SNAPSHOT).bind(id).bind(key.0).fetch_optional(&mut *view).await?;
    let Some(row) = row else {
        return Ok(Err(format!("snapshot {id} is missing or incomplete")));
    };
    let state = read_slices(view, key, id, row.try_get("slices")?, row.try_get("bytes")?).await?;
    let covers = RecordId(row.try_get("covers")?);
    Ok(state.map(|state| (covers, state)))
}

/// The state that a snapshot's slices make up. The inner error says what is wrong with them.
pub(super) async fn read_slices(
    view: &mut PgConnection,
    key: GraphKey,
    id: i64,
    slices: i64,
    bytes: i64,
) -> Result<Result<Vec<u8>, String>, StoreError> {
    // The row is believed only so far: damage must not become an allocation that ends the process.
    let declared = usize::try_from(bytes).unwrap_or(0);
    let mut state = Vec::with_capacity(declared.min(RESERVED_BYTES_MAX));
    let mut next: u32 = 0;
    let mut rows = sqlx::query(SLICES).bind(id).fetch(view);
    while let Some(row) = rows.try_next().await? {
        let data: &[u8] = row.try_get("data")?;
        if row.try_get::<i64, _>("idx")? != i64::from(next) {
            return Ok(Err(format!("slice {next} of snapshot {id} is missing")));
        }
        if row.try_get::<i64, _>("crc")? != i64::from(slice_crc(key, next, data)) {
            return Ok(Err(format!("slice {next} of snapshot {id} does not match its checksum")));
        }
        state.extend_from_slice(data);
        next += 1;
    }
    if i64::from(next) != slices || i64::try_from(state.len()) != Ok(bytes) {
        let have = state.len();
        return Ok(Err(format!("snapshot {id} has {next} of {slices} slices, {have} of {bytes} bytes")));
    }
    Ok(Ok(state))
}

/// Adds the records after `graph.last`, of which there must be every one up to `records`; answers the first number.
async fn read_records(
    view: &mut PgConnection,
    key: GraphKey,
    records: i64,
    graph: &mut StoredGraph,
) -> Result<Option<i64>, StoreError> {
    let mut first = None;
    let mut expected = graph.last.0 + 1;
    let mut rows = sqlx::query(RECORDS).bind(key.0).bind(graph.last.0).fetch(view);
    while let Some(row) = rows.try_next().await? {
        let id: i64 = row.try_get("id")?;
        note_missing(graph, expected, id - 1);
        first = first.or(Some(id));
        expected = id + 1;
        let data: Vec<u8> = row.try_get("data")?;
        if row.try_get::<i64, _>("crc")? != i64::from(record_crc(key, &data)) {
            let what = format!("record {id} does not match its checksum and is left out");
            graph.damage.push(Damage { what, is_loss: true });
            continue;
        }
        graph.tail_bytes += data.len() as u64;
        graph.tail.push(data);
        graph.last = RecordId(id);
    }
    note_missing(graph, expected, records);
    if records < expected - 1 {
        let what = format!("the graph counts {records} records, and has record {}", expected - 1);
        graph.damage.push(Damage { what, is_loss: false });
    }
    Ok(first)
}

fn note_missing(graph: &mut StoredGraph, from: i64, to: i64) {
    if from > to {
        return;
    }
    let what =
        if from == to { format!("record {from} is missing") } else { format!("records {from} to {to} are missing") };
    graph.damage.push(Damage { what, is_loss: true });
}
