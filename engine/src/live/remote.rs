//! Control of a session by other threads than the one that takes its events.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use super::{Level, Published, State, worker::Control};
use crate::Metrics;

/// Watches and ends a session. Cloning shares it; it does not keep the session alive.
#[derive(Clone)]
pub struct Remote {
    pub(super) control: Arc<Control>,
    pub(super) published: Arc<Mutex<Published>>,
}

impl Remote {
    /// The state of the session, which may be ahead of the events.
    pub fn state(&self) -> State {
        self.control.state()
    }

    /// How loud it is.
    pub fn level(&self) -> Level {
        self.control.level.get()
    }

    /// Makes a final of what has been said so far, without a pause. It comes as an event.
    pub fn finalize(&self) {
        self.control.finalize.store(true, Ordering::Release);
    }

    /// Ends the session as [`Live::stop`](super::Live::stop) does.
    pub fn stop(&self) {
        self.control.stop.store(true, Ordering::Release);
    }

    /// Counters and times of the recognizer: up to a quarter of a second ago, or to the session's end.
    pub fn recognizer_metrics(&self) -> Metrics {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).recognizer.clone()
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("state", &self.state()).finish_non_exhaustive()
    }
}
