//! Whether words are right as often as their confidence says.

use serde::Serialize;

/// Equal bins of confidence.
const BINS: usize = 10;

/// Words by confidence, and how many of them were right.
#[derive(Clone, Debug, Default)]
pub struct Reliability {
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    words: usize,
    right: usize,
    confidence: f64,
}

/// The words of one bin.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Where the bin begins; it ends a tenth higher.
    pub from: f64,
    /// Words in it.
    pub words: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them that is right.
    pub right: f64,
}

/// What remains, and how good it is, when words below a confidence are dropped.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The least confidence kept.
    pub least: f64,
    /// Share of the words that is kept.
    pub kept: f64,
    /// Share of the kept words that is right.
    pub right: f64,
}

impl Reliability {
    /// Adds a word.
    pub fn add(&mut self, confidence: f32, right: bool) {
        let confidence = f64::from(confidence);
        let bin = &mut self.bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.words += 1;
        bin.right += usize::from(right);
        bin.confidence += confidence;
    }

    /// Adds the words of another set.
    pub fn append(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.words += other.words;
            bin.right += other.right;
            bin.confidence += other.confidence;
        }
    }

    fn words(&self) -> usize {
        self.bins.iter().map(|bin| bin.words).sum()
    }

    /// Expected calibration error: the mean distance between the confidence of a bin and the share of its words that is
    /// right, 0 to 1 (Naeini et al. 2015). `None` without words.
    pub fn calibration_error(&self) -> Option<f64> {
        let words = self.words();
        let sum: f64 = self.bins.iter().map(|bin| (bin.confidence - bin.right as f64).abs()).sum();
        (words > 0).then(|| sum / words as f64)
    }

    /// The bins that have words.
    pub fn shares(&self) -> Vec<Share> {
        let share = |(i, bin): (usize, &Bin)| {
            let words = bin.words as f64;
            Share {
                from: i as f64 / BINS as f64,
                words: bin.words,
                confidence: bin.confidence / words,
                right: bin.right as f64 / words,
            }
        };
        self.bins.iter().enumerate().filter(|(_, bin)| bin.words > 0).map(share).collect()
    }

    /// What is kept at each bin's lower edge.
    pub fn kept(&self) -> Vec<Kept> {
        let all = self.words() as f64;
        let kept = |i: usize| {
            let words: usize = self.bins[i..].iter().map(|bin| bin.words).sum();
            let right: usize = self.bins[i..].iter().map(|bin| bin.right).sum();
            (words > 0).then(|| Kept {
                least: i as f64 / BINS as f64,
                kept: words as f64 / all,
                right: right as f64 / words as f64,
            })
        };
        (0..BINS).filter_map(kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_distance_between_belief_and_truth() {
        let mut sure = Reliability::default();
        assert_eq!(sure.calibration_error(), None);
        for i in 0..10 {
            sure.add(0.75, i < 5);
        }
        assert!((sure.calibration_error().unwrap() - 0.25).abs() < 1e-9);
        let mut both = Reliability::default();
        both.append(&sure);
        for _ in 0..10 {
            both.add(1.0, true);
        }
        assert!((both.calibration_error().unwrap() - 0.125).abs() < 1e-9);
        assert_eq!(both.shares().len(), 2);
    }

    #[test]
    fn dropping_unsure_words_keeps_the_better_ones() {
        let mut words = Reliability::default();
        for (confidence, right) in [(0.05, false), (0.35, true), (0.35, false), (0.95, true)] {
            words.add(confidence, right);
        }
        let kept = words.kept();
        assert_eq!((kept[0].kept, kept[0].right), (1.0, 0.5));
        assert_eq!((kept[9].kept, kept[9].right), (0.25, 1.0));
        let at = kept.iter().find(|kept| kept.least == 0.3).unwrap();
        assert_eq!((at.kept, at.right), (0.75, 2.0 / 3.0));
    }
}
