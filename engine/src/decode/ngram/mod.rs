//! An n-gram model of token sequences, fused into the scores of the beam (shallow fusion, Gulcehre et al. 2015,
//! arXiv:1503.03535).
//!
//! The model is a back-off model in the ARPA format over the pieces of the recognizer, so that it scores every token at
//! once. In memory it is a trie of n-grams in one array: the children of a node lie in a row, sorted by token, and each
//! node knows the node of its longest proper end, where it backs off to.

mod arpa;

use std::sync::Arc;

pub use arpa::NgramError;

/// A node of the trie: the n-gram that leads to it, as the context of what follows.
pub(super) type Context = u32;

const ROOT: Context = 0;

/// An n-gram model and how much it counts. Cloning shares the n-grams.
#[derive(Clone, Debug)]
pub struct LanguageModel {
    ngrams: Arc<Ngrams>,
    weight: f32,
    token_reward: f32,
}

impl PartialEq for LanguageModel {
    /// Whether they share their n-grams and count alike.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ngrams, &other.ngrams)
            && (self.weight, self.token_reward) == (other.weight, other.token_reward)
    }
}

#[derive(Debug)]
struct Ngrams {
    /// The root, then the n-grams by their length.
    nodes: Vec<Node>,
    /// Tokens without the start and the end of a sentence, which follow them here.
    vocab_size: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    token: u32,
    first_child: u32,
    children: u32,
    /// The node of the same n-gram without its first token.
    suffix: Context,
    /// Natural logarithm of the probability of the token after the n-gram before it.
    log_probability: f32,
    /// Natural logarithm of the weight of backing off from here.
    back_off: f32,
}

impl Ngrams {
    fn children(&self, context: Context) -> &[Node] {
        let node = &self.nodes[context as usize];
        &self.nodes[node.first_child as usize..][..node.children as usize]
    }

    fn child(&self, context: Context, token: u32) -> Option<Context> {
        let at = self.children(context).binary_search_by_key(&token, |node| node.token).ok()?;
        Some(self.nodes[context as usize].first_child + at as u32)
    }

    /// The context after one more token, and the logarithm of that token's probability.
    fn step(&self, mut context: Context, token: u32) -> (Context, f32) {
        let mut score = 0.0;
        loop {
            if let Some(next) = self.child(context, token) {
                return (self.useful(next), score + self.nodes[next as usize].log_probability);
            }
            if context == ROOT {
                return (ROOT, score + UNKNOWN);
            }
            score += self.nodes[context as usize].back_off;
            context = self.nodes[context as usize].suffix;
        }
    }

    /// The longest end of a context that something is known to follow.
    fn useful(&self, mut context: Context) -> Context {
        while context != ROOT && self.nodes[context as usize].children == 0 {
            context = self.nodes[context as usize].suffix;
        }
        context
    }
}

/// Logarithm of the probability of a token that the model does not have.
const UNKNOWN: f32 = -12.0;

impl LanguageModel {
    /// Weight of the model beside the transducer, unless [`LanguageModel::with_weight`] sets another.
    pub const DEFAULT_WEIGHT: f32 = 0.2;
    /// What a token earns, unless [`LanguageModel::with_token_reward`] sets another.
    pub const DEFAULT_TOKEN_REWARD: f32 = 0.8;

    fn new(ngrams: Ngrams) -> Self {
        let (weight, token_reward) = (Self::DEFAULT_WEIGHT, Self::DEFAULT_TOKEN_REWARD);
        Self { ngrams: Arc::new(ngrams), weight, token_reward }
    }

    /// The same model that counts this much: the factor of its logarithmic probabilities.
    #[must_use]
    pub fn with_weight(mut self, weight: f32) -> Self {
        self.weight = weight;
        self
    }

    /// The same model with another reward for each token, natural logarithm, which makes up for the model making every
    /// longer text less likely.
    #[must_use]
    pub fn with_token_reward(mut self, reward: f32) -> Self {
        self.token_reward = reward;
        self
    }

    /// Number of n-grams.
    pub fn len(&self) -> usize {
        self.ngrams.nodes.len() - 1
    }

    /// Whether there are no n-grams.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The context at the start of an utterance.
    pub(super) fn start(&self) -> Context {
        self.ngrams.child(ROOT, self.ngrams.vocab_size).map_or(ROOT, |start| self.ngrams.useful(start))
    }

    /// The context after one more token.
    pub(super) fn step(&self, context: Context, token: u32) -> Context {
        self.ngrams.step(context, token).0
    }

    /// What the end of the utterance adds.
    pub(super) fn finish(&self, context: Context) -> f32 {
        self.weight * self.ngrams.step(context, self.ngrams.vocab_size + 1).1
    }

    /// Adds what the model says of each token after a context to its score. `room` has a place for each token.
    pub(super) fn add_scores(&self, mut context: Context, scores: &mut [f32], room: &mut [f32]) {
        room.fill(f32::NEG_INFINITY);
        let mut back_off = 0.0;
        loop {
            for node in self.ngrams.children(context) {
                if let Some(score) = room.get_mut(node.token as usize)
                    && *score == f32::NEG_INFINITY
                {
                    *score = back_off + node.log_probability;
                }
            }
            if context == ROOT {
                break;
            }
            back_off += self.ngrams.nodes[context as usize].back_off;
            context = self.ngrams.nodes[context as usize].suffix;
        }
        for (score, model) in scores.iter_mut().zip(room) {
            let model = if *model == f32::NEG_INFINITY { back_off + UNKNOWN } else { *model };
            *score += self.weight * model + self.token_reward;
        }
    }
}
