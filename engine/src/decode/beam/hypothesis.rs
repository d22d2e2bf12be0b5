//! The hypotheses of a beam and their storage.

use crate::decode::{
    Token,
    grammar::Place,
    hotwords::{ROOT, State},
    ngram::Context,
};
use crate::model::{
    head::{HeadState, TransducerHead},
    language_network::LanguageState,
};

/// What a hypothesis is made of, apart from its predictor's state, which is at the same index of [`Pool::states`].
#[derive(Debug, Default)]
pub(super) struct Hypothesis {
    /// Tokens after those that all hypotheses share.
    pub(super) tokens: Vec<Token>,
    /// Logarithm of its probability with all that is fused in, relative to the best of the last frame.
    pub(super) score: f32,
    /// How much of the score is reward for words of the grammar.
    pub(super) reward: f32,
    /// Logarithm of the blank's probability at the frame at hand.
    pub(super) blank: f32,
    /// Of the text; hypotheses with the same text are the same, however it was cut into pieces.
    pub(super) text_hash: u64,
    /// Of the pieces that the language model was told: what it says depends on nothing else.
    pub(super) piece_hash: u64,
    pub(super) hotwords: State,
    /// How much of the score is credit for a hotword under way, to be given back should it fail.
    pub(super) credit: f32,
    /// What the language model remembers of it.
    pub(super) context: Context,
    /// What the language model adds to the score of each token. Empty until the search asks for it.
    pub(super) added: Vec<f32>,
    /// Its last token, while the language network has yet to hear of it.
    pub(super) missed: Option<u32>,
    /// Where it stands in the grammar; unused by a free one.
    pub(super) places: Vec<Place>,
    /// Whether it may leave the grammar.
    pub(super) free: bool,
    /// Whether it is among the best without its credit.
    pub(super) settled: bool,
}

/// Storage of hypotheses.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) hypotheses: Vec<Hypothesis>,
    pub(super) states: Vec<HeadState>,
    /// What the language network expects after each hypothesis; none where there is no network.
    pub(super) expectations: Vec<LanguageState>,
    unused: Vec<usize>,
}

/// Tokens that a hypothesis has room for before it allocates.
const TYPICAL_TOKENS: usize = 96;

/// Places in a grammar that a hypothesis has room for before it allocates.
const TYPICAL_PLACES: usize = 32;

/// The hash of no text and of no pieces: the offset basis of FNV-1a.
pub(super) const EMPTY_TEXT: u64 = 0xCBF2_9CE4_8422_2325;

impl Hypothesis {
    pub(super) fn copy_from(&mut self, source: &Self) {
        self.tokens.clone_from(&source.tokens);
        self.score = source.score;
        self.reward = source.reward;
        self.blank = source.blank;
        self.text_hash = source.text_hash;
        self.piece_hash = source.piece_hash;
        self.hotwords = source.hotwords;
        self.credit = source.credit;
        self.context = source.context;
        self.added.clone_from(&source.added);
        self.missed = source.missed;
        self.places.clone_from(&source.places);
        self.free = source.free;
    }

    /// Makes it that of no text.
    pub(super) fn start(&mut self, free: bool) {
        self.tokens.clear();
        self.score = 0.0;
        self.reward = 0.0;
        self.blank = 0.0;
        self.text_hash = EMPTY_TEXT;
        self.piece_hash = EMPTY_TEXT;
        self.hotwords = ROOT;
        self.credit = 0.0;
        self.context = Context::default();
        self.added.clear();
        self.missed = None;
        self.places.clear();
        self.free = free;
    }
}

impl Pool {
    /// Makes room for so many in all. Returns whether there was less.
    pub(super) fn grow(&mut self, head: &dyn TransducerHead, size: usize) -> bool {
        let before = self.hypotheses.len();
        for index in before..size {
            self.hypotheses.push(Hypothesis {
                tokens: Vec::with_capacity(TYPICAL_TOKENS),
                places: Vec::with_capacity(TYPICAL_PLACES),
                ..Hypothesis::default()
            });
            self.states.push(head.new_state());
            if let Some(any) = self.expectations.first() {
                self.expectations.push(any.clone());
            }
            self.unused.push(index);
        }
        before < size
    }

    /// Lets all hypotheses expect what this state does, or nothing.
    pub(super) fn expect(&mut self, state: Option<&LanguageState>) {
        self.expectations.clear();
        if let Some(state) = state {
            self.expectations.resize(self.hypotheses.len(), state.clone());
        }
    }

    /// An unused place, `None` when there is none left.
    pub(super) fn take(&mut self) -> Option<usize> {
        self.unused.pop()
    }

    pub(super) fn give_back(&mut self, index: usize) {
        self.unused.push(index);
    }

    /// Gives a hypothesis what the language model said of the same pieces before, be it to one that no longer competes.
    /// Returns whether it was asked about them.
    pub(super) fn learn_from_twin(&mut self, index: usize) -> bool {
        let hash = self.hypotheses[index].piece_hash;
        let knows = |twin: &Hypothesis| twin.piece_hash == hash && !twin.added.is_empty();
        let Some(twin) = self.hypotheses.iter().position(knows) else { return false };
        if let Ok([own, twin]) = self.hypotheses.get_disjoint_mut([index, twin]) {
            own.added.clone_from(&twin.added);
            own.missed = None;
        }
        if let Ok([own, twin]) = self.expectations.get_disjoint_mut([index, twin]) {
            own.clone_from(twin);
        }
        true
    }

    /// A copy of a hypothesis and its predictor's state.
    pub(super) fn copy_of(&mut self, index: usize) -> Option<usize> {
        let copy = self.take()?;
        if let Ok([copy, source]) = self.hypotheses.get_disjoint_mut([copy, index]) {
            copy.copy_from(source);
        }
        if let Ok([copy, source]) = self.states.get_disjoint_mut([copy, index]) {
            copy.clone_from(source);
        }
        if let Ok([copy, source]) = self.expectations.get_disjoint_mut([copy, index]) {
            copy.clone_from(source);
        }
        Some(copy)
    }
}

/// FNV-1a over more bytes.
pub(super) fn hash_on(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Logarithm of the sum of two probabilities.
pub(super) fn add_logarithms(a: f32, b: f32) -> f32 {
    let (most, least) = if a > b { (a, b) } else { (b, a) };
    if least == f32::NEG_INFINITY { most } else { most + (least - most).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_the_same_pieces_is_taken_over() {
        let of = |pieces: &[u32], added: &[f32]| Hypothesis {
            piece_hash: pieces.iter().fold(EMPTY_TEXT, |hash, piece| hash_on(hash, &piece.to_le_bytes())),
            added: added.into(),
            missed: pieces.last().copied().filter(|_| added.is_empty()),
            ..Hypothesis::default()
        };
        let hypotheses = vec![of(&[1, 2], &[]), of(&[2, 1], &[0.5]), of(&[1, 2], &[-1.0, 2.0]), of(&[1], &[])];
        let mut pool = Pool { hypotheses, ..Pool::default() };
        assert!(!pool.learn_from_twin(3), "nobody has said that");
        assert_eq!((pool.hypotheses[3].missed, pool.hypotheses[3].added.len()), (Some(1), 0));
        assert!(pool.learn_from_twin(0));
        assert_eq!((pool.hypotheses[0].missed, &*pool.hypotheses[0].added), (None, &[-1.0, 2.0][..]));
    }
}
