//! Which hypothesis a finished utterance is: not the likeliest text, but the one with the fewest word errors to expect, as
//! far as the beam's scores can be believed (minimum Bayes risk; Stolcke et al. 1997, "Explicit word error minimization in
//! N-best list rescoring").

use super::{
    Beam,
    hypothesis::{EMPTY_TEXT, hash_on},
};
use crate::{
    decode::Token,
    model::tokens::{Tokens, WORD_START},
};

/// Scores are divided by this before they are taken for logarithms of probabilities: the models that they add up know of
/// the same things, and are too sure together.
const TEMPERATURE: f32 = 1.5;

/// Words that a hypothesis seldom exceeds.
const TYPICAL_WORDS: usize = 32;

/// Working space of the choice.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Hashes of the words of all hypotheses, and where those of each end.
    words: Vec<u64>,
    ends: Vec<usize>,
    weights: Vec<f32>,
    /// Word errors to expect of each.
    risks: Vec<f32>,
    /// One row of the table of edit distances.
    row: Vec<u32>,
}

impl Choice {
    /// Makes room for so many hypotheses of usual length.
    pub(super) fn reserve(&mut self, hypotheses: usize) {
        self.words.reserve(hypotheses * TYPICAL_WORDS);
        self.ends.reserve(hypotheses);
        self.weights.reserve(hypotheses);
        self.risks.reserve(hypotheses);
        self.row.reserve(2 * TYPICAL_WORDS);
    }

    /// Index of the hypothesis to choose among these with their scores, best first; 0 where there is none.
    pub(super) fn of<'a>(&mut self, hypotheses: impl Iterator<Item = (&'a [Token], f32)>, tokens: &Tokens) -> usize {
        self.words.clear();
        self.ends.clear();
        self.weights.clear();
        let mut best = None;
        for (text, score) in hypotheses {
            self.weights.push(((score - *best.get_or_insert(score)) / TEMPERATURE).exp());
            self.push_words(text, tokens);
            self.ends.push(self.words.len());
        }
        self.weigh();
        let mut chosen = 0;
        for (index, risk) in self.risks.iter().enumerate() {
            if *risk < self.risks[chosen] {
                chosen = index;
            }
        }
        chosen
    }

    fn push_words(&mut self, text: &[Token], tokens: &Tokens) {
        let mut word = EMPTY_TEXT;
        for token in text {
            let piece = tokens.piece(token.id).unwrap_or_default();
            for (part, text) in piece.split(WORD_START).enumerate() {
                if part > 0 && word != EMPTY_TEXT {
                    self.words.push(std::mem::replace(&mut word, EMPTY_TEXT));
                }
                word = hash_on(word, text.as_bytes());
            }
        }
        self.words.extend((word != EMPTY_TEXT).then_some(word));
    }

    /// The risk of each: its errors if another is right, by how likely that is.
    fn weigh(&mut self) {
        self.risks.clear();
        self.risks.resize(self.ends.len(), 0.0);
        let start = |index: usize| if index == 0 { 0 } else { self.ends[index - 1] };
        for i in 1..self.ends.len() {
            let words = &self.words[start(i)..self.ends[i]];
            for j in 0..i {
                let errors = edit_distance(words, &self.words[start(j)..self.ends[j]], &mut self.row) as f32;
                self.risks[i] += self.weights[j] * errors;
                self.risks[j] += self.weights[i] * errors;
            }
        }
    }
}

impl Beam {
    /// Puts the hypothesis of the least word errors to expect before all others. A grammar has the best.
    pub(super) fn choose(&mut self) {
        if self.grammar.is_some() {
            return;
        }
        let hypotheses = self.beam.iter().map(|&index| &self.pool.hypotheses[index]);
        let texts = hypotheses.map(|hypothesis| (hypothesis.tokens.as_slice(), hypothesis.score));
        let chosen = self.choice.of(texts, &self.tokens);
        self.beam[..=chosen].rotate_right(1);
    }
}

/// Fewest insertions, deletions and substitutions that make one sequence the other (Wagner and Fischer 1974).
fn edit_distance(a: &[u64], b: &[u64], row: &mut Vec<u32>) -> u32 {
    let alike = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[alike..], &b[alike..]);
    let alike = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - alike], &b[..b.len() - alike]);
    row.clear();
    row.extend(0..=b.len() as u32);
    for x in a {
        let mut diagonal = row[0];
        row[0] += 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + u32::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(texts: &[(&[u32], f32)]) -> usize {
        let tokens = Tokens::new(["▁a", "b", "▁c", "▁d", "▁e"]).unwrap();
        let texts: Vec<(Vec<Token>, f32)> = texts
            .iter()
            .map(|&(ids, score)| (ids.iter().map(|&id| Token { id, frame: 0, probability: 1.0 }).collect(), score))
            .collect();
        Choice::default().of(texts.iter().map(|(text, score)| (text.as_slice(), *score)), &tokens)
    }

    #[test]
    fn edit_distances_are_known() {
        let distance = |a: &[u64], b: &[u64]| edit_distance(a, b, &mut Vec::new());
        assert_eq!(distance(&[], &[]), 0);
        assert_eq!(distance(&[1, 2, 3], &[]), 3);
        assert_eq!(distance(&[], &[1]), 1);
        assert_eq!(distance(&[1, 2, 3, 4], &[1, 3, 4]), 1);
        assert_eq!(distance(&[1, 2, 3, 4], &[5, 3, 2, 4]), 3);
        assert_eq!(distance(&[1, 1, 1], &[1, 1]), 1);
        assert_eq!(distance(&[1, 2, 1], &[2, 1, 2]), 2);
    }

    #[test]
    fn texts_that_agree_about_a_word_outvote_a_likelier_one() {
        // "ab c d" is likeliest, but that the first word is "a" is likelier still.
        assert_eq!(choose(&[(&[0, 1, 2, 3], 0.0), (&[0, 2, 3], -0.3), (&[0, 2, 4], -0.4)]), 1);
        assert_eq!(
            choose(&[(&[0, 1, 2, 3], 0.0), (&[0, 2, 3], -6.0), (&[0, 2, 4], -6.0)]),
            0,
            "not where they are unlikely"
        );
    }

    #[test]
    fn any_list_has_a_choice() {
        assert_eq!(choose(&[]), 0);
        assert_eq!(choose(&[(&[], 0.0)]), 0);
        assert_eq!(choose(&[(&[], f32::NAN), (&[0], f32::NEG_INFINITY)]), 0);
    }
}
