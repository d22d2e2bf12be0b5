//! Keeps what was heard in a WAV file, off the recognizer's thread.

use std::{
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};

use hound::{SampleFormat, WavSpec, WavWriter};
use linnet::audio::ring::{Consumer, Item, Producer, ring};

use crate::failure::Failure;

/// What the recognizer hears.
const RATE_HZ: u32 = 16_000;

/// Audio that may wait for a slow disk.
const SECONDS: usize = 30;

/// A WAV file that is being written.
pub struct Recording {
    path: PathBuf,
    thread: JoinHandle<Result<(), hound::Error>>,
}

impl Recording {
    /// Creates the file, and the ring whose audio goes into it.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn start(path: &Path) -> Result<(Self, Producer), Failure> {
        let spec = WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let writer = WavWriter::create(path, spec).map_err(|error| Failure::on(path.display(), error))?;
        let (producer, consumer) = ring(RATE_HZ as usize / 100, SECONDS * 100);
        let thread = std::thread::spawn(move || write(writer, consumer));
        Ok((Self { path: path.to_owned(), thread }, producer))
    }

    /// Waits until all of it is in the file. The session must have ended.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn finish(self) -> Result<(), Failure> {
        match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::on(self.path.display(), error)),
            Err(_) => Err(Failure::on(self.path.display(), "the writer died")),
        }
    }
}

/// Writes until the ring ends. What is missing, in the stream or because the disk was too slow, becomes silence, so that
/// positions in the file are those in the stream.
fn write<W: std::io::Write + std::io::Seek>(mut writer: WavWriter<W>, mut audio: Consumer) -> Result<(), hound::Error> {
    let mut block = Vec::with_capacity(RATE_HZ as usize);
    let mut unflushed = 0;
    while !audio.is_finished() {
        if !audio.wait(Duration::from_secs(1)) {
            continue;
        }
        block.clear();
        match audio.pop(&mut block) {
            Some(Item::Samples { .. }) => {}
            Some(Item::Gap { length, .. }) => {
                for _ in 0..length {
                    writer.write_sample(0i16)?;
                }
            }
            None => continue,
        }
        for &sample in &block {
            writer.write_sample((sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16)?;
        }
        unflushed += block.len();
        if unflushed > RATE_HZ as usize {
            // A power cut leaves a file that can be read.
            writer.flush()?;
            unflushed = 0;
        }
    }
    writer.finalize()?;
    Ok(())
}
