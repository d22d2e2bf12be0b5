//! Voice activity: from the probability of speech of each step to speech that starts and stops.

/// Probability from which a step counts as speech while nobody spoke.
const ENTER: f32 = 0.5;
/// Probability down to which a step counts as speech while somebody speaks.
const STAY: f32 = 0.35;
/// Steps of speech among [`WINDOW`] that confirm a start: a single one may be a knock.
const CONFIRM: u32 = 3;
/// Steps over which a start is confirmed.
const WINDOW: u64 = 5;

/// The state of voice activity in one stream. Steps are counted from the last reset.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    steps: u64,
    /// End (in steps) of the last speech.
    voiced_until: u64,
    /// Start of the run of speech that is going on or was last.
    run_start: u64,
    /// Steps of speech in that run.
    voiced: u32,
    /// Whether the last step was speech.
    speaking: bool,
    /// Whether the run was confirmed.
    confirmed: bool,
    /// Whether the utterance ended while this speech, or what is taken for it, went on.
    over: bool,
}

impl Activity {
    /// Takes the next step. Returns the step at which speech began when this one confirms that it did.
    pub fn push(&mut self, speech: f32) -> Option<u64> {
        let step = self.steps;
        self.steps += 1;
        self.speaking = speech >= if self.speaking { STAY } else { ENTER };
        if !self.speaking {
            if self.over {
                self.end_utterance();
            }
            return None;
        }
        if !self.confirmed && step - self.run_start >= WINDOW || self.voiced == 0 {
            (self.run_start, self.voiced) = (step, 0);
        }
        self.voiced += 1;
        self.voiced_until = step + 1;
        let starts = !self.confirmed && self.voiced >= CONFIRM;
        self.confirmed |= starts;
        starts.then_some(self.run_start)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Steps since the last speech, or since the reset.
    pub fn silence(&self) -> u64 {
        self.steps - self.voiced_until
    }

    /// End (in steps) of the last speech.
    pub fn voiced_until(&self) -> u64 {
        self.voiced_until
    }

    /// Whether speech began, and its utterance is not over or was not followed by silence yet.
    pub fn has_begun(&self) -> bool {
        self.confirmed
    }

    /// The utterance is over: makes speech that begins after a silence a new start. Noise that is taken for speech
    /// does not begin again.
    pub fn end_utterance(&mut self) {
        self.over = self.speaking;
        if !self.speaking {
            self.voiced = 0;
            self.confirmed = false;
        }
    }

    /// Starts at step zero of a new stream.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(activity: &mut Activity, speech: &[f32]) -> Vec<u64> {
        speech.iter().filter_map(|&p| activity.push(p)).collect()
    }

    #[test]
    fn speech_starts_once_and_is_dated_back() {
        let mut activity = Activity::default();
        assert_eq!(starts(&mut activity, &[0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9]), [2]);
        assert!(activity.has_begun());
        activity.end_utterance();
        assert!(starts(&mut activity, &[0.9; 9]).is_empty(), "it ended in the middle of speech");
        assert_eq!(starts(&mut activity, &[0.1, 0.1, 0.6, 0.7, 0.8]), [22]);
    }

    #[test]
    fn a_knock_is_no_start() {
        let mut activity = Activity::default();
        let knocks = [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9];
        assert!(starts(&mut activity, &knocks).is_empty());
        // A stumbling start is one.
        assert_eq!(starts(&mut activity, &[0.1, 0.9, 0.9]), [13]);
    }

    #[test]
    fn silence_is_counted_from_the_last_speech() {
        let mut activity = Activity::default();
        assert_eq!(activity.silence(), 0);
        starts(&mut activity, &[0.0, 0.0]);
        assert_eq!(activity.silence(), 2);
        starts(&mut activity, &[0.9, 0.4, 0.36, 0.2, 0.4]);
        assert_eq!((activity.silence(), activity.voiced_until(), activity.steps()), (2, 5, 7), "below 0.5 is no start");
        activity.reset();
        assert_eq!((activity.silence(), activity.steps()), (0, 0));
    }
}
