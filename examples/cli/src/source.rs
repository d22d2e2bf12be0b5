//! Where audio comes from: a file, standard input, or either without a header.

use std::{path::Path, time::Duration};

use linnet::{AudioFormat, audio::AudioFile};

use crate::args::Raw;

/// Decoded audio, block by block.
pub struct Source {
    name: String,
    file: AudioFile,
}

impl Source {
    /// Opens a file, or standard input for `-`, as what its header says or as raw samples.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn open(path: &Path, _raw: Option<Raw>) -> Result<Self, String> {
        let name = path.display().to_string();
        let file = AudioFile::open(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, file })
    }

    /// Rate and channels of the samples.
    pub fn format(&self) -> AudioFormat {
        self.file.format()
    }

    /// Length of the audio where the header tells.
    pub fn duration(&self) -> Option<Duration> {
        self.file.duration()
    }

    /// The next interleaved samples in -1..1; `None` at the end.
    ///
    /// # Errors
    /// A message that names the file, when it is damaged.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>, String> {
        self.file.next_block().map_err(|error| format!("{}: {error}", self.name))
    }
}
