//! The rate of a transfer while one side waits for the other.

use std::time::Duration;

/// The time in which a rate is measured: the time waited, and the bytes transferred, since the last check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateWindow {
    /// The minimum number of bytes per second.
    min_rate: u64,
    length: Duration,
    waited: Duration,
    bytes: u64,
}

/// A rate below the minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlowRate {
    pub(crate) bytes: u64,
    pub(crate) waited: Duration,
    pub(crate) min_rate: u64,
}

impl RateWindow {
    /// A window of this much waited time.
    pub(crate) fn new(min_rate: u64, length: Duration) -> Self {
        Self { min_rate, length, waited: Duration::ZERO, bytes: 0 }
    }

    /// The waited time until the next check.
    pub(crate) fn left(&self) -> Duration {
        self.length.saturating_sub(self.waited)
    }

    /// Counts bytes after a wait.
    pub(crate) fn transfer(&mut self, waited: Duration, bytes: u64) {
        self.waited += waited;
        self.bytes += bytes;
    }

    /// Starts the next window after a wait.
    ///
    /// # Errors
    /// If the rate of the last window was below the minimum.
    pub(crate) fn check(&mut self, waited: Duration) -> Result<(), SlowRate> {
        let Self { min_rate, bytes, .. } = *self;
        let waited = self.waited + waited;
        if (bytes as f64) < min_rate as f64 * waited.as_secs_f64() {
            return Err(SlowRate { bytes, waited, min_rate });
        }
        *self = Self::new(min_rate, self.length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_below_the_minimum_is_found_in_each_window() {
        let (second, length) = (Duration::from_secs(1), Duration::from_secs(10));
        for (bytes, is_slow) in [(0, true), (99, true), (100, false), (10_000, false)] {
            let mut window = RateWindow::new(100, length);
            for _ in 0..3 {
                (0..9).for_each(|_| window.transfer(second, bytes));
                assert_eq!(window.left(), second);
                window.transfer(Duration::ZERO, bytes);
                assert_eq!(window.check(second).is_err(), is_slow, "{bytes}");
                if is_slow {
                    break;
                }
            }
        }
        // Bytes of an earlier window do not count, and neither does time without waiting.
        let mut window = RateWindow::new(100, length);
        window.transfer(Duration::ZERO, 1_000_000);
        assert_eq!(window.left(), length);
        assert_eq!(window.check(length), Ok(()));
        assert_eq!(window.check(length), Err(SlowRate { bytes: 0, waited: length, min_rate: 100 }));
    }
}
