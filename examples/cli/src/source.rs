//! Where audio comes from: a file or standard input, with a header or without.

use std::{io, path::Path, time::Duration};

use linnet::{
    AudioFormat,
    audio::formats::{AudioFile, RawFormat},
};

/// Decoded audio, block by block.
pub struct Source {
    name: String,
    file: AudioFile,
    format: AudioFormat,
}

impl Source {
    /// Opens a file, or standard input for `-`; `raw` tells the layout of samples that come without a header.
    ///
    /// # Errors
    /// A message that names the file.
    pub fn open(path: &Path, raw: Option<RawFormat>) -> Result<Self, String> {
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let file = match (is_stdin(path), raw) {
            (true, None) => AudioFile::from_reader(io::stdin(), None),
            (true, Some(raw)) => AudioFile::raw_from_reader(io::stdin(), raw),
            (false, None) => AudioFile::open(path),
            (false, Some(raw)) => AudioFile::open_raw(path, raw),
        }
        .map_err(|error| describe(&name, &error))?;
        let channels = u16::try_from(file.channels()).map_err(|_| format!("{name}: too many channels"))?;
        let format = AudioFormat { rate_hz: file.rate_hz(), channels };
        Ok(Self { name, file, format })
    }

    /// Rate and channels of the samples.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Length of the audio where the header tells.
    pub fn duration(&self) -> Option<Duration> {
        self.file.duration()
    }

    /// The next interleaved samples in -1..1; `None` at the end.
    ///
    /// # Errors
    /// A message that names the file, when it can't be read on.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>, String> {
        self.file.next_block().map_err(|error| describe(&self.name, &error))
    }

    /// Whether all of the file could be decoded, once it has been read to its end.
    ///
    /// # Errors
    /// A message that names the file and says what was lost.
    pub fn check(&self) -> Result<(), String> {
        let damage = self.file.damage();
        let mut losses = Vec::new();
        if damage.packets > 0 {
            losses.push(format!("{} packets can't be decoded and count as silence", damage.packets));
        }
        if damage.truncated {
            losses.push("it ends before it should".to_owned());
        }
        if losses.is_empty() { Ok(()) } else { Err(format!("{}: damaged: {}", self.name, losses.join("; "))) }
    }
}

/// Whether a file argument stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// An error with its causes, after the name of the file unless it is in there.
fn describe(name: &str, error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    if message.contains(name) { message } else { format!("{name}: {message}") }
}
