//! The part of a stream that both encoders share: cutting log-mel frames into chunks.

use super::{EncoderConfig, EncoderError};

/// Log-mel frames per encoder frame. Encoder frame `t` needs log-mel frames up to `8 t`.
pub(super) const SUBSAMPLING: usize = 8;

/// Collects log-mel frames until they make a chunk of encoder frames.
#[derive(Debug)]
pub(super) struct ChunkQueue {
    mel_bins: usize,
    look_ahead: usize,
    /// Log-mel frames that belong to no computed chunk yet.
    pending: Vec<f32>,
    /// Whether a chunk has been taken since the stream began.
    begun: bool,
    finished: bool,
}

impl ChunkQueue {
    pub fn new(config: &EncoderConfig) -> Self {
        let frames = SUBSAMPLING * (largest_look_ahead(config) + 1);
        Self {
            mel_bins: config.mel_bins,
            look_ahead: config.default_look_ahead,
            pending: Vec::with_capacity(frames * config.mel_bins),
            begun: false,
            finished: false,
        }
    }

    pub fn look_ahead(&self) -> usize {
        self.look_ahead
    }

    pub fn set_look_ahead(&mut self, config: &EncoderConfig, frames: usize) -> Result<(), EncoderError> {
        if !config.look_aheads.contains(&frames) {
            return Err(EncoderError::LookAhead { asked: frames, trained: config.look_aheads.clone() });
        }
        self.look_ahead = frames;
        Ok(())
    }

    /// Refuses input that [`ChunkQueue::fill`] could not take.
    pub fn check(&self, mel: &[f32]) -> Result<(), EncoderError> {
        if self.finished {
            return Err(EncoderError::Finished);
        }
        if !mel.len().is_multiple_of(self.mel_bins) {
            return Err(EncoderError::InputLength { values: mel.len(), mel_bins: self.mel_bins });
        }
        Ok(())
    }

    /// Takes what the next chunk lacks from the front of `mel` and returns the rest.
    pub fn fill<'a>(&mut self, mel: &'a [f32]) -> &'a [f32] {
        let lacking = self.wanted().saturating_sub(self.pending.len());
        let (taken, rest) = mel.split_at(lacking.min(mel.len()));
        self.pending.extend_from_slice(taken);
        rest
    }

    /// The log-mel frames of the next chunk, once they are all there.
    pub fn ready(&self) -> Option<&[f32]> {
        self.pending.get(..self.wanted())
    }

    /// What is left when no chunk is ready any more.
    pub fn rest(&self) -> &[f32] {
        &self.pending
    }

    /// Whether any log-mel frame has arrived.
    pub fn is_empty_stream(&self) -> bool {
        !self.begun && self.pending.is_empty()
    }

    /// Drops the frames that `ready` gave.
    pub fn advance(&mut self) {
        self.pending.drain(..self.wanted());
        self.begun = true;
    }

    pub fn finish(&mut self) {
        self.pending.clear();
        self.finished = true;
    }

    pub fn reset(&mut self) {
        self.pending.clear();
        self.begun = false;
        self.finished = false;
    }

    /// Values of log-mel that the next chunk consumes.
    fn wanted(&self) -> usize {
        let frames = SUBSAMPLING * (self.look_ahead + 1);
        // The first encoder frame needs one log-mel frame only: the padding stands for those before it.
        let early = if self.begun { 0 } else { SUBSAMPLING - 1 };
        (frames - early) * self.mel_bins
    }
}

/// The largest look-ahead that a stream may use.
pub(super) fn largest_look_ahead(config: &EncoderConfig) -> usize {
    config.look_aheads.iter().copied().chain([config.default_look_ahead]).max().unwrap_or(0)
}

/// Most encoder frames of left context at any look-ahead.
pub(super) fn largest_left(config: &EncoderConfig) -> usize {
    let look_aheads = config.look_aheads.iter().copied().chain([config.default_look_ahead]);
    look_aheads.map(|frames| config.left_frames(frames)).max().unwrap_or(0)
}
