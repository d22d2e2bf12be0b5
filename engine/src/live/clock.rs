//! The clock of a session.

use std::time::{Duration, Instant};

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The shortest sleep on an accelerated clock: shorter ones would come too late anyway, and keep the machine busy.
pub const SHORTEST: Duration = Duration::from_micros(500);

/// Time since a session's clock was made. Sources stamp their audio with it; the session waits, backs off and measures
/// by it. Cloning shares it.
///
/// It never goes back, and stands still while the machine is suspended where the system's monotonic clock does.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Running {
        epoch: Instant,
        speed: u32,
    },
    /// Moved by tests, in nanoseconds.
    #[cfg(test)]
    Manual(Arc<AtomicU64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::accelerated(1)
    }
}

impl Clock {
    /// A clock that runs `speed` times as fast as time does, for simulations: audio that a source delivers by it, waits
    /// and back-off all shrink alike.
    pub fn accelerated(speed: u32) -> Self {
        Self(Kind::Running { epoch: Instant::now(), speed: speed.max(1) })
    }

    #[cfg(test)]
    pub(super) fn manual() -> Self {
        Self(Kind::Manual(Arc::default()))
    }

    #[cfg(test)]
    pub(super) fn advance(&self, by: Duration) {
        let Kind::Manual(now) = &self.0 else { panic!("only a manual clock is moved") };
        now.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Time since the clock was made.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Kind::Running { epoch, speed } => epoch.elapsed() * *speed,
            #[cfg(test)]
            Kind::Manual(now) => Duration::from_nanos(now.load(Ordering::Relaxed)),
        }
    }

    /// Sleeps for this long by the clock, and for at least half a millisecond of real time on an accelerated one.
    pub fn sleep(&self, time: Duration) {
        match &self.0 {
            _ if time.is_zero() => {}
            Kind::Running { speed: 1, .. } => std::thread::sleep(time),
            Kind::Running { speed, .. } => std::thread::sleep((time / *speed).max(SHORTEST)),
            #[cfg(test)]
            Kind::Manual(_) => self.advance(time),
        }
    }

    /// Sleeps until the clock shows `moment`.
    pub fn sleep_until(&self, moment: Duration) {
        self.sleep(moment.saturating_sub(self.now()));
    }
}
