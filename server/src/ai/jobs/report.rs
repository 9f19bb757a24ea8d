//! A job as people see it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    error::JobError,
    request::JobRequest,
    saga::{Saga, Step},
};
use crate::store::{JobRecord, JobStatus};

/// A job.
#[derive(Clone, Debug, Serialize)]
pub struct JobReport {
    /// Its name.
    pub job_id: String,
    /// The map.
    pub graph_id: String,
    /// `generate`, `expand` or `coherence`.
    pub kind: &'static str,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: &'static str,
    /// 0 to 1.
    pub progress: f64,
    /// What is under way.
    pub step: &'static str,
    /// Why it failed.
    pub error: Option<JobError>,
    /// What came of it.
    pub result: Option<Value>,
    /// The node that it is about.
    pub node_id: Option<String>,
    /// Who answers.
    pub provider: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// `ai` or `template`.
    pub source: Option<String>,
    /// Whether all answers were kept ones.
    pub is_cached: bool,
    /// Whether the template stood in for the provider.
    pub is_fallback: bool,
    /// Whether somebody wants it to stop.
    pub stop_asked: bool,
    /// What it has used up.
    pub usage: UsageReport,
    /// How many nodes.
    pub nodes: NodesReport,
    /// How often a node has taken it.
    pub attempts: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// What a job has used up.
#[derive(Clone, Debug, Serialize)]
pub struct UsageReport {
    /// Tokens read by the model.
    pub input_tokens: u64,
    /// Tokens written by it.
    pub output_tokens: u64,
    /// US dollars, as far as prices are known.
    pub cost_usd: f64,
}

/// How many nodes a job has made, and what became of them.
#[derive(Clone, Debug, Serialize)]
pub struct NodesReport {
    /// Made.
    pub written: usize,
    /// Accepted.
    pub accepted: usize,
    /// Rejected.
    pub rejected: usize,
    /// Taken back.
    pub undone: usize,
    /// Stayed at the last of these, because people had touched them.
    pub kept: usize,
}

impl JobReport {
    /// The report of a job.
    pub fn of(record: &JobRecord) -> Self {
        let saga = Saga::read(&record.state);
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let is_over = !matches!(record.status, JobStatus::Queued | JobStatus::Running);
        let node_id = match serde_json::from_str(&record.request) {
            Ok(JobRequest::Expand(request)) => Some(request.node),
            _ => None,
        };
        Self {
            job_id: record.id.to_string(),
            graph_id: record.graph.to_string(),
            kind: record.kind.as_str(),
            status: record.status.as_str(),
            progress: if record.status == JobStatus::Succeeded { 1.0 } else { rounded(record.progress) },
            step: if is_over { Step::Done.as_str() } else { saga.step.as_str() },
            error: record.error.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            result: parse(&record.result),
            node_id,
            provider: named(&saga.provider),
            model: named(&saga.model),
            source: named(&saga.source),
            is_cached: saga.is_cached,
            is_fallback: saga.is_fallback,
            stop_asked: record.stop_asked,
            usage: UsageReport {
                input_tokens: saga.input_tokens,
                output_tokens: saga.output_tokens,
                cost_usd: saga.cost_micro_dollars as f64 / 1_000_000.0,
            },
            nodes: NodesReport {
                written: saga.written.len(),
                accepted: saga.verdicts.accepted,
                rejected: saga.verdicts.rejected,
                undone: saga.verdicts.undone,
                kept: saga.verdicts.kept,
            },
            attempts: record.attempts,
            created_at: record.created_at,
            updated_at: record.updated_at,
            warnings: saga.warnings,
        }
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_over(&self) -> bool {
        !matches!(self.status, "queued" | "running")
    }
}

fn rounded(progress: f64) -> f64 {
    (progress * 100.0).round() / 100.0
}
