//! Grammar mode: a closed menu of what may be said, which the search keeps to.
//!
//! A grammar is written in a subset of JSGF (see the README of `decode`). Its words are spelled in the model's pieces
//! (every segmentation, as for hotwords), and each hypothesis of the beam carries the set of places where its text may
//! stand, so an ambiguous beginning ("s" of small, soy and skim) is one hypothesis and not three. Which words fill which
//! slots is found at the end, for the few hypotheses that are left.
//!
//! Beside the hypotheses in the grammar the beam follows free speech. How much worse the grammar explains the utterance
//! than free speech does, for each token, is what rejects utterances that are not on the menu.

mod automaton;
mod jsgf;
mod network;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    spelling::{Speller, SpellingError},
    token::Token,
};
use crate::model::tokens::Tokens;
use automaton::Automaton;
pub(super) use automaton::Place;
pub use parse::{Parse, SlotValue};

/// Why a grammar was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrammarError {
    /// It is not written as a grammar is.
    #[error("line {line} of the grammar: {reason}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What was wrong.
        reason: String,
    },
    /// A rule that is not there is referred to.
    #[error("line {line} of the grammar: there is no rule <{name}>; define it, or quote the word if it is one")]
    UndefinedRule {
        /// The missing rule.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A rule contains itself.
    #[error("rule <{name}> contains itself; use * or + to repeat")]
    Recursive {
        /// The rule.
        name: String,
    },
    /// No rule is public.
    #[error("no rule is public; write `public` before the rules that can be said")]
    NoPublicRule,
    /// There is nothing that can be said.
    #[error("no utterance fits the grammar; look for <VOID> and for alternatives of weight 0")]
    Empty,
    /// Laid out, it is larger than the limit.
    #[error(
        "the grammar has more than {states} states once its rules are laid out, or rules nested more than 64 deep; \
         split it by dialogue step"
    )]
    TooLarge {
        /// The limit.
        states: usize,
    },
    /// Too many words can follow too many others.
    #[error(
        "there are more than {steps} ways on from the places of the grammar; split it by dialogue step, or write long rows \
         of optional parts and large repeated lists otherwise"
    )]
    TooDense {
        /// The limit.
        steps: usize,
    },
    /// The model can't write a word.
    #[error("the word {word:?} of the grammar can't be recognized: {reason}")]
    Word {
        /// The word.
        word: String,
        /// Why.
        reason: SpellingError,
    },
}

/// A compiled grammar. Cloning shares it; only clones are equal.
#[derive(Clone, Debug)]
pub struct Grammar(Arc<Inner>);

impl PartialEq for Grammar {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Clone, Debug)]
struct Inner {
    automaton: Automaton,
    rejection: f32,
}

impl Grammar {
    /// Margin below which an utterance counts as not on the menu, unless [`Grammar::with_rejection`] sets another. Of the
    /// half of the coffee orders in `models/eval/kiosk` that it was chosen on, one in fifty lies below.
    pub const DEFAULT_REJECTION: f32 = -0.6;

    /// What a letter of the grammar's words earns, unless [`Grammar::with_letter_reward`] sets another value. Chosen on
    /// half of the coffee orders in `models/eval/kiosk`.
    pub const DEFAULT_LETTER_REWARD: f32 = 0.3;

    /// Compiles a grammar for the tokens of a model.
    ///
    /// # Errors
    /// When the source is no grammar, is too large, or has a word that the model can't write.
    pub fn new(source: &str, tokens: &Tokens) -> Result<Self, GrammarError> {
        let rules = jsgf::read(source)?;
        if rules.public.is_empty() {
            return Err(GrammarError::NoPublicRule);
        }
        let network = network::Network::new(&rules)?;
        let mut automaton = Automaton::new(network, &Speller::new(tokens), tokens)?;
        automaton.letter_reward = Self::DEFAULT_LETTER_REWARD;
        Ok(Self(Arc::new(Inner { automaton, rejection: Self::DEFAULT_REJECTION })))
    }

    /// The same grammar that rejects utterances whose margin ([`Parse::margin`]) is below this; negative infinity rejects
    /// none.
    #[must_use]
    pub fn with_rejection(mut self, margin: f32) -> Self {
        self.inner().rejection = margin;
        self
    }

    /// The same grammar in which each letter of its words earns this, natural logarithm. A transducer leaves words out
    /// that it is unsure of rather than guess them, since the blank is always likely; in a grammar the few words that can
    /// follow deserve the guess. More hears more words, 0 only those the model is sure of. The reward does not count in
    /// the margin.
    #[must_use]
    pub fn with_letter_reward(mut self, reward: f32) -> Self {
        self.inner().automaton.letter_reward = reward;
        self
    }

    /// What is inside, of this grammar alone.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    /// Whether an utterance of this margin counts as on the menu.
    pub(super) fn accepts(&self, margin: f32) -> bool {
        margin >= self.0.rejection
    }

    /// Sets where an utterance starts.
    pub(super) fn start(&self, places: &mut Vec<Place>) {
        self.0.automaton.start(places);
    }

    /// Adds the weight of each token after these places to its score, negative infinity where it can't follow. `allowed`
    /// is room for a value per token.
    pub(super) fn add_weights(&self, places: &[Place], scores: &mut [f32], allowed: &mut [f32]) {
        self.0.automaton.add_weights(places, scores, allowed);
    }

    /// Takes a token. `spare` is room for places.
    pub(super) fn step(&self, places: &mut Vec<Place>, token: u32, spare: &mut Vec<Place>) {
        self.0.automaton.step(places, token, spare);
    }

    /// Logarithmic weight of ending here, negative infinity when that can't be.
    pub(super) fn final_weight(&self, places: &[Place]) -> f32 {
        self.0.automaton.final_weight(places)
    }

    /// What the hypotheses (tokens and logarithmic score, best first) mean.
    pub(super) fn parse<'a>(&self, hypotheses: impl Iterator<Item = (&'a [Token], f32)>, margin: f32) -> Parse {
        parse::parse(&self.0.automaton, hypotheses, margin, self.accepts(margin))
    }
}
