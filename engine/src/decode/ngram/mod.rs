//! An n-gram model of token sequences, fused into the scores of the beam (shallow fusion, Gulcehre et al. 2015,
//! arXiv:1503.03535).
//!
//! It is a back-off model over the pieces of the recognizer ([`Ngrams`]), so that it scores every token at once. A model
//! file may hold one; a host may read another from an ARPA file. The network of a model file counts beside its n-grams, and
//! what the transducer expects unheard may be taken off.

mod arpa;

use std::sync::Arc;

pub use arpa::NgramError;

use crate::model::{
    config::NgramConfig,
    language_network::{LanguageNetwork, LanguageScratch, LanguageState},
    ngrams::{self, MAX_ORDER, Ngrams, NodeId, ROOT},
    tokens::Tokens,
};

/// An n-gram model, perhaps with a network beside it, and how much they count. Cloning shares both.
#[derive(Clone, Debug)]
pub struct LanguageModel {
    ngrams: Arc<Ngrams>,
    weight: f32,
    token_reward: f32,
    internal_weight: f32,
    /// With what its logarithmic probabilities are multiplied.
    network: Option<(Arc<LanguageNetwork>, f32)>,
}

impl PartialEq for LanguageModel {
    /// Whether they share what they are made of and count alike.
    fn eq(&self, other: &Self) -> bool {
        let network = |model: &Self| model.network.as_ref().map(|(network, weight)| (Arc::as_ptr(network), *weight));
        Arc::ptr_eq(&self.ngrams, &other.ngrams)
            && (self.weight, self.token_reward, self.internal_weight)
                == (other.weight, other.token_reward, other.internal_weight)
            && network(self) == network(other)
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

/// What the transducer expects less than this unheard counts as expected this much.
const LEAST_UNHEARD: f32 = -16.0;

impl LanguageModel {
    /// Weight of a model that was made without one.
    pub const DEFAULT_WEIGHT: f32 = NgramConfig::DEFAULT_WEIGHT;
    /// Token reward of a model that was made without one.
    pub const DEFAULT_TOKEN_REWARD: f32 = NgramConfig::DEFAULT_TOKEN_REWARD;

    /// The model with the weight and the reward that came with it.
    pub(crate) fn new(ngrams: Arc<Ngrams>) -> Self {
        let NgramConfig { weight, token_reward, internal_weight, .. } = *ngrams.config();
        Self { ngrams, weight, token_reward, internal_weight, network: None }
    }

    /// The same model with this network beside the n-grams, which counts as much as it says of itself.
    #[must_use]
    pub(crate) fn with_network(mut self, network: Option<Arc<LanguageNetwork>>) -> Self {
        self.network = network.map(|network| (network.clone(), network.weight()));
        self
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

    /// The same model with another factor by which the logarithmic probabilities of the transducer's internal language model
    /// are taken off: what it expects without hearing anything, which it has learned of its own texts.
    #[must_use]
    pub fn with_internal_weight(mut self, weight: f32) -> Self {
        self.internal_weight = weight;
        self
    }

    /// The factor by which the transducer's internal language model is taken off; zero where it is left alone.
    pub fn internal_weight(&self) -> f32 {
        self.internal_weight
    }

    /// The same model whose network, if it has one, counts this much: the factor of its logarithmic probabilities. At zero
    /// there is none, and no time is spent on it.
    #[must_use]
    pub fn with_network_weight(mut self, weight: f32) -> Self {
        self.network = self.network.take().map(|(network, _)| (network, weight)).filter(|_| weight != 0.0);
        self
    }

    /// The factor of the network's logarithmic probabilities, zero where there is none.
    pub fn network_weight(&self) -> f32 {
        self.network.as_ref().map_or(0.0, |(_, weight)| *weight)
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
        ngrams.set_weights(self.weight, self.token_reward, self.internal_weight);
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

    /// What the network expects of an utterance before it begins, if there is a network.
    pub(super) fn network_start(&self) -> Option<&LanguageState> {
        self.network.as_ref().map(|(network, _)| network.start())
    }

    /// Working space of the network for so many hypotheses.
    pub(super) fn network_scratch(&self, hypotheses: usize) -> LanguageScratch {
        self.network.as_ref().map_or_else(LanguageScratch::default, |(network, _)| network.new_scratch(hypotheses))
    }

    /// Runs the network, if there is one, over one token of each hypothesis: `(token, index)` takes `states[index]` on.
    pub(super) fn advance_network(
        &self,
        steps: &[(u32, usize)],
        states: &mut [LanguageState],
        scratch: &mut LanguageScratch,
    ) {
        if let Some((network, _)) = &self.network {
            network.advance(steps, states, scratch);
        }
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
    pub(super) fn finish(&self, context: &Context, state: Option<&LanguageState>) -> f32 {
        let ngrams = self.weight * self.follow(*context, self.ngrams.vocab_size() + 1).1;
        ngrams + state.map_or(0.0, |state| self.network_weight() * state.end())
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

    /// What the model hardly ever adds more than to the score of a token that the transducer expects: what is taken off of
    /// the transducer's own expectations of text is seldom more than the model's cost.
    pub(super) fn most_added(&self) -> f32 {
        self.token_reward
    }

    /// What the model adds to the score of each token, in `added`: after a context, beside what its network expects, less
    /// what the transducer expects unheard.
    pub(super) fn scores(
        &self,
        context: &Context,
        state: Option<&LanguageState>,
        unheard: Option<&[f32]>,
        added: &mut [f32],
    ) {
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
        for added in added.iter_mut() {
            let model = if *added == f32::NEG_INFINITY { back_off + UNKNOWN } else { *added };
            *added = self.weight * model + self.token_reward;
        }
        if let Some(state) = state {
            let weight = self.network_weight();
            added.iter_mut().zip(state.tokens()).for_each(|(added, expected)| *added += weight * expected);
        }
        if let Some(unheard) = unheard {
            let unheard = unheard.iter().map(|unheard| unheard.max(LEAST_UNHEARD));
            added.iter_mut().zip(unheard).for_each(|(added, unheard)| *added -= self.internal_weight * unheard);
        }
    }
}
