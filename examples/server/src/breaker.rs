//! A circuit breaker: when recognition fails again and again, it is better to say so at once than to let every client
//! find out.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// So many failures within [`WINDOW`] open the breaker.
const FAILURES: usize = 5;

/// See [`FAILURES`].
const WINDOW: Duration = Duration::from_secs(60);

/// How long it stays open before something is tried again.
pub const PAUSE: Duration = Duration::from_secs(10);

/// Lets work through, none of it, or one try.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: VecDeque<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// All is well.
    #[default]
    Closed,
    /// Nothing is let through since then.
    Open(Instant),
    /// One try was let through then.
    Trying(Instant),
}

impl Breaker {
    /// Whether something may be started.
    pub fn lets_through(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            // A try that never told how it went makes room for the next after a while.
            State::Open(since) | State::Trying(since) if now.duration_since(since) >= PAUSE => {
                self.state = State::Trying(now);
                true
            }
            State::Open(_) | State::Trying(_) => false,
        }
    }

    /// Whether nothing but a try is let through.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Something that was started has gone well.
    pub fn succeeded(&mut self) {
        if let State::Trying(_) = self.state {
            self.state = State::Closed;
            self.failures.clear();
        }
    }

    /// Something that was started has failed, by no fault of the client.
    pub fn failed(&mut self, now: Instant) {
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|&first| now.duration_since(first) > WINDOW) {
            self.failures.pop_front();
        }
        match self.state {
            State::Trying(_) => self.state = State::Open(now),
            State::Closed if self.failures.len() >= FAILURES => self.state = State::Open(now),
            State::Closed | State::Open(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn many_failures_open_it_and_a_success_after_a_pause_closes_it() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        for i in 0..FAILURES as u32 {
            assert!(breaker.lets_through(start + SECOND * i));
            breaker.failed(start + SECOND * i);
        }
        let opened = start + SECOND * (FAILURES as u32 - 1);
        assert!(breaker.is_open() && !breaker.lets_through(opened + PAUSE - SECOND));
        // Streams that were open before don't close it.
        breaker.succeeded();
        assert!(breaker.is_open());

        assert!(breaker.lets_through(opened + PAUSE));
        assert!(!breaker.lets_through(opened + PAUSE), "one try at a time");
        breaker.failed(opened + PAUSE);
        assert!(!breaker.lets_through(opened + PAUSE + SECOND));
        assert!(breaker.lets_through(opened + PAUSE * 2));
        breaker.succeeded();
        assert!(!breaker.is_open() && breaker.lets_through(opened + PAUSE * 2));
        breaker.failed(opened + PAUSE * 2);
        assert!(!breaker.is_open(), "the count begins anew");
    }

    #[test]
    fn failures_now_and_then_are_no_reason() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        for i in 0..100 {
            breaker.failed(start + WINDOW / 3 * i);
            assert!(!breaker.is_open());
        }
    }

    #[test]
    fn a_try_that_tells_nothing_makes_room_for_the_next() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        (0..FAILURES).for_each(|_| breaker.failed(start));
        assert!(breaker.lets_through(start + PAUSE));
        assert!(!breaker.lets_through(start + PAUSE + SECOND));
        assert!(breaker.lets_through(start + PAUSE * 2));
    }
}
