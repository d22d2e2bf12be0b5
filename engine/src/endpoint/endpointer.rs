//! The endpointing of one stream: network, voice activity and gate, driven by log-mel frames.

use std::{sync::Arc, time::Duration};

use super::{Activity, Gate, History, Network, NetworkState, Scores};

/// Probability of speech that opens the gate. Lower than where speech counts as begun: an opening in vain costs
/// processor time only.
const OPEN: f32 = 0.3;
/// Silence that closes the gate in mid-utterance. Shorter pauses keep the encoder's memory of what was said before.
const HANG: Duration = Duration::from_millis(1000);
/// Time without anything that would open it, after which a gate closes when no utterance ends with it. Soft speech comes
/// and goes below the level of voice activity, and the encoder loses its memory with each closing.
const SETTLE: Duration = Duration::from_millis(400);
/// Probability of speech from which audio behind a closed gate is not given up without being recognized.
const DOUBT: f32 = 0.1;

/// The least that is said: a short syllable.
const SYLLABLE: Duration = Duration::from_millis(160);

/// The state of endpointing in one stream.
pub(crate) struct Endpointer {
    network: Arc<Network>,
    state: NetworkState,
    /// Frames of a step that is not complete.
    stacked: Vec<f32>,
    mel_bins: usize,
    /// Scores of the steps that the newest frames completed.
    scores: Vec<Scores>,
    /// Values that the first of them still needed.
    first_run: usize,
    /// Duration of a step.
    step: Duration,
    /// End (in steps) of the last step that may have been speech.
    doubtful_until: u64,
    /// End (in steps) of the last step that opens a gate.
    opening_until: u64,
    history: History,
    pub activity: Activity,
    /// Absent where the host does not want one.
    pub gate: Option<Gate>,
}

impl Endpointer {
    /// The start of a stream. `hop` is the time between log-mel frames, `grid` the log-mel frames of an encoder frame.
    pub fn new(network: Arc<Network>, mel_bins: usize, hop: Duration, grid: usize, gated: bool) -> Self {
        Self {
            state: network.new_state(),
            stacked: Vec::with_capacity(network.stack() * mel_bins),
            mel_bins,
            scores: Vec::with_capacity(64),
            first_run: 0,
            step: hop * network.stack() as u32,
            doubtful_until: 0,
            opening_until: 0,
            history: History::default(),
            activity: Activity::default(),
            gate: gated.then(|| Gate::new(mel_bins, grid)),
            network,
        }
    }

    /// Runs the network over new frames. Returns the number of steps that they complete.
    pub fn score(&mut self, mut mel: &[f32]) -> usize {
        let step = self.network.stack() * self.mel_bins;
        self.scores.clear();
        self.first_run = step - self.stacked.len();
        while self.stacked.len() + mel.len() >= step {
            let (run, rest) = mel.split_at(step - self.stacked.len());
            self.stacked.extend_from_slice(run);
            mel = rest;
            self.scores.push(self.network.step(&self.stacked, &mut self.state));
            self.stacked.clear();
        }
        self.stacked.extend_from_slice(mel);
        self.scores.len()
    }

    /// Values of the newest frames that belong to a step that they complete.
    pub fn run(&self, step: usize) -> usize {
        if step == 0 { self.first_run } else { self.network.stack() * self.mel_bins }
    }

    /// Takes a scored step in. Returns its scores and, when it confirms that speech began, where that was.
    pub fn take(&mut self, step: usize) -> (Scores, Option<Duration>) {
        let scores = self.scores[step];
        let started = self.activity.push(scores.speech);
        self.history.push(scores.speech);
        if scores.speech >= OPEN {
            self.opening_until = self.activity.steps();
        }
        if scores.speech >= DOUBT {
            self.doubtful_until = self.activity.steps();
        }
        (scores, started.map(|step| self.at(step)))
    }

    /// Whether these scores open a closed gate.
    pub fn should_open(&self, scores: Scores) -> bool {
        scores.speech >= OPEN && self.gate.as_ref().is_some_and(|gate| !gate.is_open())
    }

    /// Whether the gate is open and silence closes it: at the end of an utterance, which comes after `pause`, or because
    /// nothing was heard for long enough.
    pub fn should_close(&self, pause: Option<Duration>) -> bool {
        if self.gate.as_ref().is_none_or(|gate| !gate.is_open()) {
            return false;
        }
        let silence = self.silence();
        let ends = self.activity.has_begun() && pause.is_some_and(|pause| silence >= pause);
        let settled = self.at(self.activity.steps() - self.opening_until) >= SETTLE;
        ends || settled && silence >= pause.map_or(HANG, |pause| pause.min(HANG))
    }

    /// Whether the gate is closed. Never where there is none.
    pub fn is_closed(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| !gate.is_open())
    }

    /// Audio so far that the encoder was not given, over all resets.
    pub fn gated(&self) -> Duration {
        let frames = self.gate.as_ref().map_or(0, Gate::skipped);
        self.at(frames) / self.network.stack() as u32
    }

    /// Whether audio behind the closed gate might hold speech.
    pub fn is_in_doubt(&self) -> bool {
        let Some(gate) = &self.gate else { return false };
        let since = (self.activity.steps() - self.doubtful_until) * self.network.stack() as u64;
        self.is_closed() && gate.waiting() > since && self.doubtful_until > 0
    }

    /// How surely somebody spoke between two times from the last reset: the largest mean probability of speech of
    /// [`SYLLABLE`]; `None` where less than that is known.
    pub fn speech_within(&self, start: Duration, end: Duration) -> Option<f32> {
        let steps = |time: Duration| u64::try_from(time.as_nanos() / self.step.as_nanos().max(1)).unwrap_or(u64::MAX);
        self.history.peak(steps(start), steps(end), steps(SYLLABLE))
    }

    /// Time since the last speech.
    pub fn silence(&self) -> Duration {
        self.at(self.activity.silence())
    }

    /// End of the last speech, from the last reset.
    pub fn voiced_until(&self) -> Duration {
        self.at(self.activity.voiced_until())
    }

    /// Time of the steps so far, from the last reset.
    pub fn now(&self) -> Duration {
        self.at(self.activity.steps())
    }

    /// Duration of this many steps.
    fn at(&self, steps: u64) -> Duration {
        let nanos = self.step.as_nanos() * u128::from(steps);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Starts at frame zero of a new stream.
    pub fn reset(&mut self) {
        self.state.reset();
        self.stacked.clear();
        self.scores.clear();
        self.doubtful_until = 0;
        self.opening_until = 0;
        self.history.reset();
        self.activity.reset();
        if let Some(gate) = &mut self.gate {
            gate.reset();
        }
    }
}
