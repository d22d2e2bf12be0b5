//! Greedy search over the transducer lattice (Graves 2012, arXiv:1211.3711): at each frame the best token is taken
//! until it is the blank.

use crate::model::head::{HeadScratch, HeadState, TransducerHead};

/// A token that the search emitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Index in the model's token table.
    pub id: u32,
    /// Encoder frame that emitted it, counted from the last reset.
    pub frame: u64,
    /// Its posterior probability at that frame, 0 to 1.
    pub probability: f32,
}

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
        }
    }

    /// Decodes encoder frames (`[n, frame_width]`, row major) and appends their tokens to `out`. Returns the number of
    /// frames. Allocates only while `out` or the projection of a longer chunk than before must grow.
    pub fn decode(&mut self, head: &dyn TransducerHead, frames: &[f32], out: &mut Vec<Token>) -> usize {
        self.projected.clear();
        head.project(frames, &mut self.projected, &mut self.scratch);
        let count = frames.len() / head.frame_width();
        let mut projected = std::mem::take(&mut self.projected);
        for frame in projected.chunks_exact(head.joiner_width()) {
            self.decode_frame(head, frame, out);
        }
        projected.clear();
        self.projected = projected;
        count
    }

    fn decode_frame(&mut self, head: &dyn TransducerHead, projected: &[f32], out: &mut Vec<Token>) {
        let blank = head.vocab_size();
        self.blank_run += 1;
        for _ in 0..self.max_symbols_per_frame {
            head.logits(projected, &self.state, &mut self.scratch, &mut self.logits);
            let best = argmax(&self.logits);
            if best == blank {
                break;
            }
            let id = best as u32;
            out.push(Token { id, frame: self.frame, probability: posterior(&self.logits, best) });
            head.advance(id, &mut self.state, &mut self.scratch);
            self.blank_run = 0;
        }
        self.frame += 1;
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
    }

    /// Starts a new stream at frame zero.
    pub fn reset(&mut self, head: &dyn TransducerHead) {
        self.start_utterance(head);
        self.frame = 0;
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
    use super::*;
    use crate::model::{
        config::{Activation, EncoderConfig, FeatureConfig, JoinerConfig, ModelConfig, PredictorConfig},
        head::{HeadScratch, HeadState},
    };

    /// A head whose scores are the encoder frame itself, plus one on the token after the last one.
    struct Copying {
        config: ModelConfig,
    }

    impl Copying {
        fn new() -> Self {
            let config = ModelConfig {
                name: "copying".into(),
                language: "en".into(),
                features: FeatureConfig {
                    sample_rate_hz: 16_000,
                    fft: 512,
                    window: 400,
                    hop: 160,
                    mel_bins: 80,
                    low_hz: 0.0,
                    high_hz: 8000.0,
                    preemphasis: 0.97,
                },
                encoder: EncoderConfig {
                    mel_bins: 80,
                    d_model: 4,
                    layers: 1,
                    heads: 1,
                    d_ff: 4,
                    conv_kernel: 9,
                    subsampling_channels: 1,
                    subsampling: 8,
                    xscaling: false,
                    left_context: 70,
                    look_aheads: vec![0],
                    default_look_ahead: 0,
                },
                predictor: PredictorConfig { hidden: 1, layers: 1 },
                joiner: JoinerConfig { hidden: 4, activation: Activation::Relu },
                vocab_size: 3,
                endpoint: None,
            };
            Self { config }
        }
    }

    impl TransducerHead for Copying {
        fn config(&self) -> &ModelConfig {
            &self.config
        }
        fn start(&self, state: &mut HeadState, _: &mut HeadScratch) {
            state.cells_mut()[0] = -1.0;
        }
        fn advance(&self, token: u32, state: &mut HeadState, _: &mut HeadScratch) {
            state.cells_mut()[0] = token as f32;
        }
        fn project(&self, frames: &[f32], out: &mut Vec<f32>, _: &mut HeadScratch) {
            out.extend_from_slice(frames);
        }
        fn logits(&self, projected: &[f32], state: &HeadState, _: &mut HeadScratch, out: &mut [f32]) {
            out.copy_from_slice(projected);
            // A token that was just emitted is not emitted again by the same frame.
            let last = state.cells()[0];
            if last >= 0.0 {
                out[last as usize] -= 10.0;
            }
        }
    }

    fn decode(frames: &[[f32; 4]], split: usize, max_symbols: usize) -> Vec<Token> {
        let head = Copying::new();
        let mut greedy = Greedy::new(&head, max_symbols);
        let mut tokens = Vec::new();
        for part in frames.chunks(split) {
            greedy.decode(&head, part.as_flattened(), &mut tokens);
        }
        assert_eq!(greedy.frames(), frames.len() as u64);
        tokens
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
    fn skipped_frames_are_counted() {
        let head = Copying::new();
        let mut greedy = Greedy::new(&head, 1);
        let mut tokens = Vec::new();
        greedy.skip(7);
        greedy.decode(&head, &[9.0, 0.0, 0.0, 0.0], &mut tokens);
        assert_eq!((tokens[0].frame, greedy.frames(), greedy.blank_run()), (7, 8, 0));
        greedy.skip(2);
        assert_eq!(greedy.blank_run(), 2);
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
}
