//! What was heard of speech in the last while, to look up what a word was heard in.

/// Steps that are kept: more than two minutes of steps of 40 ms, longer than an utterance is.
const KEPT: u64 = 4096;

/// The probability of speech in each of the newest steps. Steps are counted from the last reset.
#[derive(Clone, Debug)]
pub struct History {
    /// Step `t` at `t % KEPT`.
    speech: Vec<f32>,
    steps: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { speech: vec![0.0; KEPT as usize], steps: 0 }
    }
}

impl History {
    /// Takes the next step.
    pub fn push(&mut self, speech: f32) {
        self.speech[(self.steps % KEPT) as usize] = speech;
        self.steps += 1;
    }

    /// Largest mean probability of speech of `run` steps in a row among those from step `first` to before step `end`, as
    /// far as these came and are kept; `None` when there are fewer.
    pub fn peak(&self, first: u64, end: u64, run: u64) -> Option<f32> {
        let first = first.max(self.steps.saturating_sub(KEPT));
        let last = end.min(self.steps).checked_sub(run.max(1))?;
        let at = |step: u64| self.speech[(step % KEPT) as usize];
        let mean = |start: u64| (start..start + run.max(1)).map(at).sum::<f32>() / run.max(1) as f32;
        (first..=last).map(mean).reduce(f32::max)
    }

    /// Starts at step zero of a new stream.
    pub fn reset(&mut self) {
        self.steps = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_of_runs_that_are_kept() {
        let mut history = History::default();
        assert_eq!(history.peak(0, 10, 2), None);
        [0.1, 0.9, 0.1, 0.5, 0.7, 0.2].into_iter().for_each(|speech| history.push(speech));
        assert_eq!(history.peak(0, 6, 2), Some(0.6));
        assert_eq!(history.peak(0, 6, 1), Some(0.9));
        assert_eq!(history.peak(2, 99, 1), Some(0.7), "steps to come don't count");
        assert_eq!((history.peak(5, 6, 2), history.peak(4, 2, 1), history.peak(7, 9, 1)), (None, None, None));
        assert_eq!(history.peak(0, u64::MAX, 0), Some(0.9), "no panic");
        (0..KEPT).for_each(|_| history.push(0.3));
        assert_eq!(history.peak(0, 6, 1), None, "forgotten");
        assert_eq!(history.peak(0, 7, 1), Some(0.3));
        history.reset();
        assert_eq!(history.peak(0, u64::MAX, 1), None);
    }
}
