//! Appending: one statement for a whole batch, whatever graphs it is of.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::{
    PostgresStore,
    refusal::{NOT_NULL, code, invalid},
    text::storable,
};
use crate::store::{JournalRecord, RecordId, StoreError, checksum::record_crc};

/// Records are numbered per graph under the lock of the graph's row. A sequence would give numbers out before the commit,
/// and a smaller one could become visible after a larger one that a reader has acted on; here whoever sees record n has
/// seen all before it, on any number of nodes.
///
/// `held` takes the locks in the order of keys, so that two batches cannot wait for each other in a circle. A batch that
/// had to wait goes on with the rows as the other one left them (READ COMMITTED). A graph that is not there leaves
/// `numbered` without a list, and the insert fails at its first NULL: all or nothing. Records of a deleted graph are
/// taken, change nothing that is seen, and are trimmed.
const APPEND: &str = "WITH held AS MATERIALIZED ( \
        SELECT g.key, t.records, t.at, t.topic \
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS t (key, records, at, topic) \
        JOIN graphs g ON g.key = t.key ORDER BY g.key FOR NO KEY UPDATE OF g \
    ), counted AS ( \
        UPDATE graphs g SET records = g.records + held.records, \
            modified_at = CASE WHEN g.deleted_at IS NULL THEN greatest(g.modified_at, held.at) ELSE g.modified_at END, \
            topic = CASE WHEN g.deleted_at IS NULL THEN coalesce(held.topic, g.topic) ELSE g.topic END \
        FROM held WHERE g.key = held.key RETURNING g.key, g.records - held.records AS before \
    ), numbered AS ( \
        SELECT CASE WHEN count(*) = cardinality($1::bigint[]) THEN array_agg(before ORDER BY key) END AS before FROM counted \
    ), written AS ( \
        INSERT INTO journal (graph, id, at, crc, data) \
        SELECT ($1::bigint[])[r.place], (SELECT before FROM numbered)[r.place] + r.nth, r.at, r.crc, r.data \
        FROM unnest($5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[]) AS r (place, nth, at, crc, data) \
    ) SELECT before FROM numbered";

/// How long a batch may take. It is tried again on another connection: this one may lead to a server that is gone.
const APPENDED_WITHIN: Duration = Duration::from_secs(8);

/// What a batch does to one graph.
#[derive(Default)]
struct Change<'a> {
    records: i64,
    at: i64,
    topic: Option<&'a str>,
}

impl PostgresStore {
    pub(super) async fn append_batch(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let appended = timeout(APPENDED_WITHIN, async {
            let mut lease = self.lease().await?;
            let appended = append(lease.connection(), batch).await;
            lease.settle(appended)
        });
        appended.await.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()))
    }
}

/// Runs the statement on nothing.
pub(super) async fn warm(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    run(connection, &BTreeMap::new(), &Rows::default()).await.map(|_| ())
}

/// The records as columns.
#[derive(Default)]
struct Rows<'a> {
    /// Which of the batch's graphs, from 1, in the order of keys.
    places: Vec<i32>,
    /// Which of its graph's records in the batch, from 1.
    nths: Vec<i64>,
    ats: Vec<i64>,
    crcs: Vec<i64>,
    data: Vec<&'a [u8]>,
}

async fn append(connection: &mut PgConnection, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
    let mut changes = BTreeMap::<i64, Change<'_>>::new();
    let mut rows = Rows::default();
    for JournalRecord { key, update, topic, at } in batch {
        let change = changes.entry(key.0).or_default();
        change.records += 1;
        change.at = at.as_microsecond();
        change.topic = topic.as_deref().or(change.topic);
        rows.nths.push(change.records);
        rows.ats.push(change.at);
        rows.crcs.push(i64::from(record_crc(*key, update)));
        rows.data.push(update);
    }
    let places: HashMap<i64, i32> = changes.keys().copied().zip(1..).collect();
    rows.places.extend(batch.iter().map(|record| places[&record.key.0]));
    let before = run(connection, &changes, &rows).await.map_err(name_missing)?;
    let ids = rows.places.iter().zip(&rows.nths).map(|(place, nth)| {
        let before =
            before.get(*place as usize - 1).ok_or_else(|| invalid("the append answered too little".to_owned()))?;
        Ok(RecordId(before + nth))
    });
    ids.collect()
}

/// Answers, in the order of keys, how many records each graph had before.
async fn run(
    connection: &mut PgConnection,
    changes: &BTreeMap<i64, Change<'_>>,
    rows: &Rows<'_>,
) -> Result<Vec<i64>, sqlx::Error> {
    let topics: Vec<_> = changes.values().map(|change| change.topic.map(storable)).collect();
    let before: Option<Vec<i64>> = sqlx::query_scalar(APPEND)
        .bind(changes.keys().copied().collect::<Vec<_>>())
        .bind(changes.values().map(|change| change.records).collect::<Vec<_>>())
        .bind(changes.values().map(|change| change.at).collect::<Vec<_>>())
        .bind(topics)
        .bind(&rows.places)
        .bind(&rows.nths)
        .bind(&rows.ats)
        .bind(&rows.crcs)
        .bind(&rows.data)
        .fetch_one(connection)
        .await?;
    Ok(before.unwrap_or_default())
}

fn name_missing(error: sqlx::Error) -> StoreError {
    if code(&error).as_deref() == Some(NOT_NULL) {
        return invalid("a record is of a graph that was never created".to_owned());
    }
    error.into()
}
