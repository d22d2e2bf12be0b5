//! Recorded audio as a live source.

use std::time::Duration;

use super::{Connection, Input, Opening, Source, SourceError};
use crate::AudioFormat;

/// Audio of a push.
const PUSH: Duration = Duration::from_millis(10);

/// Plays samples by the session's clock as a microphone would deliver them, then ends the session. A block comes when
/// its last sample has been "captured".
#[derive(Clone, Debug)]
pub struct Playback {
    samples: Vec<f32>,
    format: AudioFormat,
    name: String,
}

impl Playback {
    /// A source of interleaved samples in -1..1.
    pub fn new(samples: Vec<f32>, format: AudioFormat, name: impl Into<String>) -> Self {
        Self { samples, format, name: name.into() }
    }

    fn play(self, mut input: Input, opening: &Opening) {
        let channels = usize::from(self.format.channels.max(1));
        let rate = f64::from(self.format.rate_hz.max(1));
        let frames = ((rate * PUSH.as_secs_f64()) as usize).max(1);
        let began = opening.clock.now();
        for (index, block) in self.samples.chunks(frames * channels).enumerate() {
            let at = began + Duration::from_secs_f64((index * frames) as f64 / rate);
            let length = Duration::from_secs_f64((block.len() / channels) as f64 / rate);
            opening.clock.sleep_until(at + length);
            if input.is_closed() {
                return;
            }
            input.push(block, at);
        }
        input.end();
    }
}

impl Source for Playback {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        let (input, connection) = opening.connect(self.format, self.name.clone());
        let (playback, opening) = (self.clone(), opening.clone());
        std::thread::Builder::new()
            .name("linnet playback".into())
            .spawn(move || playback.play(input, &opening))
            .map_err(|error| SourceError::Backend { name: self.name.clone(), why: error.to_string() })?;
        Ok(connection)
    }
}
