//! Greedy search over the transducer lattice (Graves 2012, arXiv:1211.3711): at each frame the best token is taken
//! until it is the blank.

use super::hotwords::{Hotwords, ROOT, State};
use super::token::{Decoded, Token};
use crate::model::head::{HeadScratch, HeadState, TransducerHead};

/// The state of a greedy search over one stream.
#[derive(Debug)]
pub struct Greedy {
    state: HeadState,
    scratch: HeadScratch,
    projected: Vec<f32>,
    logits: Vec<f32>,
    max_symbols_per_frame: usize,
    frame: u64,
    /// Frames since the last token, or since the start.
    blank_run: u64,
    bias: Option<Bias>,
    /// Tokens that the end of a hotword may yet rewrite.
    held: Vec<Token>,
}

/// Hotwords and how far the text has come in them.
#[derive(Debug)]
struct Bias {
    hotwords: Hotwords,
    state: State,
}

impl Greedy {
    /// A search at the start of an utterance. At most `max_symbols_per_frame` (at least one) tokens are taken from
    /// one frame, so that the work of a frame is bounded whatever the scores.
    pub fn new(head: &dyn TransducerHead, max_symbols_per_frame: usize) -> Self {
        let mut scratch = head.new_scratch();
        let mut state = head.new_state();
        head.start(&mut state, &mut scratch);
        Self {
            state,
            scratch,
            projected: Vec::new(),
            logits: vec![0.0; head.vocab_size() + 1],
            max_symbols_per_frame: max_symbols_per_frame.max(1),
            frame: 0,
            blank_run: 0,
            bias: None,
            held: Vec::with_capacity(32),
        }
    }

    /// Listens for these hotwords from the next frame on, or for none. A match that has begun with the old ones is
    /// forgotten.
    pub fn set_hotwords(&mut self, hotwords: Option<Hotwords>) {
        let hotwords = hotwords.filter(|hotwords| !hotwords.is_empty());
        self.bias = hotwords.map(|hotwords| Bias { hotwords, state: ROOT });
    }

    /// Decodes encoder frames (`[n, frame_width]`, row major): appends their tokens to `out.confirmed`, and replaces
    /// `out.tail` by those that a hotword's end may yet rewrite. Returns the number of frames. Allocates only while
    /// `out` or the projection of a longer chunk than before must grow.
    pub fn decode(&mut self, head: &dyn TransducerHead, frames: &[f32], out: &mut Decoded) -> usize {
        self.projected.clear();
        head.project(frames, &mut self.projected, &mut self.scratch);
        let count = frames.len() / head.frame_width();
        let mut projected = std::mem::take(&mut self.projected);
        for frame in projected.chunks_exact(head.joiner_width()) {
            self.decode_frame(head, frame, &mut out.confirmed);
        }
        projected.clear();
        self.projected = projected;
        out.tail.clone_from(&self.held);
        count
    }

    fn decode_frame(&mut self, head: &dyn TransducerHead, projected: &[f32], confirmed: &mut Vec<Token>) {
        let blank = head.vocab_size();
        self.blank_run += 1;
        for _ in 0..self.max_symbols_per_frame {
            head.logits(projected, &self.state, &mut self.scratch, &mut self.logits);
            let mut best = argmax(&self.logits);
            if let Some(bias) = &self.bias {
                best = bias.choose(&self.logits, best);
            }
            if best == blank {
                break;
            }
            let id = best as u32;
            let probability = posterior(&self.logits, best);
            self.take(Token { id, frame: self.frame, probability, agreement: probability }, confirmed);
            head.advance(id, &mut self.state, &mut self.scratch);
            self.blank_run = 0;
        }
        self.frame += 1;
    }

    /// Confirms the tokens that no hotword can rewrite any more.
    fn take(&mut self, token: Token, confirmed: &mut Vec<Token>) {
        let Some(bias) = &mut self.bias else {
            confirmed.append(&mut self.held);
            confirmed.push(token);
            return;
        };
        bias.hotwords.rewrite(bias.state, Some(token.id), &mut self.held);
        self.held.push(token);
        bias.state = bias.hotwords.step(bias.state, token.id).state;
        let pending = bias.hotwords.pending(bias.state, &self.held);
        confirmed.extend(self.held.drain(..self.held.len() - pending));
    }

    /// Ends the utterance: `out` is only what was held back, confirmed. The next one begins with [`Greedy::start_utterance`] or
    /// [`Greedy::reset`].
    pub fn finish_utterance(&mut self, out: &mut Decoded) {
        out.clear();
        if let Some(bias) = &mut self.bias {
            bias.hotwords.rewrite(bias.state, None, &mut self.held);
            bias.state = ROOT;
        }
        out.confirmed.append(&mut self.held);
    }

    /// Frames decoded since the last reset.
    pub fn frames(&self) -> u64 {
        self.frame
    }

    /// Frames since the last token, or since the last reset or utterance start.
    pub fn blank_run(&self) -> u64 {
        self.blank_run
    }

    /// Counts frames that were not decoded because nothing is said in them.
    pub fn skip(&mut self, frames: u64) {
        self.frame += frames;
        self.blank_run += frames;
    }

    /// Starts a new utterance in the same stream: the predictor forgets, frames are counted on.
    pub fn start_utterance(&mut self, head: &dyn TransducerHead) {
        head.start(&mut self.state, &mut self.scratch);
        self.blank_run = 0;
        self.held.clear();
        if let Some(bias) = &mut self.bias {
            bias.state = ROOT;
        }
    }

    /// Goes on where a search of the same settings stands. Allocates only while the storage must grow.
    pub(super) fn copy_from(&mut self, source: &Self) {
        self.state.clone_from(&source.state);
        self.frame = source.frame;
        self.blank_run = source.blank_run;
        self.held.clone_from(&source.held);
        if let (Some(bias), Some(other)) = (&mut self.bias, &source.bias) {
            bias.state = other.state;
        }
    }

    /// Counts frames on from this one.
    pub(super) fn set_frame(&mut self, frame: u64) {
        self.frame = frame;
    }

    /// Starts a new stream at frame zero.
    pub fn reset(&mut self, head: &dyn TransducerHead) {
        self.start_utterance(head);
        self.frame = 0;
    }
}

impl Bias {
    /// The token to take, `best` being the one of the model. Where that is the blank, only a match under way can win
    /// over it: the start of a phrase is a choice between tokens and never makes one out of silence.
    fn choose(&self, logits: &[f32], best: usize) -> usize {
        let blank = logits.len() - 1;
        let mut choice = best;
        let mut score = logits[best];
        if best != blank {
            self.hotwords.each_gain(self.state, true, |token, gain| {
                if token as usize == best {
                    score += gain;
                }
            });
        }
        self.hotwords.each_gain(self.state, best != blank, |token, gain| {
            let boosted = logits.get(token as usize).map_or(f32::NEG_INFINITY, |logit| logit + gain);
            if boosted > score {
                (choice, score) = (token as usize, boosted);
            }
        });
        choice
    }
}

/// Index of the largest value; of equals the last one, the blank, or else the first. Values that are not numbers never
/// win.
fn argmax(values: &[f32]) -> usize {
    let mut best = values.len() - 1;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] || values[best].is_nan() {
            best = index;
        }
    }
    best
}

/// Softmax probability of one score among all.
fn posterior(logits: &[f32], index: usize) -> f32 {
    let sum: f32 = logits.iter().map(|value| (value - logits[index]).exp()).sum();
    1.0 / sum
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::decode::{Hotword, testing::Copying};
    use crate::model::tokens::Tokens;

    fn decode(frames: &[[f32; 4]], split: usize, max_symbols: usize) -> Vec<Token> {
        let head = Copying::new(3);
        let mut greedy = Greedy::new(&head, max_symbols);
        let mut decoded = Decoded::default();
        for part in frames.chunks(split) {
            greedy.decode(&head, part.as_flattened(), &mut decoded);
        }
        assert_eq!(greedy.frames(), frames.len() as u64);
        assert!(decoded.tail.is_empty());
        decoded.confirmed
    }

    #[test]
    fn takes_the_best_token_until_the_blank() {
        let frames = [[0.0, 0.0, 0.0, 9.0], [5.0, 4.0, 0.0, 3.0], [0.0, 0.0, 0.0, 9.0], [0.0, 0.0, 7.0, 1.0]];
        for split in 1..=4 {
            let tokens = decode(&frames, split, 5);
            let emitted: Vec<_> = tokens.iter().map(|t| (t.id, t.frame)).collect();
            // After token 0 its score falls, so token 1 (4 > 3) follows; then token 1's falls and 0's is back: the
            // head remembers one token only.
            assert_eq!(&emitted[..2], &[(0, 1), (1, 1)], "split {split}");
            assert_eq!(emitted.last(), Some(&(2, 3)));
        }
    }

    #[test]
    fn bounds_the_tokens_of_a_frame() {
        // Tokens 0 and 1 alternate for ever above the blank.
        let frames = [[5.0, 5.0, 0.0, 1.0]; 3];
        for bound in [1, 2, 7] {
            assert_eq!(decode(&frames, 2, bound).len(), 3 * bound);
        }
        assert_eq!(decode(&frames, 2, 0).len(), 3, "a bound of zero counts as one");
    }

    #[test]
    fn gives_softmax_probabilities() {
        let tokens = decode(&[[2.0, 0.0, 0.0, 1.0]], 1, 1);
        let expected = 2f32.exp() / (2f32.exp() + 1.0 + 1.0 + 1f32.exp());
        assert!((tokens[0].probability - expected).abs() < 1e-6);
    }

    #[test]
    fn scores_that_are_not_numbers_do_not_panic_or_win() {
        let tokens = decode(&[[f32::NAN, 1.0, 0.0, 0.5], [f32::NAN; 4]], 1, 1);
        assert_eq!(tokens[0].id, 1);
    }

    fn decode_with(hotwords: &[Hotword], frames: &[[f32; 4]]) -> Decoded {
        let head = Copying::new(3);
        let tokens = Arc::new(Tokens::new(["▁a", "b", "c"]).unwrap());
        let mut greedy = Greedy::new(&head, 1);
        greedy.set_hotwords(Some(Hotwords::new(hotwords, tokens)));
        let mut decoded = Decoded::default();
        greedy.decode(&head, frames.as_flattened(), &mut decoded);
        decoded
    }

    fn ids(tokens: &[Token]) -> Vec<u32> {
        tokens.iter().map(|token| token.id).collect()
    }

    #[test]
    fn hotwords_decide_between_tokens_and_make_none_of_silence() {
        let close = [[5.0, 0.0, 0.0, 1.0], [0.0, 2.0, 3.0, 1.0]];
        assert_eq!(ids(&decode_with(&[], &close).confirmed), [0, 2]);
        let expected = Hotword::new("ab").with_boost(2.0);
        assert_eq!(ids(&decode_with(std::slice::from_ref(&expected), &close).confirmed), [0, 1]);
        let silence = [[0.5, 0.0, 0.0, 1.0], [0.0, 0.5, 0.0, 1.0]];
        assert!(decode_with(std::slice::from_ref(&expected), &silence).confirmed.is_empty());
        let quiet_end = [[5.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 3.0]];
        assert_eq!(ids(&decode_with(&[expected], &quiet_end).confirmed), [0, 1], "a match goes on over the blank");
    }

    #[test]
    fn what_may_be_rewritten_is_held_back() {
        let frames = [[5.0, 0.0, 0.0, 1.0], [0.0, 5.0, 0.0, 1.0]];
        let decoded = decode_with(&[Hotword::new("ac").sounds_like("ab")], &frames);
        assert!(decoded.confirmed.is_empty());
        assert_eq!(ids(&decoded.tail), [0, 1]);
        let next_word = [frames[0], frames[1], [0.0, 0.0, 0.0, 5.0], frames[0]];
        let decoded = decode_with(&[Hotword::new("ac").sounds_like("ab")], &next_word);
        assert_eq!((ids(&decoded.confirmed), ids(&decoded.tail)), (vec![0, 2], vec![0]));
    }
}
