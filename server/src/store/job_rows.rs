//! What is the same about rows of jobs on every backend.

use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

use super::{JobEnd, JobId, JobKind, JobStatus, NewJob, Spent, StoreError};

/// Longest text of a job that is stored: request, state, result, error.
pub const JOB_TEXT_BYTES_MAX: usize = 1 << 20;

/// Jobs that one page of a list may have.
pub(super) const LIST_ROWS_MAX: u32 = 1_000;

/// Rows that one call of `trim_jobs` removes.
pub(super) const TRIM_ROWS_MAX: u32 = 1_000;

/// Largest sum of a day: two of them fit into the database's numbers.
const SPENT_MAX: i64 = 1 << 61;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// What is told of a job whose row cannot be read, as its `error`.
pub(super) const DAMAGED: &str =
    r#"{"code":"job_damaged","message":"what was stored of this job is damaged: ask for it again"}"#;

impl JobKind {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Expand => "expand",
            Self::Coherence => "coherence",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Generate, Self::Expand, Self::Coherence].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl JobStatus {
    const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing is done for the job any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// A row's words that have to mean something.
pub(super) struct Words<'a> {
    pub(super) id: &'a str,
    pub(super) graph: &'a str,
    pub(super) kind: &'a str,
    pub(super) status: &'a str,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// What they mean.
pub(super) struct Meaning {
    pub(super) id: JobId,
    pub(super) graph: GraphId,
    pub(super) kind: JobKind,
    pub(super) status: JobStatus,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Words<'_> {
    pub(super) fn meaning(&self) -> Result<Meaning, StoreError> {
        let no = |what: &str, found: &str| damaged(self.id, &format!("{found:?} is not {what}"));
        let time = |at: i64| Timestamp::from_microsecond(at).map_err(|_| no("a time", &at.to_string()));
        Ok(Meaning {
            id: JobId(self.id.parse().map_err(|_| no("a job's id", self.id))?),
            graph: self.graph.parse().map_err(|_| no("a map's id", self.graph))?,
            kind: JobKind::parse(self.kind).ok_or_else(|| no("a kind of job", self.kind))?,
            status: JobStatus::parse(self.status).ok_or_else(|| no("a status", self.status))?,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        })
    }
}

/// A row that is not what was written.
pub(super) fn damaged(id: &str, what: &str) -> StoreError {
    StoreError::Unusable(format!(
        "the stored job {id} is damaged: {what}; run `synapti check`, and restore the database from a backup if it finds more"
    ))
}

pub(super) fn check_new(job: &NewJob) -> Result<(), StoreError> {
    check_text("request", Some(&job.request))
}

pub(super) fn check_state(state: &str) -> Result<(), StoreError> {
    check_text("state", Some(state))
}

/// Whether a job can end so.
pub(super) fn check_end(end: &JobEnd) -> Result<(), StoreError> {
    if !end.status.is_over() {
        let status = end.status.as_str();
        return Err(StoreError::Unusable(format!("a job cannot end as {status}: this is a fault in the program")));
    }
    check_text("state", Some(&end.state))?;
    check_text("result", end.result.as_deref())?;
    check_text("error", end.error.as_deref())
}

fn check_text(what: &str, text: Option<&str>) -> Result<(), StoreError> {
    let bytes = text.map_or(0, str::len);
    if bytes <= JOB_TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "the {what} of a job has {bytes} bytes, and no more than {JOB_TEXT_BYTES_MAX} are stored: ask for less at once"
    )))
}

/// Progress as it may be stored.
pub(super) fn progress(progress: f64) -> f64 {
    if progress.is_finite() { progress.clamp(0.0, 1.0) } else { 0.0 }
}

/// Days since 1970-01-01 UTC.
pub(super) fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SECONDS_PER_DAY)
}

/// Tokens and millionths of a dollar as they are added up.
pub(super) fn amounts(spent: Spent) -> (i64, i64) {
    let bounded = |amount: u64| i64::try_from(amount).unwrap_or(SPENT_MAX).min(SPENT_MAX);
    (bounded(spent.tokens), bounded(spent.micro_dollars))
}

/// The largest sum that is stored.
pub(super) const fn spent_max() -> i64 {
    SPENT_MAX
}

/// Sums of rows of one day: whose they are, tokens, millionths of a dollar.
pub(super) fn sums(rows: &[(String, i64, i64)]) -> (Spent, Spent) {
    let of = |kind: &str| {
        let row = rows.iter().find(|(found, ..)| found == kind);
        row.map_or(Spent::default(), |(_, tokens, micro_dollars)| Spent {
            tokens: u64::try_from(*tokens).unwrap_or(0),
            micro_dollars: u64::try_from(*micro_dollars).unwrap_or(0),
        })
    };
    (of("user"), of("graph"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in [JobKind::Generate, JobKind::Expand, JobKind::Coherence] {
            assert_eq!(JobKind::parse(kind.as_str()), Some(kind));
        }
        for status in JobStatus::ALL {
            assert_eq!(JobStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(JobStatus::parse("done"), None);
    }

    #[test]
    fn progress_is_a_share() {
        for (given, stored) in [(0.25, 0.25), (-1.0, 0.0), (7.0, 1.0), (f64::NAN, 0.0), (f64::INFINITY, 0.0)] {
            assert!((progress(given) - stored).abs() < f64::EPSILON, "{given}");
        }
    }

    #[test]
    fn days_end_at_midnight_utc() {
        let day_of = |second| day(Timestamp::from_second(second).unwrap());
        assert_eq!((day_of(-1), day_of(0), day_of(86_399), day_of(86_400)), (-1, 0, 0, 1));
    }
}
