//! Reading the records of a damaged graph one by one, around pages that cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::{Row, sqlite::SqliteConnection};

use super::{checksum::record_crc, refusal::corruption};
use crate::store::{GraphKey, StoreError};

/// Unreadable places that one walk goes around.
const DETOURS_MAX: u32 = 1_000;

/// Records after some point.
#[derive(Default)]
pub(super) struct Records {
    pub(super) readable: BTreeMap<i64, Vec<u8>>,
    /// Which are there and cannot be read, and why.
    pub(super) unreadable: Vec<String>,
    /// Rows of filed records, readable or not.
    pub(super) filed: usize,
}

/// A table of records, and how to read it without its index.
struct Table {
    walk: &'static str,
    next: &'static str,
    record: &'static str,
}

const FILED: Table = Table {
    walk: "SELECT id, graph FROM updates NOT INDEXED WHERE id > ?1 ORDER BY id",
    next: "SELECT id FROM updates NOT INDEXED WHERE id > ?1 ORDER BY id LIMIT 1",
    record: "SELECT crc, data FROM updates WHERE id = ?1",
};

const NOT_FILED: Table = Table {
    walk: "SELECT id, graph FROM journal WHERE id > ?1 ORDER BY id",
    next: "SELECT id FROM journal WHERE id > ?1 ORDER BY id LIMIT 1",
    record: "SELECT crc, data FROM journal WHERE id = ?1",
};

/// Reads the graph's records after `after`; of those that are filed there should be `promised`.
pub(super) async fn read_records(
    view: &mut SqliteConnection,
    key: GraphKey,
    after: i64,
    promised: i64,
) -> Result<Records, StoreError> {
    let mut filed = index_ids(view, key, after).await?;
    if i64::try_from(filed.len()) != Ok(promised) {
        // The index does not name all of them, or names too many.
        filed.extend(walk(view, &FILED, key, after).await?.ids);
    }
    let mut records = Records { filed: filed.len(), ..Records::default() };
    read_each(view, &FILED, key, &filed, &mut records).await?;
    let journal = walk(view, &NOT_FILED, key, i64::MIN).await?;
    if !journal.is_whole {
        // Nobody has counted these.
        records.unreadable.push("a part of the journal cannot be read: it may be this graph's".to_owned());
    }
    let twice = journal.ids.intersection(&filed).map(|id| format!("record {id} is there twice"));
    records.unreadable.extend(twice);
    let journal = journal.ids.difference(&filed).copied().collect();
    read_each(view, &NOT_FILED, key, &journal, &mut records).await?;
    Ok(records)
}

/// Numbers of the graph's filed records, as far as the index can be read.
async fn index_ids(view: &mut SqliteConnection, key: GraphKey, after: i64) -> Result<BTreeSet<i64>, StoreError> {
    let mut ids = BTreeSet::new();
    let mut rows = sqlx::query_scalar::<_, i64>("SELECT id FROM updates WHERE graph = ?1 AND id > ?2 ORDER BY id")
        .bind(key.0)
        .bind(after)
        .fetch(view);
    loop {
        match rows.try_next().await {
            // Pages that refer to each other in a circle would never end.
            Ok(Some(id)) if ids.last().is_none_or(|last| *last < id) => _ = ids.insert(id),
            Ok(_) => return Ok(ids),
            Err(error) => return corruption(error).map(|_| ids),
        }
    }
}

/// What a walk through a table came by.
struct Walked {
    /// Numbers of the graph's records.
    ids: BTreeSet<i64>,
    /// Whether there was nothing that it had to go around.
    is_whole: bool,
}

/// Walks through a table, around what cannot be read.
async fn walk(view: &mut SqliteConnection, table: &Table, key: GraphKey, after: i64) -> Result<Walked, StoreError> {
    let (mut ids, mut at) = (BTreeSet::new(), after);
    for detours in 0..DETOURS_MAX {
        if walk_on(view, table, key, &mut at, &mut ids).await? {
            return Ok(Walked { ids, is_whole: detours == 0 });
        }
        match next_id(view, table, at).await? {
            // It can be found, so it is that row that cannot be read.
            Next::Row(id) => at = id,
            Next::End => break,
            Next::Unreadable => match behind(view, table, at).await? {
                Some(readable_after) => at = readable_after,
                None => break,
            },
        }
    }
    Ok(Walked { ids, is_whole: false })
}

/// Walks until something cannot be read; answers whether it came to the end.
async fn walk_on(
    view: &mut SqliteConnection,
    table: &Table,
    key: GraphKey,
    at: &mut i64,
    ids: &mut BTreeSet<i64>,
) -> Result<bool, StoreError> {
    let mut rows = sqlx::query_as::<_, (i64, i64)>(table.walk).bind(*at).fetch(view);
    loop {
        match rows.try_next().await {
            Ok(Some((id, graph))) if id > *at => {
                *at = id;
                if graph == key.0 {
                    ids.insert(id);
                }
            }
            Ok(Some(_)) => return Ok(false),
            Ok(None) => return Ok(true),
            Err(error) => return corruption(error).map(|_| false),
        }
    }
}

enum Next {
    Row(i64),
    End,
    Unreadable,
}

async fn next_id(view: &mut SqliteConnection, table: &Table, at: i64) -> Result<Next, StoreError> {
    match sqlx::query_scalar::<_, i64>(table.next).bind(at).fetch_optional(view).await {
        Ok(Some(id)) if id > at => Ok(Next::Row(id)),
        Ok(Some(_)) => Ok(Next::Unreadable),
        Ok(None) => Ok(Next::End),
        Err(error) => corruption(error).map(|_| Next::Unreadable),
    }
}

/// The place nearest to `at`, found by doubling and halving the distance, after which rows can be found again.
async fn behind(view: &mut SqliteConnection, table: &Table, at: i64) -> Result<Option<i64>, StoreError> {
    let (mut unreadable, mut distance) = (at, 1_i64);
    let mut readable = loop {
        let Some(place) = at.checked_add(distance) else {
            return Ok(None);
        };
        match next_id(view, table, place).await? {
            Next::Row(_) | Next::End => break place,
            Next::Unreadable => unreadable = place,
        }
        let Some(doubled) = distance.checked_mul(2) else {
            return Ok(None);
        };
        distance = doubled;
    };
    while readable - unreadable > 1 {
        let middle = unreadable + (readable - unreadable) / 2;
        match next_id(view, table, middle).await? {
            Next::Row(_) | Next::End => readable = middle,
            Next::Unreadable => unreadable = middle,
        }
    }
    Ok(Some(readable))
}

async fn read_each(
    view: &mut SqliteConnection,
    table: &Table,
    key: GraphKey,
    ids: &BTreeSet<i64>,
    records: &mut Records,
) -> Result<(), StoreError> {
    for &id in ids {
        match read_one(view, table, key, id).await? {
            Ok(data) => _ = records.readable.insert(id, data),
            Err(what) => records.unreadable.push(what),
        }
    }
    Ok(())
}

/// The inner error says why the record cannot be read.
async fn read_one(
    view: &mut SqliteConnection,
    table: &Table,
    key: GraphKey,
    id: i64,
) -> Result<Result<Vec<u8>, String>, StoreError> {
    let row = match sqlx::query(table.record).bind(id).fetch_optional(view).await {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(Err(format!("record {id} is missing"))),
        Err(error) => return corruption(error).map(|what| Err(format!("record {id} cannot be read: {what}"))),
    };
    match (row.try_get::<Vec<u8>, _>("data"), row.try_get::<i64, _>("crc")) {
        (Ok(data), Ok(crc)) if crc == i64::from(record_crc(key, &data)) => Ok(Ok(data)),
        (Ok(_), Ok(_)) => Ok(Err(format!("record {id} does not match its checksum"))),
        (Err(error), _) | (_, Err(error)) => corruption(error).map(|what| Err(format!("record {id}: {what}"))),
    }
}
