//! From the posteriors of a word's tokens to the probability that the word is right.
//!
//! A token's posterior says how sure the search was at one frame, not how often such words are right. A model may
//! carry a calibration: logistic regression (Platt 1999) on what is known when a word is complete, fitted on
//! recordings with transcripts (`models/eval/confidence`). Without one, a word is as sure as its least sure token.

use crate::{decode::Token, model::config::ConfidenceConfig};

/// Share of a new token in the running mean of log-posteriors.
const MEMORY: f32 = 0.1;
/// The running mean in front of the first token of an utterance.
const AT_START: f32 = -0.5;
/// Posteriors are kept off 0 and 1 by this much, so that their logarithms stay small.
const FLOOR: f32 = 1e-4;
/// Shares are kept off 0 and 1 by this much: what a few dozen hypotheses agree on may be wrong all the same.
const LEAST_AGREEMENT: f32 = 0.02;

/// What the search knew of a word: the grounds of its confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Posterior of the least sure token, 0 to 1.
    pub least: f32,
    /// Mean natural logarithm of the tokens' posteriors.
    pub mean_log: f32,
    /// Number of tokens.
    pub tokens: u32,
    /// Running mean of the log-posteriors of the utterance's tokens before the word.
    pub before: f32,
    /// Share of the search's hypotheses, by their probability, that have the word at its place, 0 to 1.
    pub agreement: f32,
}

impl Evidence {
    /// Of a word without tokens yet.
    fn none(before: f32) -> Self {
        Self { least: 1.0, mean_log: 0.0, tokens: 0, before, agreement: 1.0 }
    }

    fn add(&mut self, Token { probability, agreement, .. }: Token) {
        self.agreement = self.agreement.min(agreement);
        let log = probability.clamp(FLOOR, 1.0).ln();
        self.least = self.least.min(probability);
        self.mean_log += (log - self.mean_log) / (self.tokens + 1) as f32;
        self.tokens += 1;
    }

    /// Log-odds of the least sure token.
    pub fn least_log_odds(&self) -> f32 {
        let p = self.least.clamp(FLOOR, 1.0 - FLOOR);
        (p / (1.0 - p)).ln()
    }

    /// Log-odds of the agreement.
    pub fn agreement_log_odds(&self) -> f32 {
        let share = self.agreement.clamp(LEAST_AGREEMENT, 1.0 - LEAST_AGREEMENT);
        (share / (1.0 - share)).ln()
    }
}

impl ConfidenceConfig {
    /// Probability that a word with this evidence is right, 0 to 1.
    pub fn probability(&self, evidence: &Evidence) -> f32 {
        let odds = self.bias
            + self.least * evidence.least_log_odds()
            + self.mean_log * evidence.mean_log
            + self.tokens * (evidence.tokens as f32).max(1.0).ln()
            + self.before * evidence.before
            + self.agreement * evidence.agreement_log_odds();
        1.0 / (1.0 + (-odds).exp())
    }
}

/// Follows the tokens of an utterance and says how sure its words are.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    calibration: Option<ConfidenceConfig>,
    running: f32,
}

impl Judge {
    pub(crate) fn new(calibration: Option<ConfidenceConfig>) -> Self {
        Self { calibration, running: AT_START }
    }

    /// Evidence of a word that begins now.
    pub(crate) fn begin_word(&self) -> Evidence {
        Evidence::none(self.running)
    }

    /// Takes a token of the word with this evidence; returns the word's confidence.
    pub(crate) fn add(&mut self, evidence: &mut Evidence, token: Token) -> f32 {
        evidence.add(token);
        self.running += MEMORY * (token.probability.clamp(FLOOR, 1.0).ln() - self.running);
        self.calibration.as_ref().map_or(evidence.least, |calibration| calibration.probability(evidence))
    }

    /// The running mean, to go back to with [`Judge::return_to`].
    pub(crate) fn place(&self) -> f32 {
        self.running
    }

    pub(crate) fn return_to(&mut self, place: f32) {
        self.running = place;
    }

    /// A new utterance begins.
    pub(crate) fn reset(&mut self) {
        self.running = AT_START;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(probability: f32, agreement: f32) -> Token {
        Token { id: 0, frame: 0, probability, agreement }
    }

    fn judged(calibration: Option<ConfidenceConfig>, words: &[&[f32]]) -> Vec<(Evidence, f32)> {
        let mut judge = Judge::new(calibration);
        words
            .iter()
            .map(|tokens| {
                let mut evidence = judge.begin_word();
                let confidence = tokens.iter().map(|&p| judge.add(&mut evidence, token(p, 1.0))).last().unwrap_or(1.0);
                (evidence, confidence)
            })
            .collect()
    }

    fn calibration() -> ConfidenceConfig {
        ConfidenceConfig { bias: -1.0, least: 0.8, mean_log: 0.5, tokens: 0.2, before: 1.0, agreement: 0.5 }
    }

    #[test]
    fn without_calibration_a_word_is_as_sure_as_its_least_sure_token() {
        let words = judged(None, &[&[0.9, 0.4, 0.8], &[1.0]]);
        assert_eq!(words[0].1, 0.4);
        assert_eq!(words[1].1, 1.0);
        assert!((words[0].0.mean_log - (0.9_f32.ln() + 0.4_f32.ln() + 0.8_f32.ln()) / 3.0).abs() < 1e-6);
    }

    #[test]
    fn calibrated_confidence_rises_with_every_ground() {
        let sure = judged(Some(calibration()), &[&[0.9, 0.9]])[0].1;
        let unsure = judged(Some(calibration()), &[&[0.9, 0.3]])[0].1;
        assert!(0.0 < unsure && unsure < sure && sure < 1.0);
        let after_doubt = judged(Some(calibration()), &[&[0.1, 0.1, 0.1], &[0.9, 0.9]])[1].1;
        assert!(after_doubt < sure, "words after unsure ones are less sure");
        let mut judge = Judge::new(Some(calibration()));
        let mut evidence = judge.begin_word();
        judge.add(&mut evidence, token(0.9, 0.5));
        let disputed = judge.add(&mut evidence, token(0.9, 0.9));
        assert_eq!(evidence.agreement, 0.5);
        assert!(disputed < sure, "words that other hypotheses don't have are less sure");
    }

    #[test]
    fn stays_a_probability_for_any_posterior() {
        for p in [0.0, f32::MIN_POSITIVE, 1.0, 1.0 + f32::EPSILON, f32::NAN] {
            let (_, confidence) = judged(Some(calibration()), &[&[p; 40]])[0];
            assert!((0.0..=1.0).contains(&confidence) || p.is_nan(), "{p}: {confidence}");
        }
    }

    #[test]
    fn goes_back_to_where_it_was() {
        let mut judge = Judge::new(None);
        let place = judge.place();
        let mut evidence = judge.begin_word();
        judge.add(&mut evidence, token(0.2, 1.0));
        judge.return_to(place);
        assert_eq!(judge.begin_word(), Judge::new(None).begin_word());
    }
}
