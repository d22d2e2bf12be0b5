//! Who speaks when, without words.

use std::{sync::Arc, time::Duration};

use super::{Network, SpeakerConfig, Tracker};
use crate::{audio::Resampler, features::LogMel, model::config::FeatureConfig, recognizer::AudioFormat};

/// Somebody's uninterrupted speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakerTurn {
    /// Where it starts.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// Number of the speaker, from zero.
    pub speaker: u8,
}

/// Tells who speaks when in a stream of audio, about 2 s behind it. Made by
/// [`Engine::diarizer`](crate::Engine::diarizer).
pub struct Diarizer {
    resampler: Resampler,
    features: LogMel,
    tracker: Tracker,
    mono: Vec<f32>,
    mel: Vec<f32>,
    /// The hop that is told next.
    next: u64,
    turn: Option<SpeakerTurn>,
}

impl Diarizer {
    pub(crate) fn new(
        network: Arc<Network>,
        features: &FeatureConfig,
        format: AudioFormat,
        config: &SpeakerConfig,
    ) -> Result<Self, crate::Error> {
        let resampler = Resampler::new(format.rate_hz, usize::from(format.channels), features.sample_rate_hz)?;
        let frame = Duration::from_secs(features.hop as u64) / features.sample_rate_hz;
        Ok(Self {
            resampler,
            features: LogMel::new(features)?,
            tracker: Tracker::new(network, features.mel_bins, frame, config),
            mono: Vec::new(),
            mel: Vec::new(),
            next: 0,
            turn: None,
        })
    }

    /// Takes interleaved samples in -1..1 and appends the turns that are over and won't change to `turns`.
    pub fn push_f32(&mut self, samples: &[f32], turns: &mut Vec<SpeakerTurn>) {
        self.mono.clear();
        self.resampler.push(samples, &mut self.mono);
        self.listen();
        self.tell(turns);
    }

    /// Ends the stream: appends what is left. Voices are forgotten, and the next push starts at zero.
    pub fn finish(&mut self, turns: &mut Vec<SpeakerTurn>) {
        self.mono.clear();
        self.resampler.finish(&mut self.mono);
        self.listen();
        self.mel.clear();
        self.features.finish(&mut self.mel);
        self.tracker.push(&self.mel);
        self.tracker.settle(true);
        self.tell(turns);
        turns.extend(self.turn.take());
        self.resampler.reset();
        self.features.reset();
        self.tracker.reset();
        self.next = 0;
    }

    fn listen(&mut self) {
        self.mel.clear();
        self.features.push(&self.mono, &mut self.mel);
        self.tracker.push(&self.mel);
    }

    fn tell(&mut self, turns: &mut Vec<SpeakerTurn>) {
        while let Some(label) = self.tracker.settled_label(self.next) {
            let (start, end) = (self.tracker.time_of(self.next), self.tracker.time_of(self.next + 1));
            self.next += 1;
            match (&mut self.turn, label) {
                (Some(turn), Some(speaker)) if turn.speaker == speaker => turn.end = end,
                (turn, label) => {
                    turns.extend(turn.take());
                    *turn = label.map(|speaker| SpeakerTurn { start, end, speaker });
                }
            }
        }
        self.tracker.forget_before(self.tracker.time_of(self.next));
    }
}

impl std::fmt::Debug for Diarizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diarizer").field("turn", &self.turn).finish_non_exhaustive()
    }
}
