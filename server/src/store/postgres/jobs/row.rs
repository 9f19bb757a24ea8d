//! Rows of the table of jobs.

use sqlx::{Row as _, postgres::PgRow};

use crate::store::{
    JobId, JobRecord, StoreError,
    job_rows::{Words, damaged},
};

/// A job's id as it is stored.
pub(super) fn text(job: JobId) -> String {
    job.0.to_string()
}

/// Reads and checks a row.
pub(super) fn job_record(row: &PgRow) -> Result<JobRecord, StoreError> {
    read(row).map_err(|error| match error {
        StoreError::Backend(error) => damaged(row.try_get("id").unwrap_or("of an unknown name"), &error.to_string()),
        other => other,
    })
}

fn read(row: &PgRow) -> Result<JobRecord, StoreError> {
    let words = Words {
        id: row.try_get("id")?,
        graph: row.try_get("graph")?,
        kind: row.try_get("kind")?,
        status: row.try_get("status")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    };
    let meaning = words.meaning()?;
    Ok(JobRecord {
        id: meaning.id,
        graph: meaning.graph,
        kind: meaning.kind,
        client: row.try_get("client")?,
        request: row.try_get("request")?,
        status: meaning.status,
        progress: row.try_get("progress")?,
        state: row.try_get("state")?,
        result: row.try_get("result")?,
        error: row.try_get("error")?,
        stop_asked: row.try_get("stop_asked")?,
        attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
        created_at: meaning.created_at,
        updated_at: meaning.updated_at,
        revision: row.try_get("revision")?,
    })
}
