//! Hotwords: phrases that the host expects, made likelier while decoding (contextual biasing by shallow fusion, as in
//! Zhao et al. 2019, "Shallow-Fusion End-to-End Contextual Biasing").
//!
//! A phrase's boost is the natural logarithm by which each of its usual pieces becomes likelier. Any way to cut the
//! phrase into pieces earns the same sum, its last letters more than its first. It is kept when the phrase is heard to the end of a word;
//! a match that fails earlier gives back what it got, in beam search. Greedy search has taken its decisions by then:
//! there a partial match costs nothing to leave, and a gain counts only against what it competes with at its own step.

mod automaton;

use std::sync::Arc;

use super::spelling::{Speller, SpellingError};
use super::token::Token;
use crate::model::tokens::Tokens;
use automaton::{Automaton, Spelling};
pub(super) use automaton::{ROOT, State, Step};

/// A phrase that the host expects to hear.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hotword {
    /// One or more words, as they are to be written.
    pub phrase: String,
    /// How much likelier each piece of the phrase becomes, natural logarithm, above 0 and up to 20. Values of 0.5 to 1.5
    /// suit most phrases; from about 2 on in a beam, 5 in greedy search, the phrase is also heard where it was not said.
    pub boost: f32,
    /// Other spellings of how it sounds, in the model's letters: "kin wah" for quinoa. What matches them is written as
    /// the phrase.
    pub sounds_like: Vec<String>,
}

impl Hotword {
    /// Boost of a phrase that does not ask for another.
    pub const DEFAULT_BOOST: f32 = 0.8;

    /// A phrase with the default boost.
    pub fn new(phrase: impl Into<String>) -> Self {
        Self { phrase: phrase.into(), boost: Self::DEFAULT_BOOST, sounds_like: Vec::new() }
    }

    /// The same phrase with another boost.
    #[must_use]
    pub fn with_boost(mut self, boost: f32) -> Self {
        self.boost = boost;
        self
    }

    /// The same phrase with one more spelling of its sound.
    #[must_use]
    pub fn sounds_like(mut self, spelling: impl Into<String>) -> Self {
        self.sounds_like.push(spelling.into());
        self
    }
}

/// A phrase, or one of its spellings, that is not listened for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RejectedHotword {
    /// The phrase of the [`Hotword`].
    pub phrase: String,
    /// The spelling that was rejected: the phrase itself, or one of those that it sounds like.
    pub spelling: String,
    /// Why.
    pub reason: HotwordError,
}

/// Why a hotword was rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HotwordError {
    /// The boost is out of range.
    #[error("a boost is above 0 and at most 20, this is {boost}")]
    Boost {
        /// What was asked for.
        boost: f32,
    },
    /// The spelling is too long.
    #[error("it has {bytes} bytes; {MAX_BYTES} are the most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The model can't write it.
    #[error(transparent)]
    Spelling(#[from] SpellingError),
}

/// Longest phrase, in bytes.
const MAX_BYTES: usize = 256;

/// A compiled set of hotwords. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Hotwords {
    automaton: Arc<Automaton>,
    tokens: Arc<Tokens>,
    rejected: Vec<RejectedHotword>,
    len: usize,
}

impl Hotwords {
    /// Compiles phrases for the tokens of a model. Those that can't be used are left out and listed by
    /// [`Hotwords::rejected`]. A phrase that can't be spelled itself is still listened for by what it sounds like; then
    /// it is also written as it sounds.
    pub fn new(hotwords: &[Hotword], tokens: Arc<Tokens>) -> Self {
        let speller = Speller::new(&tokens);
        let mut spellings = Vec::new();
        let mut rejected = Vec::new();
        for hotword in hotwords {
            let mut reject = |spelling: &str, reason| {
                let (phrase, spelling) = (hotword.phrase.clone(), spelling.to_owned());
                rejected.push(RejectedHotword { phrase, spelling, reason });
            };
            let main = spell(&hotword.phrase, hotword.boost, &speller);
            let written = main.as_ref().ok().and_then(|main| speller.segment(&main.bytes));
            match main {
                Ok(spelling) => spellings.push(spelling),
                Err(reason) => reject(&hotword.phrase, reason),
            }
            for sound in &hotword.sounds_like {
                match spell(sound, hotword.boost, &speller) {
                    Ok(spelling) => spellings.push(Spelling { written: written.clone(), ..spelling }),
                    Err(reason) => reject(sound, reason),
                }
            }
        }
        let len = spellings.len();
        Self { automaton: Arc::new(Automaton::new(&spellings, &speller, &tokens)), tokens, rejected, len }
    }

    /// Spellings that are listened for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to listen for.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is not listened for, and why.
    pub fn rejected(&self) -> &[RejectedHotword] {
        &self.rejected
    }

    /// Takes a token.
    pub(super) fn step(&self, state: State, token: u32) -> Step {
        self.automaton.step(state, token)
    }

    /// What the end of the utterance is worth: the refund of an unfinished match.
    pub(super) fn finish(&self, state: State) -> f32 {
        self.automaton.finish(state)
    }

    /// What an unfinished match would give back after one more token.
    pub(super) fn pending_credit(&self, state: State, token: u32) -> f32 {
        -self.automaton.finish(self.automaton.step(state, token).state)
    }

    /// Adds what each token is worth after a state to its score: the credit of a match, the refund of a failed one.
    pub(super) fn add_credits(&self, state: State, scores: &mut [f32]) {
        self.automaton.add_credits(state, scores);
    }

    /// Calls `take(token, gain)` for each token that continues a match or, with `starts_too`, starts one.
    pub(super) fn each_gain(&self, state: State, starts_too: bool, take: impl FnMut(u32, f32)) {
        self.automaton.each_gain(state, starts_too, take);
    }

    /// How many of the last tokens of `tail` may yet be rewritten.
    pub(super) fn pending(&self, state: State, tail: &[Token]) -> usize {
        let held = self.automaton.pending_bytes(state);
        let mut bytes = 0;
        tail.iter()
            .rev()
            .take_while(|token| {
                let more = bytes < held;
                bytes += piece_bytes(&self.tokens, token.id);
                more
            })
            .count()
    }

    /// Replaces the tokens of a match by those that it is written with, if it has ended: `next` is the token after it,
    /// `None` at the end of the utterance. Returns whether it did.
    pub(super) fn rewrite(&self, state: State, next: Option<u32>, tail: &mut Vec<Token>) -> bool {
        if next.is_some_and(|next| !self.automaton.starts_word(next)) {
            return false;
        }
        let Some(rewrite) = self.automaton.rewrite(state) else { return false };
        let mut bytes = 0;
        let mut first = tail.len();
        while first > 0 && bytes < rewrite.bytes {
            first -= 1;
            bytes += piece_bytes(&self.tokens, tail[first].id);
        }
        if bytes != rewrite.bytes {
            return false;
        }
        replace(tail, first, &rewrite.written);
        true
    }
}

fn spell(phrase: &str, boost: f32, speller: &Speller) -> Result<Spelling, HotwordError> {
    if !(boost > 0.0 && boost <= 20.0) {
        return Err(HotwordError::Boost { boost });
    }
    if phrase.len() > MAX_BYTES {
        return Err(HotwordError::TooLong { bytes: phrase.len() });
    }
    let bytes = speller.spell(phrase)?;
    let pieces = speller.segment(&bytes).map_or(1, |pieces| pieces.len());
    Ok(Spelling { bytes, boost: boost * pieces as f32, written: None })
}

/// Bytes that a token adds to the text of the automaton.
fn piece_bytes(tokens: &Tokens, id: u32) -> usize {
    match tokens.byte(id) {
        Some(_) => 1,
        None => tokens.piece(id).map_or(0, str::len),
    }
}

/// Replaces the tokens from `first` on by others with their times, their least probability and least agreement.
fn replace(tail: &mut Vec<Token>, first: usize, written: &[u32]) {
    let (Some(begin), Some(end)) = (tail.get(first).copied(), tail.last().copied()) else { return };
    let least = |of: fn(&Token) -> f32| tail[first..].iter().map(of).fold(1.0, f32::min);
    let (probability, agreement) = (least(|token| token.probability), least(|token| token.agreement));
    tail.truncate(first);
    let steps = written.len().saturating_sub(1).max(1) as u64;
    for (i, &id) in (0..).zip(written) {
        let frame = begin.frame + (end.frame - begin.frame) * i / steps;
        tail.push(Token { id, frame, probability, agreement });
    }
}

#[cfg(test)]
mod tests;
