//! An n-gram model of token sequences, fused into the scores of the beam (shallow fusion, Gulcehre et al. 2015,
//! arXiv:1503.03535).
//!
//! It is a back-off model over the pieces of the recognizer ([`Ngrams`]), so that it scores every token at once. A model
//! file may hold one; a host may read another from an ARPA file.

mod arpa;

use std::sync::Arc;

pub use arpa::NgramError;

use crate::model::{
    config::NgramConfig,
    ngrams::{self, MAX_ORDER, Ngrams, NodeId, ROOT},
    tokens::Tokens,
};

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

/// What a hypothesis ends with: the n-grams of its last tokens that something is known to follow, longest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    nodes: [NodeId; MAX_ORDER],
    len: usize,
}

impl Context {
    fn push(&mut self, node: NodeId) {
        if let Some(place) = self.nodes.get_mut(self.len) {
            *place = node;
            self.len += 1;
        }
    }

    /// With the empty n-gram, where backing off ends.
    fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes[..self.len].iter().copied().chain([ROOT])
    }
}

/// Logarithm of the probability of a token that the model does not have.
const UNKNOWN: f32 = -12.0;

impl LanguageModel {
    /// Weight of a model that was made without one.
    pub const DEFAULT_WEIGHT: f32 = NgramConfig::DEFAULT_WEIGHT;
    /// Token reward of a model that was made without one.
    pub const DEFAULT_TOKEN_REWARD: f32 = NgramConfig::DEFAULT_TOKEN_REWARD;

    /// The model with the weight and the reward that came with it.
    pub(crate) fn new(ngrams: Arc<Ngrams>) -> Self {
        let (weight, token_reward) = (ngrams.config().weight, ngrams.config().token_reward);
        Self { ngrams, weight, token_reward }
    }

    /// Reads a model whose words are the pieces of `tokens`: an ARPA file, or the compact form that `linnet lm` writes.
    ///
    /// # Errors
    /// When the source is neither, or of other tokens.
    pub fn read(source: &[u8], tokens: &Tokens) -> Result<Self, NgramError> {
        if ngrams::is_container(source) {
            return Ok(Self::new(Arc::new(Ngrams::from_bytes(source, tokens)?)));
        }
        let text = str::from_utf8(source).map_err(|error| NgramError::Syntax {
            line: source[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1,
            reason: "it is no text in UTF-8".into(),
        })?;
        Self::from_arpa(text, tokens)
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

    /// The factor of its logarithmic probabilities.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// What every token earns, natural logarithm.
    pub fn token_reward(&self) -> f32 {
        self.token_reward
    }

    /// The n-grams, with the weight and the reward that this model has, as a part of a model file.
    pub fn to_ngrams(&self) -> Arc<Ngrams> {
        let mut ngrams = (*self.ngrams).clone();
        ngrams.set_weights(self.weight, self.token_reward);
        Arc::new(ngrams)
    }

    /// Number of n-grams.
    pub fn len(&self) -> usize {
        self.ngrams.config().nodes - 1
    }

    /// Whether there are no n-grams.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The context at the start of an utterance.
    pub(super) fn start(&self) -> Context {
        self.follow(Context::default(), self.ngrams.vocab_size()).0
    }

    /// The context after one more token.
    pub(super) fn step(&self, context: &Context, token: u32) -> Context {
        self.follow(*context, token).0
    }

    /// What the end of the utterance adds.
    pub(super) fn finish(&self, context: &Context) -> f32 {
        self.weight * self.follow(*context, self.ngrams.vocab_size() + 1).1
    }

    /// The context after one more token, and what that token counts.
    fn follow(&self, context: Context, token: u32) -> (Context, f32) {
        let mut next = Context::default();
        let (mut score, mut back_off) = (None, 0.0);
        for node in context.nodes() {
            if let Some(child) = self.ngrams.child(node, token) {
                score.get_or_insert_with(|| back_off + self.ngrams.score(child));
                if self.ngrams.has_children(child) {
                    next.push(child);
                }
            }
            if node != ROOT {
                back_off += self.ngrams.back_off(node);
            }
        }
        (next, score.unwrap_or(back_off + UNKNOWN))
    }

    /// Adds what the model says of each token after a context to its score, and leaves that in `added`.
    pub(super) fn add_scores(&self, context: &Context, scores: &mut [f32], added: &mut [f32]) {
        added.fill(f32::NEG_INFINITY);
        let mut back_off = 0.0;
        for node in context.nodes() {
            self.ngrams.for_each_child(node, |token, of_token| {
                if let Some(score) = added.get_mut(token as usize)
                    && *score == f32::NEG_INFINITY
                {
                    *score = back_off + of_token;
                }
            });
            if node != ROOT {
                back_off += self.ngrams.back_off(node);
            }
        }
        for (score, added) in scores.iter_mut().zip(added) {
            let model = if *added == f32::NEG_INFINITY { back_off + UNKNOWN } else { *added };
            *added = self.weight * model + self.token_reward;
            *score += *added;
        }
    }
}
