//! Order statistics of a few thousand measurements, kept whole: no buckets, no rounding.

use std::time::Duration;

/// Measurements in ascending order; there is at least one.
#[derive(Debug, Clone)]
pub struct Sorted(Vec<Duration>);

impl Sorted {
    /// `None` when nothing was measured.
    pub fn new(mut measured: Vec<Duration>) -> Option<Self> {
        measured.sort_unstable();
        (!measured.is_empty()).then_some(Self(measured))
    }

    /// The smallest measurement that at least `percent` per cent of all do not exceed (nearest rank), so that the
    /// answer is always something that was measured. 0 is the minimum, 100 the maximum.
    pub fn percentile(&self, percent: u32) -> Duration {
        let count = self.0.len();
        let rank = (count * percent.min(100) as usize).div_ceil(100);
        self.0[rank.max(1) - 1]
    }

    /// How many measurements there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Half of the measurements do not exceed it.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

/// Milliseconds with microseconds behind the point.
pub fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(ms: impl IntoIterator<Item = u64>) -> Sorted {
        Sorted::new(ms.into_iter().map(Duration::from_millis).collect()).unwrap()
    }

    #[test]
    fn nothing_measured_has_no_percentiles() {
        assert!(Sorted::new(Vec::new()).is_none());
    }

    #[test]
    fn one_measurement_is_every_percentile() {
        let one = sorted([7]);
        for percent in [0, 1, 50, 99, 100, 250] {
            assert_eq!(one.percentile(percent), Duration::from_millis(7), "{percent}");
        }
    }

    #[test]
    fn percentiles_are_nearest_ranks_whatever_the_order() {
        let hundred = sorted((1..=100).rev());
        for percent in 1..=100 {
            assert_eq!(hundred.percentile(percent), Duration::from_millis(u64::from(percent)));
        }
        assert_eq!(hundred.percentile(0), Duration::from_millis(1));
        // The textbook's example of the nearest-rank method.
        let five = sorted([15, 20, 35, 40, 50]);
        let ranks = [(5, 15), (30, 20), (40, 20), (50, 35), (100, 50)];
        for (percent, expected) in ranks {
            assert_eq!(five.percentile(percent), Duration::from_millis(expected), "{percent}");
        }
    }

    #[test]
    fn an_outlier_moves_the_maximum_and_not_the_median() {
        let noisy = sorted([1, 1, 1, 1, 900]);
        assert_eq!(noisy.median(), Duration::from_millis(1));
        assert_eq!(noisy.percentile(100), Duration::from_millis(900));
    }

    #[test]
    fn milliseconds_keep_microseconds() {
        assert!((ms(Duration::from_micros(1234)) - 1.234).abs() < f64::EPSILON);
    }
}
