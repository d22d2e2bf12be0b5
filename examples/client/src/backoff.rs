//! When to try again.

use std::time::Duration;

/// Waits that double up to a limit, with jitter, so that many clients of a server that was away don't come back at the
/// same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// From about `first` up to about `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The next wait: between half of the doubled time and all of it.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let whole = doubled.min(self.longest);
        whole.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// The connection works: the next failure is a first one again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        for whole in [1, 2, 4, 8, 16, 30, 30] {
            let wait = backoff.next_wait();
            let whole = Duration::from_secs(whole);
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        (0..100).for_each(|_| assert!(backoff.next_wait() <= Duration::from_secs(30)));
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(1));
    }

    #[test]
    fn waits_differ() {
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| Backoff::new(Duration::from_secs(1), Duration::from_secs(1)).next_wait()).collect();
        assert!(waits.len() > 1);
    }
}
