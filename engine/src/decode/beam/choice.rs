//! Which hypothesis a finished utterance is: not the likeliest text, but the one with the fewest word errors to expect, as
//! far as the beam's scores can be believed (minimum Bayes risk; Stolcke et al. 1997, "Explicit word error minimization in
//! N-best list rescoring"). And how far the others agree with it, word by word: the ground of confidences.

use super::{
    Beam,
    hypothesis::{EMPTY_TEXT, Pool, hash_on},
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

/// Texts beside each other.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Hashes of the words of all texts, and where those of each end.
    words: Vec<u64>,
    ends: Vec<usize>,
    /// How likely each is, beside the first.
    weights: Vec<f32>,
    /// Word errors to expect of each.
    risks: Vec<f32>,
    /// Share of the texts, by their weights, that agree on each word of one.
    agreements: Vec<f32>,
    /// Edit distances.
    table: Vec<u32>,
}

impl Choice {
    /// Makes room for so many hypotheses of usual length.
    pub(super) fn reserve(&mut self, hypotheses: usize) {
        self.words.reserve(hypotheses * TYPICAL_WORDS);
        self.ends.reserve(hypotheses);
        self.weights.reserve(hypotheses);
        self.risks.reserve(hypotheses);
        self.agreements.reserve(TYPICAL_WORDS);
        self.table.reserve(TYPICAL_WORDS * TYPICAL_WORDS);
    }

    /// Takes texts with their scores.
    fn take<'a>(&mut self, texts: impl Iterator<Item = (&'a [Token], f32)>, tokens: &Tokens) {
        self.words.clear();
        self.ends.clear();
        self.weights.clear();
        let mut first = None;
        for (text, score) in texts {
            self.weights.push(((score - *first.get_or_insert(score)) / TEMPERATURE).exp());
            let mut cutter = Cutter::default();
            text.iter().for_each(|token| cutter.push(token, tokens, |word| self.words.push(word)));
            self.words.extend(cutter.rest());
            self.ends.push(self.words.len());
        }
    }

    /// The words of a text.
    fn words(&self, index: usize) -> &[u64] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.words[start..self.ends[index]]
    }

    /// Index of the text with the least risk: its errors if another is right, by how likely that is. 0 where there is none.
    fn least_risk(&mut self) -> usize {
        self.risks.clear();
        self.risks.resize(self.ends.len(), 0.0);
        let mut table = std::mem::take(&mut self.table);
        for i in 1..self.ends.len() {
            for j in 0..i {
                let errors = edit_distance(self.words(i), self.words(j), &mut table) as f32;
                self.risks[i] += self.weights[j] * errors;
                self.risks[j] += self.weights[i] * errors;
            }
        }
        self.table = table;
        let mut chosen = 0;
        for (index, risk) in self.risks.iter().enumerate() {
            if *risk < self.risks[chosen] {
                chosen = index;
            }
        }
        chosen
    }

    /// Weighs who agrees on each word of a text.
    fn agree(&mut self, index: usize) {
        let mut agreements = std::mem::take(&mut self.agreements);
        let mut table = std::mem::take(&mut self.table);
        agreements.clear();
        agreements.resize(self.words(index).len(), 0.0);
        for (other, weight) in self.weights.iter().enumerate() {
            each_shared(self.words(index), self.words(other), &mut table, |word| agreements[word] += weight);
        }
        let all: f32 = self.weights.iter().sum();
        agreements.iter_mut().for_each(|share| *share = if all.is_finite() { *share / all } else { 1.0 });
        (self.agreements, self.table) = (agreements, table);
    }
}

/// Cuts a text into words as its tokens come.
struct Cutter {
    word: u64,
    complete: usize,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { word: EMPTY_TEXT, complete: 0 }
    }
}

impl Cutter {
    /// Takes a token; gives the hashes of words that are complete with it. After it, the index of its word is `complete`.
    fn push(&mut self, token: &Token, tokens: &Tokens, mut completed: impl FnMut(u64)) {
        let piece = tokens.piece(token.id).unwrap_or_default();
        for (part, text) in piece.split(WORD_START).enumerate() {
            if part > 0 && self.word != EMPTY_TEXT {
                completed(std::mem::replace(&mut self.word, EMPTY_TEXT));
                self.complete += 1;
            }
            self.word = hash_on(self.word, text.as_bytes());
        }
    }

    /// The last word, if there is one.
    fn rest(self) -> Option<u64> {
        (self.word != EMPTY_TEXT).then_some(self.word)
    }
}

impl Beam {
    /// Puts the hypothesis of the least word errors to expect before all others. A grammar has the best.
    pub(super) fn choose(&mut self) {
        if self.grammar.is_some() {
            return;
        }
        let texts = self.beam.iter().map(|&index| &self.pool.hypotheses[index]).map(|h| (h.tokens.as_slice(), h.score));
        self.choice.take(texts, &self.tokens);
        let chosen = self.choice.least_risk();
        self.beam[..=chosen].rotate_right(1);
    }

    /// Tells the tokens of the hypothesis at this place of the beam how many of the others, in or out of the grammar as it
    /// is, have their words.
    pub(super) fn listen_to_others(&mut self, place: usize) {
        let Pool { hypotheses, .. } = &mut self.pool;
        let free = hypotheses[self.beam[place]].free;
        let texts = self.beam.iter().map(|&index| &hypotheses[index]).filter(|h| h.free == free);
        self.choice.take(texts.map(|h| (h.tokens.as_slice(), h.score)), &self.tokens);
        self.choice.agree(self.beam[..place].iter().filter(|&&index| hypotheses[index].free == free).count());
        let mut cutter = Cutter::default();
        for (at, token) in hypotheses[self.beam[place]].tokens.iter_mut().enumerate() {
            cutter.push(token, &self.tokens, |_| ());
            if at >= self.settled {
                token.agreement = self.choice.agreements.get(cutter.complete).copied().unwrap_or(1.0);
            }
        }
    }
}

/// The parts of two sequences between what they begin and end with alike, and how many of the first come before.
fn differing<'a>(a: &'a [u64], b: &'a [u64]) -> (&'a [u64], &'a [u64], usize) {
    let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[before..], &b[before..]);
    let behind = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    (&a[..a.len() - behind], &b[..b.len() - behind], before)
}

/// Fills a table with the edit distances of what both sequences begin with (Wagner and Fischer 1974), row by row.
fn fill_distances(a: &[u64], b: &[u64], table: &mut Vec<u32>) {
    let width = b.len() + 1;
    table.clear();
    table.extend(0..width as u32);
    for (i, x) in a.iter().enumerate() {
        table.push(i as u32 + 1);
        for (j, y) in b.iter().enumerate() {
            let above = &table[i * width + j..];
            let least = (above[0] + u32::from(x != y)).min(above[1] + 1).min(table[(i + 1) * width + j] + 1);
            table.push(least);
        }
    }
}

/// Fewest insertions, deletions and substitutions that make one sequence the other.
fn edit_distance(a: &[u64], b: &[u64], table: &mut Vec<u32>) -> u32 {
    let (a, b, _) = differing(a, b);
    fill_distances(a, b, table);
    table.last().copied().unwrap_or(0)
}

/// Tells of each element of `a` that is left alone when as little as possible is changed to make `b` of it.
fn each_shared(a: &[u64], b: &[u64], table: &mut Vec<u32>, mut shared: impl FnMut(usize)) {
    let (x, y, before) = differing(a, b);
    (0..before).chain(before + x.len()..a.len()).for_each(&mut shared);
    fill_distances(x, y, table);
    let width = y.len() + 1;
    let (mut i, mut j) = (x.len(), y.len());
    while i > 0 && j > 0 {
        let here = table[i * width + j];
        let is_alike = x[i - 1] == y[j - 1];
        if here == table[(i - 1) * width + j - 1] + u32::from(!is_alike) {
            (i, j) = (i - 1, j - 1);
            if is_alike {
                shared(before + i);
            }
        } else if here == table[(i - 1) * width + j] + 1 {
            i -= 1;
        } else {
            j -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(texts: &[(&[u32], f32)]) -> Choice {
        let tokens = Tokens::new(["▁a", "b", "▁c", "▁d", "▁e"]).unwrap();
        let texts: Vec<(Vec<Token>, f32)> = texts
            .iter()
            .map(|&(ids, score)| {
                (ids.iter().map(|&id| Token { id, frame: 0, probability: 1.0, agreement: 1.0 }).collect(), score)
            })
            .collect();
        let mut choice = Choice::default();
        choice.take(texts.iter().map(|(text, score)| (text.as_slice(), *score)), &tokens);
        choice
    }

    fn choose(texts: &[(&[u32], f32)]) -> usize {
        choice(texts).least_risk()
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
    fn words_are_agreed_on_by_weight() {
        let mut choice = choice(&[(&[0, 1, 2, 3], 0.0), (&[0, 2, 3], -0.6), (&[0, 1, 3], -0.9)]);
        choice.agree(0);
        let weights = [1.0, (-0.4_f32).exp(), (-0.6_f32).exp()];
        let all: f32 = weights.iter().sum();
        let expected = [(weights[0] + weights[2]) / all, (weights[0] + weights[1]) / all, 1.0];
        assert_eq!(choice.agreements.len(), 3);
        for (found, expected) in choice.agreements.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{:?} is not {expected:?}", choice.agreements);
        }
    }

    #[test]
    fn shared_words_are_found_between_others() {
        let shared = |a: &[u64], b: &[u64]| {
            let mut places = Vec::new();
            each_shared(a, b, &mut Vec::new(), |place| places.push(place));
            places.sort_unstable();
            places
        };
        assert_eq!(shared(&[1, 2, 3], &[1, 2, 3]), [0, 1, 2]);
        assert_eq!(shared(&[1, 9, 2, 8, 3], &[1, 2, 7, 3]), [0, 2, 4]);
        assert_eq!(shared(&[1, 9, 5, 8, 3], &[1, 5, 3]), [0, 2, 4]);
        assert_eq!(shared(&[1, 2], &[]), [] as [usize; 0]);
        assert_eq!(shared(&[], &[1]), [] as [usize; 0]);
    }

    #[test]
    fn any_list_has_a_choice() {
        assert_eq!(choose(&[]), 0);
        assert_eq!(choose(&[(&[], 0.0)]), 0);
        assert_eq!(choose(&[(&[], f32::NAN), (&[0], f32::NEG_INFINITY)]), 0);
    }
}
