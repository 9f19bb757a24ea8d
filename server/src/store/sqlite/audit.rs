//! Looking for damage that no load of a graph would come by.

use std::fmt::Display;

use futures_util::TryStreamExt;
use sqlx::{Connection, Row, sqlite::SqliteConnection};

use super::{
    SqliteStore, filing,
    load::{GraphRow, name_damage},
    refusal::corruption,
    snapshot::SnapshotRow,
    versions::version_of,
};
use crate::store::{GraphKey, Purpose, StoreError};

/// Findings of one kind that are named.
const NAMED_MAX: usize = 100;

/// What has been found, and how much of it is named.
#[derive(Default)]
struct Findings(Vec<String>);

impl SqliteStore {
    /// What is wrong with the table of graphs or its indexes, if anything is; reads that table alone.
    pub(super) async fn doubt_about_graphs(&self) -> Result<Option<String>, StoreError> {
        let checked = sqlx::query_scalar("PRAGMA integrity_check(graphs)").fetch_one(&self.readers).await;
        match checked {
            Ok(line) => Ok(Some(line).filter(|line: &String| line != "ok")),
            Err(error) => corruption(error).map(Some),
        }
    }

    pub(super) async fn audit(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = Findings::default();
        // Each in a view of its own: a long one keeps the log from starting over.
        let mut view = self.readers.acquire().await?;
        check_pages(&mut view, &mut findings).await?;
        check_owners(&mut view, &mut findings).await?;
        check_counts(&mut view, &mut findings).await?;
        check_versions(&mut view, &mut findings).await?;
        check_previous(&mut view, &mut findings).await?;
        Ok(findings.0)
    }
}

impl Findings {
    /// Notes what a check found, also that it could not be made.
    fn note(&mut self, what: &str, checked: Result<Vec<String>, sqlx::Error>) -> Result<(), StoreError> {
        match checked {
            Ok(found) => self.0.extend(found),
            Err(error) => self.add(format_args!("{what} cannot be checked: {}", corruption(error)?)),
        }
        Ok(())
    }

    fn add(&mut self, what: impl Display) {
        self.0.push(what.to_string());
    }
}

/// Pages, the order of rows, and indexes against their tables.
async fn check_pages(view: &mut SqliteConnection, findings: &mut Findings) -> Result<(), StoreError> {
    const { assert!(NAMED_MAX == 100, "the statement below says it too") };
    let mut lines = Vec::new();
    let mut rows = sqlx::query_scalar::<_, String>("PRAGMA integrity_check(100)").fetch(view);
    let ended = loop {
        match rows.try_next().await {
            Ok(Some(line)) if line == "ok" => {}
            Ok(Some(line)) => lines.push(line),
            Ok(None) => break Ok(lines),
            // What came before it counts all the same.
            Err(error) => {
                findings.0.extend(lines);
                break Err(error);
            }
        }
    };
    findings.note("the file", ended)
}

/// Rows whose graph or snapshot is not there.
async fn check_owners(view: &mut SqliteConnection, findings: &mut Findings) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT ?1")
        .bind(NAMED_MAX as i64)
        .fetch_all(&mut *view)
        .await;
    let named = rows.and_then(|rows| {
        let name = |row: &sqlx::sqlite::SqliteRow| {
            let (table, id, parent): (String, Option<i64>, String) =
                (row.try_get("table")?, row.try_get("rowid")?, row.try_get("parent")?);
            Ok(format!("row {} of {table} belongs to a row of {parent} that is not there", id.unwrap_or(0)))
        };
        rows.iter().map(name).collect()
    });
    findings.note("whether rows have owners", named)
}

/// Numbers that follow on each other, and nothing beyond the newest.
async fn check_counts(view: &mut SqliteConnection, findings: &mut Findings) -> Result<(), StoreError> {
    let missing = sqlx::query_scalar::<_, i64>("SELECT records_missing FROM identity").fetch_all(&mut *view).await;
    let told = missing.map(|missing| match missing.as_slice() {
        [0] => Vec::new(),
        [missing] => vec![format!("{missing} records were missing from the journal when they were to be filed")],
        _ => vec!["the database has lost its identity".to_owned()],
    });
    findings.note("what was missing from the journal", told)?;
    let gap = journal_gap(view).await;
    findings.note("the journal", gap.map(|gap| gap.into_iter().collect()))
}

/// The journal goes on where the filed records end, without a gap.
async fn journal_gap(view: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let (records, first, last, filed): (i64, i64, i64, i64) = sqlx::query_as(filing::SPAN).fetch_one(view).await?;
    if records == 0 || (first, last) == (filed + 1, filed + records) {
        return Ok(None);
    }
    Ok(Some(format!("the journal has {records} records from {first} to {last}, and the last that is filed is {filed}")))
}

async fn check_versions(view: &mut SqliteConnection, findings: &mut Findings) -> Result<(), StoreError> {
    let mut rows = sqlx::query("SELECT * FROM versions ORDER BY id").fetch(view);
    let mut named = 0;
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => match version_of(&row) {
                Err(error) if named < NAMED_MAX => {
                    named += 1;
                    findings.add(error);
                }
                _ => {}
            },
            Ok(None) => return Ok(()),
            Err(error) => return findings.note("versions", Err(error)),
        }
    }
}

/// Snapshots before the current ones are read by nobody until they are needed.
async fn check_previous(view: &mut SqliteConnection, findings: &mut Findings) -> Result<(), StoreError> {
    let keys = sqlx::query_scalar::<_, i64>(
        "SELECT key FROM graphs WHERE deleted_at IS NULL AND previous_snapshot IS NOT NULL ORDER BY key",
    )
    .fetch_all(&mut *view)
    .await;
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => return findings.note("previous snapshots", Err(error)),
    };
    for key in keys.into_iter().map(GraphKey) {
        // One view: the next compaction replaces it.
        let mut view = view.begin().await?;
        match read_previous(&mut view, key).await.map_err(|error| name_damage(key, error)) {
            Ok(()) | Err(StoreError::Gone(_)) => {}
            Err(StoreError::Damaged { what, .. }) => {
                findings.add(format_args!("graph key {}, the snapshot before its current one: {what}", key.0));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

async fn read_previous(view: &mut SqliteConnection, key: GraphKey) -> Result<(), StoreError> {
    let Some(previous) = GraphRow::find(view, key).await?.previous else {
        return Ok(());
    };
    SnapshotRow::find(view, key, previous, Purpose::Compaction).await?.read(view, key, |_| {}).await
}
