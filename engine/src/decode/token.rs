//! What a search gives out.

/// A token that a search emitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Index in the model's token table.
    pub id: u32,
    /// Encoder frame that emitted it, counted from the last reset.
    pub frame: u64,
    /// Its posterior probability at that frame, 0 to 1.
    pub probability: f32,
    /// Share of the search's hypotheses, by their probability, that have its word at its place: 1 where it can't change any
    /// more. In greedy search, which has one hypothesis, the posterior.
    pub agreement: f32,
}

/// The news of a search: tokens that will not change any more, and those that still may.
///
/// The tokens of an utterance are all those that were ever in `confirmed`, followed by the latest `tail`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// New tokens that follow the earlier confirmed ones. The search appends, the reader clears.
    pub confirmed: Vec<Token>,
    /// Tentative tokens after the confirmed ones. The search replaces them.
    pub tail: Vec<Token>,
}

impl Decoded {
    /// Empty, with room for `tokens` of either kind.
    pub fn with_capacity(tokens: usize) -> Self {
        Self { confirmed: Vec::with_capacity(tokens), tail: Vec::with_capacity(tokens) }
    }

    /// Forgets everything, the storage stays.
    pub fn clear(&mut self) {
        self.confirmed.clear();
        self.tail.clear();
    }
}
