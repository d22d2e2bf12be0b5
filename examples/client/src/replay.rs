//! Audio that no final covers yet.

use std::collections::VecDeque;

/// The latest audio of a stream, in samples of all channels together. Positions count frames (a sample of each channel)
/// since the stream began.
#[derive(Debug)]
pub struct Replay {
    samples: VecDeque<i16>,
    channels: usize,
    /// Position of the first frame that is kept.
    start: u64,
    /// Most frames that are kept.
    capacity: usize,
}

impl Replay {
    /// Keeps up to `capacity` frames.
    pub fn new(channels: usize, capacity: usize) -> Self {
        Self { samples: VecDeque::new(), channels: channels.max(1), start: 0, capacity: capacity.max(1) }
    }

    /// Adds audio. The oldest is dropped where there is too much.
    pub fn push(&mut self, samples: &[i16]) {
        self.samples.extend(samples);
        let most = self.capacity * self.channels;
        if self.samples.len() > most {
            let excess = (self.samples.len() - most).div_ceil(self.channels);
            self.forget(self.start + excess as u64);
        }
    }

    /// Drops what is before a position.
    pub fn forget(&mut self, position: u64) {
        let frames = position.saturating_sub(self.start).min(self.frames() as u64);
        self.samples.drain(..frames as usize * self.channels);
        self.start += frames;
    }

    /// Position of the first frame that is kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Position behind the last whole frame.
    pub fn end(&self) -> u64 {
        self.start + self.frames() as u64
    }

    /// Most frames that are kept.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Little-endian bytes of up to `most` frames from a position on that is kept.
    pub fn bytes(&self, position: u64, most: usize) -> Vec<u8> {
        let skip = position.saturating_sub(self.start) as usize * self.channels;
        let most = most.min(self.end().saturating_sub(position) as usize) * self.channels;
        self.samples.iter().skip(skip).take(most).flat_map(|sample| sample.to_le_bytes()).collect()
    }

    fn frames(&self) -> usize {
        self.samples.len() / self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_audio_at_its_positions() {
        let mut replay = Replay::new(2, 4);
        replay.push(&[0, 0, 1, 1, 2, 2]);
        assert_eq!((replay.start(), replay.end()), (0, 3));
        replay.push(&[3, 3, 4, 4, 5]);
        assert_eq!((replay.start(), replay.end()), (2, 5), "half a frame waits for its rest");
        assert_eq!(replay.bytes(3, 10), [3, 0, 3, 0, 4, 0, 4, 0]);
        assert_eq!(replay.bytes(2, 1), [2, 0, 2, 0]);
        replay.push(&[5]);
        replay.forget(4);
        assert_eq!((replay.start(), replay.end()), (4, 6));
        replay.forget(0);
        replay.forget(100);
        assert_eq!((replay.start(), replay.end()), (6, 6));
        assert!(replay.bytes(6, 10).is_empty());
    }
}
