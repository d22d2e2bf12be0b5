//! Reads back-off models in the ARPA format, as SRILM's ngram-format(5) describes it.

use std::collections::HashMap;

use super::LanguageModel;
use crate::model::{
    error::ModelFileError,
    ngrams::{MAX_ORDER, Ngrams, Node},
    tokens::Tokens,
};

/// Why an n-gram model was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NgramError {
    /// It is not written as an ARPA file is.
    #[error("line {line} of the language model: {reason}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What was wrong.
        reason: String,
    },
    /// It has no n-grams of the model's tokens.
    #[error("the language model has none of the recognizer's pieces; train it with `linnet lm` for the same model")]
    ForeignTokens,
    /// A file in the compact form can't be used.
    #[error("the language model: {0}")]
    File(#[from] ModelFileError),
}

/// An n-gram as it is read.
struct Entry {
    parent: u32,
    token: u32,
    log_probability: f32,
    back_off: f32,
}

impl LanguageModel {
    /// Reads a model whose words are the pieces of `tokens`. N-grams of other words are left out.
    ///
    /// # Errors
    /// When the source is no ARPA file, or of other tokens.
    pub fn from_arpa(source: &str, tokens: &Tokens) -> Result<Self, NgramError> {
        let vocab_size = tokens.len() as u32;
        let mut ids: HashMap<&str, u32> = (0..).zip(tokens.pieces()).map(|(id, piece)| (piece, id)).collect();
        ids.insert("<s>", vocab_size);
        ids.insert("</s>", vocab_size + 1);
        let mut trie = Trie::new();
        let mut entries = Vec::new();
        let mut order = 0;
        let mut ended = false;
        for (number, line) in (1..).zip(source.lines()) {
            let error = |reason: &str| NgramError::Syntax { line: number, reason: reason.into() };
            let line = line.trim();
            if let Some(header) = line.strip_prefix('\\') {
                trie.add_level(std::mem::take(&mut entries));
                match header.strip_suffix("-grams:").map(str::parse) {
                    Some(Ok(next)) if next > MAX_ORDER => {
                        return Err(error("longer n-grams than 12 tokens are more than can be used"));
                    }
                    Some(Ok(next)) if next == order + 1 => order = next,
                    Some(_) => return Err(error("n-grams come in the order of their length, from 1-grams on")),
                    None if header == "data\\" && order == 0 => {}
                    None if header == "end\\" => {
                        ended = true;
                        break;
                    }
                    None => return Err(error("this is no header of an ARPA file")),
                }
            } else if order > 0 && !line.is_empty() {
                let entry = read_entry(line, order, &ids, &trie).ok_or_else(|| {
                    error("an n-gram is a logarithm, its words, and perhaps a back-off weight, parted by blanks")
                })?;
                entries.extend(entry);
            }
        }
        if !ended {
            let line = source.lines().count().max(1);
            return Err(NgramError::Syntax { line, reason: "the file ends before `\\end\\`".into() });
        }
        if trie.nodes[0].children < 3 {
            return Err(NgramError::ForeignTokens);
        }
        let ngrams = Ngrams::pack(&trie.nodes, tokens.len()).ok_or(NgramError::ForeignTokens)?;
        Ok(Self::new(ngrams.into()))
    }
}

/// Reads a line; `None` when it is malformed, `Some(None)` when it has foreign words or its beginning is not there.
fn read_entry(line: &str, order: usize, ids: &HashMap<&str, u32>, trie: &Trie) -> Option<Option<Entry>> {
    let mut fields = line.split_whitespace();
    let number = |field: &str| field.parse::<f32>().ok().filter(|value| !value.is_nan());
    let log_probability = number(fields.next()?)?;
    let (mut parent, mut token) = (Some(0), None);
    for position in 0..order {
        let word = fields.next()?;
        if position > 0 {
            parent = parent.and_then(|parent| trie.child(parent, token?));
        }
        token = ids.get(word).copied();
    }
    let back_off = fields.next().map_or(Some(0.0), number)?;
    if fields.next().is_some() {
        return None;
    }
    let natural = |logarithm: f32| (logarithm * std::f32::consts::LN_10).clamp(-99.0, 99.0);
    Some(parent.zip(token).map(|(parent, token)| Entry {
        parent,
        token,
        log_probability: natural(log_probability),
        back_off: natural(back_off),
    }))
}

/// The n-grams by their length, as they grow.
struct Trie {
    /// The root, then level after level.
    nodes: Vec<Node>,
    /// The first child of each.
    first_children: Vec<u32>,
}

impl Trie {
    fn new() -> Self {
        Self { nodes: vec![Node { token: 0, children: 0, score: 0.0, back_off: 0.0 }], first_children: vec![1] }
    }

    fn child(&self, node: u32, token: u32) -> Option<u32> {
        let first = self.first_children[node as usize];
        let children = &self.nodes[first as usize..][..self.nodes[node as usize].children as usize];
        let at = children.binary_search_by_key(&token, |node| node.token).ok()?;
        Some(first + at as u32)
    }

    /// Adds n-grams that are one longer than the longest so far.
    fn add_level(&mut self, mut entries: Vec<Entry>) {
        entries.sort_unstable_by_key(|entry| (entry.parent, entry.token));
        entries.dedup_by_key(|entry| (entry.parent, entry.token));
        for Entry { parent, token, log_probability, back_off } in entries {
            let parent = parent as usize;
            if self.nodes[parent].children == 0 {
                self.first_children[parent] = self.nodes.len() as u32;
            }
            self.nodes[parent].children += 1;
            self.nodes.push(Node { token, children: 0, score: log_probability, back_off });
            self.first_children.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODEL: &str = "\\data\\\nngram 1=5\nngram 2=3\n\n\\1-grams:\n-99\t<s>\t-0.5\n-1.0\t</s>\n-0.5\t▁a\t-0.25\n\
        -1.0\tb\n-0.75\tc\t-0.1\n\n\\2-grams:\n-0.2\t<s> ▁a\t-0.3\n-0.4\t▁a b\n-0.6\tc </s>\n\n\\3-grams:\n\
        -0.1\t<s> ▁a c\n\n\\end\\\n";

    fn tokens() -> Tokens {
        Tokens::new(["▁a", "b", "c", "d"]).unwrap()
    }

    /// Scores are rounded to a 255th of their range, which one of -99 stretches to 20 nats.
    fn near(natural: f32, decimal: f32) -> bool {
        (natural - decimal * std::f32::consts::LN_10).abs() < 0.1
    }

    #[test]
    fn probabilities_back_off() {
        let model = LanguageModel::from_arpa(MODEL, &tokens()).unwrap().with_weight(1.0).with_token_reward(0.0);
        assert_eq!(model.len(), 9);
        let start = model.start();
        let mut scores = [0.0; 4];
        model.scores(&start, None, None, &mut scores);
        assert!(near(scores[0], -0.2), "a bigram");
        assert!(near(scores[1], -0.5 - 1.0), "backed off from the start");
        assert!((scores[3] - (-0.5 * std::f32::consts::LN_10 + super::super::UNKNOWN)).abs() < 0.1, "not in the model");
        let after_a = model.step(&start, 0);
        let mut scores = [0.0; 4];
        model.scores(&after_a, None, None, &mut scores);
        assert!(near(scores[2], -0.1), "a trigram");
        assert!(near(scores[1], -0.3 - 0.4), "backed off to a bigram");
        assert!(near(scores[0], -0.3 - 0.25 - 0.5), "backed off to a unigram");
        let after_c = model.step(&after_a, 2);
        assert!(near(model.finish(&after_c, None), -0.6), "the trigram's end is a known bigram");
    }

    #[test]
    fn weights_and_reward_count() {
        let model = LanguageModel::from_arpa(MODEL, &tokens()).unwrap().with_weight(0.5).with_token_reward(2.0);
        let scores = |model: &LanguageModel, unheard| {
            let mut scores = [0.0; 4];
            model.scores(&model.start(), None, unheard, &mut scores);
            scores
        };
        let plain = scores(&model, None);
        assert!((plain[0] - (2.0 - 0.1 * std::f32::consts::LN_10)).abs() < 0.05);
        let model = model.with_internal_weight(0.2);
        let without = scores(&model, Some(&[-3.0, 0.0, -16.0, -99.0]));
        for (i, taken_off) in [(0, 0.6), (1, 0.0), (2, 3.2), (3, 3.2)] {
            assert!((without[i] - plain[i] - taken_off).abs() < 1e-4, "token {i}");
            assert!(plain[i] <= model.most_added());
        }
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let refused = |source: &str| LanguageModel::from_arpa(source, &tokens()).unwrap_err().to_string();
        assert!(refused("").contains("end"));
        assert!(refused("\\data\\\n\\2-grams:\n").contains("line 2"));
        assert!(refused("\\data\\\n\\1-grams:\nx a\n\\end\\").contains("line 3"));
        assert!(refused("\\data\\\n\\1-grams:\n-1 a b c d\n\\end\\").contains("line 3"));
        assert!(refused("\\data\\\n\\1-grams:\n-1 other\n\\end\\").contains("linnet lm"));
    }

    proptest! {
        #[test]
        fn any_lines_are_read_or_refused(lines in prop::collection::vec("[\\\\0-9a-c<>/s▁ .-]{0,20}", 0..20)) {
            let _ = LanguageModel::from_arpa(&format!("\\data\\\n\\1-grams:\n{}", lines.join("\n")), &tokens());
        }
    }
}
