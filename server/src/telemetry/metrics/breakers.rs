//! Circuit breakers.

use metrics::{describe_gauge, gauge};

use crate::breaker::{BreakerReport, Position};

pub(super) fn describe() {
    describe_gauge!("synapti_breaker_state", "How a circuit breaker stands: 0 closed, 1 half open, 2 open");
}

/// Notes how they stand.
pub(super) fn note(reports: &[BreakerReport]) {
    for report in reports {
        let state = match report.position {
            Position::Closed => 0.0,
            Position::HalfOpen => 1.0,
            Position::Open => 2.0,
        };
        gauge!("synapti_breaker_state", "name" => report.name.clone()).set(state);
    }
}
