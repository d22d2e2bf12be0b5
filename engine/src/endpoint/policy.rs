//! When an utterance is over: rules in layers over voice activity, the network's opinion, and the words so far.

use std::time::Duration;

use super::phrase::is_unfinished;

/// Share of `endpointing` that is waited when the network is sure that the utterance is over.
const QUICKEST: f32 = 0.4;
/// The same when it is sure that it goes on.
const SLOWEST: f32 = 1.8;
/// A gap between words of this many times `endpointing` ends an utterance where noise hides the silence.
const GAP_IN_NOISE: u32 = 3;

/// What a host sets about the ends of utterances, for a stream or in mid-stream.
///
/// Three layers, of which the first that applies ends the utterance: trailing silence (`endpointing`), the gap between
/// words (`utterance_end`), and the longest utterance (`max_utterance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Silence after speech that ends the utterance with a `speech_final`; `None` for never. Where noise hides the
    /// silence, a gap between words of three times the length does.
    pub endpointing: Option<Duration>,
    /// Whether the network's probability that the utterance is over shortens that silence to 0.4 or lengthens it to
    /// 1.8 of its length.
    pub adaptive: bool,
    /// Least silence after words that something is likely to follow: "with", "the", a number, a spelled letter.
    /// English models only.
    pub unfinished: Duration,
    /// Gap between words that ends the utterance, whatever is heard in it; `None` for never.
    pub utterance_end: Option<Duration>,
    /// Longest utterance; a final is made at the next pause between words after it, so that memory stays bounded.
    pub max_utterance: Duration,
}

impl Default for Policy {
    /// For conversation: 800 ms, adaptive.
    fn default() -> Self {
        Self {
            endpointing: Some(Duration::from_millis(800)),
            adaptive: true,
            unfinished: Duration::from_millis(1200),
            utterance_end: None,
            max_utterance: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// Short commands to a device, answered at once.
    pub fn command() -> Self {
        Self {
            endpointing: Some(Duration::from_millis(450)),
            unfinished: Duration::from_millis(700),
            utterance_end: Some(Duration::from_millis(1000)),
            max_utterance: Duration::from_secs(10),
            ..Self::default()
        }
    }

    /// Text that is thought about while it is spoken.
    pub fn dictation() -> Self {
        Self {
            endpointing: Some(Duration::from_millis(1500)),
            unfinished: Duration::from_millis(2500),
            utterance_end: Some(Duration::from_millis(4000)),
            max_utterance: Duration::from_secs(60),
            ..Self::default()
        }
    }

    /// Orders with hesitations, in the noise of engines and kitchens.
    pub fn drive_thru() -> Self {
        Self {
            endpointing: Some(Duration::from_millis(900)),
            unfinished: Duration::from_millis(1800),
            utterance_end: Some(Duration::from_millis(2000)),
            ..Self::default()
        }
    }

    /// Calls: quick turns, numbers said in groups.
    pub fn phone() -> Self {
        Self {
            endpointing: Some(Duration::from_millis(700)),
            unfinished: Duration::from_millis(1500),
            utterance_end: Some(Duration::from_millis(1500)),
            ..Self::default()
        }
    }

    /// Silence that ends the utterance, given the probability that it is over and its last word (if the words of this
    /// language are known).
    pub(crate) fn pause(&self, end: f32, last_word: Option<&str>) -> Option<Duration> {
        let endpointing = self.endpointing?;
        let share = SLOWEST + (QUICKEST - SLOWEST) * end.clamp(0.0, 1.0);
        let pause = if self.adaptive { scaled(endpointing, share) } else { endpointing };
        Some(if last_word.is_some_and(is_unfinished) { pause.max(self.unfinished) } else { pause })
    }

    /// Gap between words that ends the utterance.
    pub(crate) fn word_gap(&self) -> Option<Duration> {
        let in_noise = self.endpointing.map(|pause| pause.saturating_mul(GAP_IN_NOISE));
        [self.utterance_end, in_noise].into_iter().flatten().min()
    }
}

fn scaled(duration: Duration, factor: f32) -> Duration {
    Duration::try_from_secs_f32(duration.as_secs_f32() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn certainty_shortens_the_pause_and_doubt_lengthens_it() {
        let policy = Policy { endpointing: Some(ms(1000)), ..Policy::default() };
        let pause = |end| policy.pause(end, None).unwrap().as_millis();
        assert!((399..=401).contains(&pause(1.0)) && (1799..=1801).contains(&pause(0.0)));
        assert!(pause(0.3) > pause(0.6));
        assert_eq!(pause(f32::NAN), pause(f32::NAN), "no panic");
        let fixed = Policy { adaptive: false, ..policy };
        assert_eq!((fixed.pause(0.0, None), fixed.pause(1.0, None)), (Some(ms(1000)), Some(ms(1000))));
    }

    #[test]
    fn unfinished_phrases_wait_longer() {
        let policy = Policy { endpointing: Some(ms(500)), unfinished: ms(1400), adaptive: false, ..Policy::default() };
        assert_eq!(policy.pause(1.0, Some("with")), Some(ms(1400)));
        assert_eq!(policy.pause(1.0, Some("please")), Some(ms(500)));
        let slow = Policy { endpointing: Some(ms(2000)), ..policy };
        assert_eq!(slow.pause(1.0, Some("with")), Some(ms(2000)), "never shorter");
    }

    #[test]
    fn without_endpointing_only_a_set_gap_ends() {
        let policy = Policy { endpointing: None, ..Policy::default() };
        assert_eq!((policy.pause(1.0, Some("with")), policy.word_gap()), (None, None));
        let gap = Policy { utterance_end: Some(ms(1000)), ..policy };
        assert_eq!(gap.word_gap(), Some(ms(1000)));
        assert_eq!(Policy::default().word_gap(), Some(ms(2400)));
        assert_eq!(Policy { endpointing: Some(Duration::MAX), ..policy }.pause(0.0, None), Some(Duration::MAX));
    }
}
