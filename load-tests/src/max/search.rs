//! Looking for the highest rate that is kept.

/// A step grows the rate by half.
const GROWTH: f64 = 1.5;

/// Halvings of the interval after the first step that failed.
const HALVINGS: u32 = 4;

/// A search that is told step by step what came of it.
pub struct Search<T> {
    next: Option<u32>,
    kept: Option<(u32, T)>,
    failed: Option<(u32, T)>,
    halvings: u32,
}

/// Its result.
pub struct Found<T> {
    /// The highest step that was kept.
    pub kept: T,
    /// The lowest one above it, which was not.
    pub failed: Option<T>,
}

impl<T> Search<T> {
    /// Begins with this rate.
    pub fn new(start: u32) -> Self {
        Self { next: Some(start), kept: None, failed: None, halvings: HALVINGS }
    }

    /// The next rate to try.
    pub fn next(&self) -> Option<u32> {
        self.next
    }

    /// What came of it.
    pub fn tell(&mut self, rate: u32, step: T, is_kept: bool) {
        if is_kept {
            self.kept = Some((rate, step));
        } else {
            self.failed = Some((rate, step));
        }
        self.next = match (&self.kept, &self.failed) {
            (Some((kept, _)), None) => Some((f64::from(*kept) * GROWTH).ceil() as u32),
            // Too high to begin with: down until something is kept.
            (None, Some((failed, _))) => Some(failed / 4).filter(|&rate| rate > 0),
            (Some((kept, _)), Some((failed, _))) => {
                let middle = kept.midpoint(*failed);
                let is_worth_it = self.halvings > 0 && middle > *kept;
                self.halvings = self.halvings.saturating_sub(1);
                is_worth_it.then_some(middle)
            }
            (None, None) => None,
        };
    }

    /// The result; `None` if nothing was kept.
    pub fn found(self) -> Option<Found<T>> {
        let (_, kept) = self.kept?;
        Some(Found { kept, failed: self.failed.map(|(_, step)| step) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates that are tried when the limit is `limit`, and what is found.
    fn tried(start: u32, limit: u32) -> (Vec<u32>, Option<u32>) {
        let mut search = Search::new(start);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            search.tell(rate, rate, rate <= limit);
        }
        (tried, search.found().map(|found| found.kept))
    }

    #[test]
    fn it_grows_until_a_step_fails_and_then_halves_the_interval() {
        assert_eq!(tried(100, 200), (vec![100, 150, 225, 187, 206, 196, 201], Some(196)));
    }

    #[test]
    fn it_goes_down_when_it_began_too_high() {
        assert_eq!(tried(1000, 100), (vec![1000, 250, 62, 156, 109, 85, 97], Some(97)));
        assert_eq!(tried(5, 0), (vec![5, 1], None));
    }
}
