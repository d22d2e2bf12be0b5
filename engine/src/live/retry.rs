//! When to try again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use super::Backoff;

/// The attempts since a device was last there.
pub(super) struct Retry {
    backoff: Backoff,
    attempts: u32,
    /// State of a xorshift generator (Marsaglia 2003), never zero.
    random: u64,
}

impl Retry {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self::seeded(backoff, RandomState::new().hash_one(std::process::id()))
    }

    fn seeded(backoff: Backoff, seed: u64) -> Self {
        Self { backoff, attempts: 0, random: seed | 1 }
    }

    /// The device is there: the next wait is the first again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How long to wait before the next attempt.
    pub(super) fn next_wait(&mut self) -> Duration {
        let factor = 2f64.powi(self.attempts.min(64) as i32);
        self.attempts = self.attempts.saturating_add(1);
        let wait = (self.backoff.first.as_secs_f64() * factor).min(self.backoff.longest.as_secs_f64());
        let share = 1.0 - self.backoff.jitter.clamp(0.0, 1.0) * self.chance();
        Duration::from_secs_f64(wait * share)
    }

    /// Uniform in 0..1.
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let mut retry = Retry::seeded(backoff, 7);
        let waits: Vec<_> = (0..7).map(|_| retry.next_wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        retry.reset();
        assert_eq!(retry.next_wait().as_secs(), 1);
        for _ in 0..10_000 {
            assert!(retry.next_wait() <= backoff.longest);
        }
    }

    #[test]
    fn jitter_only_shortens_and_spreads() {
        let waits: Vec<_> = (1..500)
            .map(|seed| {
                let mut retry = Retry::seeded(Backoff { jitter: 0.5, ..Backoff::default() }, seed * 0x9e37_79b9);
                (0..4).map(|_| retry.next_wait()).last().unwrap().as_secs_f64()
            })
            .collect();
        assert!(waits.iter().all(|wait| (4.0..=8.0).contains(wait)));
        assert!(waits.iter().any(|&wait| wait < 4.5) && waits.iter().any(|&wait| wait > 7.5));
    }
}
