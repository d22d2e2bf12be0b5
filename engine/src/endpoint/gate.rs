//! The gate in front of the encoder: closed in silence, with the newest audio at hand for when it opens.

/// Log-mel frames of audio before an opening that the encoder is given: a start is noticed after it began, soft ones
/// late.
const PRE_ROLL: usize = 64;

/// Keeps the newest log-mel frames of a stream and what of them the encoder has seen. Frames are counted from the last
/// reset.
#[derive(Clone, Debug)]
pub struct Gate {
    open: bool,
    mel_bins: usize,
    /// Openings are at multiples of this: the log-mel frames of an encoder frame.
    grid: u64,
    /// The newest frames, frame `t` at `t % capacity`.
    ring: Vec<f32>,
    capacity: u64,
    /// Frames kept so far.
    frames: u64,
    /// Frames that the encoder has seen, or never will.
    encoded: u64,
    /// Frames that it never will see, over all resets.
    skipped: u64,
}

impl Gate {
    /// A closed gate. An encoder frame stands for `grid` log-mel frames of `mel_bins` values.
    pub fn new(mel_bins: usize, grid: usize) -> Self {
        let capacity = (PRE_ROLL + grid).next_multiple_of(grid);
        Self {
            open: false,
            mel_bins,
            grid: grid as u64,
            ring: vec![0.0; capacity * mel_bins],
            capacity: capacity as u64,
            frames: 0,
            encoded: 0,
            skipped: 0,
        }
    }

    /// Whether frames go to the encoder as they come.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes the next frames, `[n, mel_bins]`. Those of an open gate count as encoded.
    pub fn push(&mut self, mel: &[f32]) {
        for frame in mel.chunks_exact(self.mel_bins) {
            let at = (self.frames % self.capacity) as usize * self.mel_bins;
            self.ring[at..][..self.mel_bins].copy_from_slice(frame);
            self.frames += 1;
        }
        if self.open {
            self.encoded = self.frames;
        }
    }

    /// Opens the gate. Returns the frame that the encoder starts at, a multiple of the grid, and the frames from there
    /// on in two pieces. None was encoded before, but for those of the encoder frame that the gate closed in.
    pub fn open(&mut self) -> (u64, [&[f32]; 2]) {
        self.open = true;
        let first = self.frames.saturating_sub(PRE_ROLL as u64).max(self.encoded) / self.grid * self.grid;
        self.skipped += first.saturating_sub(self.encoded);
        self.encoded = self.frames;
        let place = |frame: u64| (frame % self.capacity) as usize * self.mel_bins;
        let (from, to) = (place(first), place(self.frames));
        let pieces = if first == self.frames {
            [&[][..], &[][..]]
        } else if from < to {
            [&self.ring[from..to], &[][..]]
        } else {
            [&self.ring[from..], &self.ring[..to]]
        };
        (first, pieces)
    }

    /// Closes the gate: what comes is kept, and encoded only if it opens soon.
    pub fn close(&mut self) {
        self.open = false;
    }

    /// Frames that have not been encoded and still could be.
    pub fn waiting(&self) -> u64 {
        (self.frames - self.encoded).min(PRE_ROLL as u64)
    }

    /// Frames so far that the encoder was not given.
    pub fn skipped(&self) -> u64 {
        self.skipped + (self.frames - self.encoded)
    }

    /// Starts at frame zero of a new stream, closed.
    pub fn reset(&mut self) {
        self.open = false;
        self.skipped += self.frames - self.encoded;
        self.frames = 0;
        self.encoded = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of two bands that hold their own number.
    fn frames(range: std::ops::Range<u64>) -> Vec<f32> {
        range.flat_map(|t| [t as f32; 2]).collect()
    }

    fn opened(gate: &mut Gate) -> (u64, Vec<f32>) {
        let (first, pieces) = gate.open();
        (first, pieces.concat())
    }

    #[test]
    fn speech_at_the_first_sample_is_given_whole() {
        let mut gate = Gate::new(2, 8);
        gate.push(&frames(0..12));
        assert_eq!(gate.waiting(), 12);
        assert_eq!(opened(&mut gate), (0, frames(0..12)));
        assert_eq!(gate.waiting(), 0);
    }

    #[test]
    fn an_opening_reaches_back_and_starts_on_the_grid() {
        let mut gate = Gate::new(2, 8);
        for split in [1, 5, 7, 64, 300] {
            gate.reset();
            for part in frames(0..301).chunks(2 * split) {
                gate.push(part);
            }
            // 301 - 64 = 237, whose encoder frame begins at 232.
            let before = gate.skipped() - 301;
            assert_eq!(opened(&mut gate), (232, frames(232..301)), "pushes of {split}");
            assert_eq!(gate.skipped() - before, 232);
        }
        gate.push(&frames(301..400));
        gate.close();
        assert_eq!(gate.waiting(), 0);
    }

    #[test]
    fn nothing_is_encoded_twice_but_the_frame_of_the_closing() {
        let mut gate = Gate::new(2, 8);
        gate.push(&frames(0..100));
        gate.open();
        gate.push(&frames(100..132));
        gate.close();
        gate.push(&frames(132..140));
        assert_eq!(opened(&mut gate), (128, frames(128..140)));
    }

    #[test]
    fn an_opening_without_frames_gives_none() {
        let mut gate = Gate::new(2, 8);
        assert_eq!(opened(&mut gate), (0, vec![]));
    }
}
