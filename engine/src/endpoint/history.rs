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

    /// Mean probability of speech from step `first` to before step `end`, as far as these steps came and are kept;
    /// `None` when none is.
    pub fn mean(&self, first: u64, end: u64) -> Option<f32> {
        let steps = first.max(self.steps.saturating_sub(KEPT))..end.min(self.steps);
        let count = steps.end.checked_sub(steps.start).filter(|&count| count > 0)?;
        let sum: f32 = steps.map(|step| self.speech[(step % KEPT) as usize]).sum();
        Some(sum / count as f32)
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
    fn means_are_of_the_steps_that_are_kept() {
        let mut history = History::default();
        assert_eq!(history.mean(0, 10), None);
        (0..10).for_each(|step| history.push(step as f32));
        assert_eq!(history.mean(2, 5), Some(3.0));
        assert_eq!(history.mean(8, 99), Some(8.5), "steps to come don't count");
        assert_eq!((history.mean(5, 5), history.mean(7, 3), history.mean(10, 12)), (None, None, None));
        (0..KEPT).for_each(|_| history.push(1.0));
        assert_eq!(history.mean(0, 10), None, "forgotten");
        assert_eq!(history.mean(0, 20), Some(1.0));
        history.reset();
        assert_eq!(history.mean(0, u64::MAX), None);
    }
}
