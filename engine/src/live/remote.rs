//! Control of a session by other threads than the one that takes its events.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use super::{
    Level, LiveMetrics, State,
    metrics::{Published, Taken},
    worker::{Changes, Control},
};
use crate::{FormatConfig, Grammar, Hotwords, Metrics, Policy};

/// Watches, changes and ends a session. Cloning shares it; it does not keep the session alive.
///
/// Changes are made by the recognizer's thread before the audio that comes next. Of several to one setting that it has
/// not made yet the newest counts.
#[derive(Clone)]
pub struct Remote {
    pub(super) control: Arc<Control>,
    pub(super) published: Arc<Mutex<Published>>,
    pub(super) taken: Arc<Mutex<Taken>>,
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

    /// Changes when utterances end: see [`Stream::set_policy`](crate::Stream::set_policy).
    pub fn set_policy(&self, policy: Policy) {
        self.change(|changes| changes.policy = Some(policy));
    }

    /// Changes how words are written: see [`Stream::set_format`](crate::Stream::set_format).
    pub fn set_format(&self, format: FormatConfig) {
        self.change(|changes| changes.format = Some(format));
    }

    /// Listens for other hotwords, or for none: see [`Stream::set_hotwords`](crate::Stream::set_hotwords).
    pub fn set_hotwords(&self, hotwords: Option<Hotwords>) {
        self.change(|changes| changes.hotwords = Some(hotwords));
    }

    /// Keeps to another grammar, or to none: see [`Stream::set_grammar`](crate::Stream::set_grammar).
    pub fn set_grammar(&self, grammar: Option<Grammar>) {
        self.change(|changes| changes.grammar = Some(grammar));
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.control.changes.lock().unwrap_or_else(PoisonError::into_inner));
        self.control.changed.store(true, Ordering::Release);
    }

    /// What the session measured: up to a quarter of a second ago, or to its end.
    pub fn metrics(&self) -> LiveMetrics {
        let (delivery, capture_to_event) = {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            (taken.delivery.times(), taken.capture_to_event.times())
        };
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        LiveMetrics {
            queue: published.queue.times(),
            recognizer: published.recognizer.clone(),
            delivery,
            capture_to_event,
            began: published.began,
            counters: published.counters,
        }
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
