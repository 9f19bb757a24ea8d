//! How long to wait before a provider is asked again.

use std::time::Duration;

use crate::ai::provider::ProviderError;

/// All pauses of one request together; whoever asks for more is not asked again.
const PAUSES_MAX: Duration = Duration::from_secs(30);

/// The first pause is shorter than this, the second than twice as much, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The pauses of one request.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    count: u32,
    waited: Duration,
}

impl Pauses {
    /// The next one: what the provider asked for, else any time up to a bound that doubles, so that not all who failed come back
    /// at once. `None` when it would be too much.
    pub fn next(&mut self, error: &ProviderError) -> Option<Duration> {
        let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.count));
        let some = longest.mul_f64(rand::random_range(0.0..=1.0)).min(PAUSES_MAX.saturating_sub(self.waited));
        let pause = match error {
            ProviderError::RateLimited { retry_after: Some(after) } => *after,
            _ => some,
        };
        self.count += 1;
        self.waited = self.waited.saturating_add(pause);
        (self.waited <= PAUSES_MAX).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut pauses = Pauses::default();
        for doublings in 0..40 {
            let pause = pauses.next(&ProviderError::Cut).expect("what we choose ourselves is never too much");
            assert!(pause <= FIRST_PAUSE * 2_u32.pow(doublings.min(8)), "{doublings}: {pause:?}");
        }
        assert!(pauses.waited <= PAUSES_MAX);
    }

    #[test]
    fn what_is_asked_for_is_kept_or_refused() {
        let asks = |seconds| ProviderError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
        let mut pauses = Pauses::default();
        assert_eq!(pauses.next(&asks(20)), Some(Duration::from_secs(20)));
        assert_eq!(pauses.next(&asks(10)), Some(Duration::from_secs(10)));
        assert_eq!(pauses.next(&asks(1)), None);
        assert_eq!(Pauses::default().next(&asks(31)), None);
        assert_eq!(Pauses::default().next(&asks(u64::MAX)), None);
    }
}
