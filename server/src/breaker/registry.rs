//! All breakers of the process, for operators.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{Breaker, BreakerReport};

/// Breakers that may be listed; there is one for each program that is called, so nobody comes near.
const BREAKERS_MAX: usize = 64;

/// The breakers of the process, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Breakers(Arc<RwLock<Vec<Breaker>>>);

impl Breakers {
    /// Lists one more; one of the same name gives way.
    pub fn add(&self, breaker: Breaker) {
        let mut breakers = self.0.write();
        breakers.retain(|other| other.name() != breaker.name());
        if breakers.len() < BREAKERS_MAX {
            breakers.push(breaker);
        }
    }

    /// How they stand, in the order in which they came.
    pub fn list(&self) -> Vec<BreakerReport> {
        self.0.read().iter().map(Breaker::report).collect()
    }

    /// Closes one; how it stands then. `None`: there is none of that name.
    pub fn reset(&self, name: &str) -> Option<BreakerReport> {
        let breaker = self.0.read().iter().find(|breaker| breaker.name() == name).cloned()?;
        breaker.reset();
        tracing::info!(breaker = name, "it was reset by an operator");
        Some(breaker.report())
    }
}
