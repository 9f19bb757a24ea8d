//! Bytes that something may hold on this node, of all rooms and clients together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this size.
const UNIT_BYTES: usize = 1 << 10;

/// A number of bytes to be shared out, in the order in which they are asked for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    units: Arc<Semaphore>,
    units_max: u32,
}

/// Somebody's part of a budget; dropping it gives it back.
#[derive(Debug)]
pub struct Share(OwnedSemaphorePermit);

impl ByteBudget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let units_max = u32::try_from(bytes_max / UNIT_BYTES).unwrap_or(u32::MAX);
        Self { units: Arc::new(Semaphore::new(units_max as usize)), units_max }
    }

    /// Waits for so many bytes; what is larger than the budget takes all of it. `None` = nothing is left to share out, ever.
    pub async fn take(&self, bytes: usize) -> Option<Share> {
        self.units.clone().acquire_many_owned(self.units_of(bytes)).await.ok().map(Share)
    }

    /// As [`ByteBudget::take`] if they are there at once.
    pub fn try_take(&self, bytes: usize) -> Option<Share> {
        self.units.clone().try_acquire_many_owned(self.units_of(bytes)).ok().map(Share)
    }

    /// Bytes that nobody has at present.
    pub fn left_bytes(&self) -> usize {
        self.units.available_permits() * UNIT_BYTES
    }

    fn units_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.units_max)
    }
}

impl Share {
    /// Gives back what is more than so many bytes; nothing is left of it for zero.
    #[must_use]
    pub fn shrunk_to(mut self, bytes: usize) -> Option<Self> {
        let kept = bytes.div_ceil(UNIT_BYTES);
        if kept == 0 {
            return None;
        }
        if let Some(surplus) = self.0.num_permits().checked_sub(kept) {
            drop(self.0.split(surplus));
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn take(budget: &ByteBudget, bytes: usize) -> Option<Share> {
        budget.take(bytes).now_or_never().flatten()
    }

    #[tokio::test]
    async fn bytes_are_shared_out_and_given_back() {
        let budget = ByteBudget::new(10 << 10);
        let share = take(&budget, 6_000).unwrap();
        assert_eq!(budget.left_bytes(), 4 << 10);
        assert!(take(&budget, 5 << 10).is_none(), "it would have to wait");
        let share = share.shrunk_to(1).unwrap();
        assert_eq!(budget.left_bytes(), 9 << 10);
        drop(share);
        let all = take(&budget, 1 << 30).unwrap();
        assert_eq!(budget.left_bytes(), 0);
        assert!(all.shrunk_to(0).is_none());
        assert_eq!(budget.left_bytes(), 10 << 10);
    }
}
