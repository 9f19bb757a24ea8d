//! The one place that says which status a failed job has.

use axum::http::StatusCode;

use super::{error::ApiError, state::AppState};
use crate::{
    ai::jobs::{JobError, SettleError},
    store::JobRecord,
};

/// When to come back to a provider that is away.
const PROVIDER_RETRY_SECONDS: u32 = 30;

/// The error of a job as that of a request that waited for it.
pub fn of_job(app: &AppState, error: &JobError, record: Option<&JobRecord>) -> ApiError {
    let message = match record {
        Some(record) => format!("{} (job {})", error.message, record.id),
        None => error.message.clone(),
    };
    match error.code.as_str() {
        "budget_spent" => {
            let seconds = u32::try_from(app.jobs.until_midnight().as_secs()).unwrap_or(u32::MAX);
            ApiError::come_back(StatusCode::TOO_MANY_REQUESTS, "budget_spent", message, seconds)
        }
        "provider_rate_limited" => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            ApiError::come_back(status, "provider_rate_limited", message, PROVIDER_RETRY_SECONDS)
        }
        "provider_unreachable" | "provider_open" => {
            ApiError::unavailable("ai_unavailable", message, PROVIDER_RETRY_SECONDS)
        }
        "store_unavailable" | "room_unavailable" => ApiError::unavailable("store_unavailable", message, 2),
        "provider_too_slow" => ApiError::new(StatusCode::GATEWAY_TIMEOUT, "ai_too_slow", message),
        "node_not_found" => ApiError::new(StatusCode::NOT_FOUND, "node_not_found", message),
        "graph_not_found" => ApiError::new(StatusCode::NOT_FOUND, "graph_not_found", message),
        "graph_deleted" => ApiError::new(StatusCode::GONE, "gone", message),
        "graph_exists" => ApiError::new(StatusCode::CONFLICT, "graph_exists", message),
        "graph_too_large" => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "graph_too_large", message),
        "model_declined" => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "model_declined", message),
        _ => ApiError::new(StatusCode::BAD_GATEWAY, "ai_failed", message),
    }
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> Self {
        let message = error.to_string();
        match error {
            SettleError::Running => Self::new(StatusCode::CONFLICT, "job_running", message),
            SettleError::Room(error) => error.into(),
            SettleError::Store(error) => error.into(),
        }
    }
}
