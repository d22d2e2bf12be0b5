//! The language network: an LSTM over the tokens of an utterance that tells how likely each is to follow, with int8 weights.
//! The beam agrees with it beside the n-grams (shallow fusion), which remember what is often said, where this network
//! remembers how the sentence began (Kannan et al. 2018, arXiv:1712.01996).

use super::config::{LanguageNetworkConfig, ModelConfig};
use super::lstm::cell;
use super::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Isa, Rows, gemm, ops};

/// The weights, shared by all streams.
#[derive(Debug)]
pub struct LanguageNetwork {
    config: LanguageNetworkConfig,
    /// What each token adds to the gates, biases included, `[vocab_size + 1, 4 * hidden]`.
    input_table: Vec<f32>,
    recurrent: Dense,
    output: Dense,
    /// The state at the start of an utterance.
    start: LanguageState,
    isa: Isa,
}

/// What the network remembers of one hypothesis, and what it expects next.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct LanguageState {
    h: Vec<f32>,
    c: Vec<f32>,
    /// Logarithm of the probability of each token, and of the end of the utterance, `[vocab_size + 1]`.
    expected: Vec<f32>,
}

impl Clone for LanguageState {
    fn clone(&self) -> Self {
        Self { h: self.h.clone(), c: self.c.clone(), expected: self.expected.clone() }
    }

    fn clone_from(&mut self, source: &Self) {
        self.h.clone_from(&source.h);
        self.c.clone_from(&source.c);
        self.expected.clone_from(&source.expected);
    }
}

impl LanguageState {
    /// Logarithm of the probability of each token, `[vocab_size]`.
    pub(crate) fn tokens(&self) -> &[f32] {
        self.expected.split_last().map_or(&[], |(_, tokens)| tokens)
    }

    /// Logarithm of the probability that the utterance ends.
    pub(crate) fn end(&self) -> f32 {
        self.expected.last().copied().unwrap_or(0.0)
    }
}

/// Working space of a [`LanguageNetwork`].
#[derive(Debug, Default)]
pub(crate) struct LanguageScratch {
    /// States or scores of several hypotheses side by side.
    gathered: Vec<f32>,
    gates: Vec<f32>,
    rows: Rows,
}

impl LanguageNetwork {
    /// Takes the weights below `language_network.` from a source.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(
        source: &W,
        config: &LanguageNetworkConfig,
        model: &ModelConfig,
    ) -> Result<Self, W::Error> {
        let (hidden, tokens, isa) = (config.hidden, model.vocab_size + 1, Isa::detect());
        let embed = tensor(source, "language_network.embed.weight", tokens * config.embedding)?;
        let input = dense(source, "language_network.lstm.ih", 4 * hidden, config.embedding)?;
        let mut rows = Rows::with_capacity(tokens, config.embedding);
        let mut input_table = vec![0.0; tokens * 4 * hidden];
        rows.quantize(&embed, tokens, config.embedding);
        gemm(isa, &rows, &input, &mut input_table, Epilogue::Store);
        let mut network = Self {
            config: config.clone(),
            input_table,
            recurrent: dense(source, "language_network.lstm.hh", 4 * hidden, hidden)?,
            output: dense(source, "language_network.output", tokens, hidden)?,
            start: LanguageState { h: vec![0.0; hidden], c: vec![0.0; hidden], expected: vec![0.0; tokens] },
            isa,
        };
        let mut start = [network.start.clone()];
        network.advance(&[(model.vocab_size as u32, 0)], &mut start, &mut LanguageScratch::default());
        let [start] = start;
        network.start = start;
        Ok(network)
    }

    /// Factor of its logarithmic probabilities beside the transducer's, unless a host asks for another.
    pub(crate) fn weight(&self) -> f32 {
        self.config.weight
    }

    /// What is expected of an utterance before it begins.
    pub(crate) fn start(&self) -> &LanguageState {
        &self.start
    }

    /// Working space for steps of up to this many hypotheses.
    pub(crate) fn new_scratch(&self, hypotheses: usize) -> LanguageScratch {
        let hidden = self.config.hidden;
        LanguageScratch {
            gathered: Vec::with_capacity(hypotheses * hidden.max(self.output.n)),
            gates: Vec::with_capacity(hypotheses * 4 * hidden),
            rows: Rows::with_capacity(hypotheses, hidden),
        }
    }

    /// Runs hypotheses over one token each: `(token, index)` takes `states[index]` on. A token out of range counts as the
    /// start of an utterance. Allocates only while the working space must grow.
    pub(crate) fn advance(&self, steps: &[(u32, usize)], states: &mut [LanguageState], scratch: &mut LanguageScratch) {
        let LanguageScratch { gathered, gates, rows } = scratch;
        let (hidden, scores) = (self.config.hidden, self.output.n);
        gates.clear();
        gathered.clear();
        for &(token, index) in steps {
            let row = (token as usize).min(scores - 1) * 4 * hidden;
            gates.extend_from_slice(&self.input_table[row..][..4 * hidden]);
            gathered.extend_from_slice(&states[index].h);
        }
        rows.quantize(gathered, steps.len(), hidden);
        gemm(self.isa, rows, &self.recurrent, gates, Epilogue::Add);
        gathered.clear();
        for (&(_, index), gates) in steps.iter().zip(gates.chunks_exact_mut(4 * hidden)) {
            let LanguageState { h, c, .. } = &mut states[index];
            cell(gates, h, c);
            gathered.extend_from_slice(h);
        }
        rows.quantize(gathered, steps.len(), hidden);
        gathered.resize(steps.len() * scores, 0.0);
        gemm(self.isa, rows, &self.output, gathered, Epilogue::Store);
        for (&(_, index), scores) in steps.iter().zip(gathered.chunks_exact(scores)) {
            ops::log_softmax(scores, &mut states[index].expected);
        }
    }
}

#[cfg(all(test, feature = "reference"))]
pub(crate) mod tests {
    use super::*;
    use crate::model::{checkpoint::Checkpoint, file::ModelFile, pack::pack, testing::tiny_config};

    /// A model with a network of random weights, whose tensors `change` may change.
    pub(crate) fn checkpoint(vocab_size: usize, change: impl Fn(&str, &mut [f32])) -> Checkpoint {
        let network = LanguageNetworkConfig { embedding: 5, hidden: 11, weight: 0.5 };
        let config = ModelConfig { vocab_size, language_network: Some(network), ..tiny_config() };
        let mut checkpoint = Checkpoint::random(&config, 3).unwrap();
        for (name, tensor) in &mut checkpoint.tensors {
            if let Some(name) = name.strip_prefix("language_network.") {
                change(name, &mut tensor.data);
            }
        }
        checkpoint
    }

    pub(crate) fn network(checkpoint: &Checkpoint) -> LanguageNetwork {
        let file = ModelFile::from_bytes(pack(checkpoint).unwrap()).unwrap();
        LanguageNetwork::load(&file, file.config().language_network.as_ref().unwrap(), file.config()).unwrap()
    }

    /// `W x + b`.
    fn linear(weight: &[f32], x: &[f32], bias: &[f32]) -> Vec<f32> {
        let rows = weight.chunks_exact(x.len()).zip(bias);
        rows.map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()).collect()
    }

    /// What is expected after the start of an utterance and these tokens, in plain f32.
    fn reference(checkpoint: &Checkpoint, tokens: &[usize]) -> Vec<f32> {
        let get = |name: &str| checkpoint.tensor(&format!("language_network.{name}")).unwrap();
        let lstm = |name: &str| get(&format!("lstm.{name}_l0"));
        let hidden = lstm("bias_hh").len() / 4;
        let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
        for token in [checkpoint.config.vocab_size].iter().chain(tokens) {
            let embedding = &get("embed.weight")[token * 5..][..5];
            let mut gates = linear(lstm("weight_ih"), embedding, lstm("bias_ih"));
            let recurrent = linear(lstm("weight_hh"), &h, lstm("bias_hh"));
            gates.iter_mut().zip(recurrent).for_each(|(gate, more)| *gate += more);
            let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
            for i in 0..hidden {
                let [input, forget, new, output] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + i]);
                c[i] = sigmoid(forget) * c[i] + sigmoid(input) * new.tanh();
                h[i] = sigmoid(output) * c[i].tanh();
            }
        }
        let scores = linear(get("output.weight"), &h, get("output.bias"));
        let normalizer = scores.iter().map(|score| score.exp()).sum::<f32>().ln();
        scores.iter().map(|score| score - normalizer).collect()
    }

    #[test]
    fn expectations_are_those_of_the_definition() {
        let checkpoint = checkpoint(9, |_, _| ());
        let network = network(&checkpoint);
        let tokens = [3, 0, 8, 3, 5];
        let mut states = [network.start().clone()];
        for taken in 0..=tokens.len() {
            let expected = reference(&checkpoint, &tokens[..taken]);
            let found = &states[0].expected;
            let sum = found.iter().map(|logarithm| logarithm.exp()).sum::<f32>();
            assert!((sum - 1.0).abs() < 1e-4, "probabilities add up to {sum}");
            assert!(expected.iter().fold(0.0_f32, |most, &x| most.max(x.abs())) > 2.3, "some are unlikely");
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 0.05, "{found} is not {expected} after {taken} tokens");
            }
            if let Some(&token) = tokens.get(taken) {
                network.advance(&[(token as u32, 0)], &mut states, &mut network.new_scratch(1));
            }
        }
        assert_eq!(states[0].tokens().len(), 9);
        assert_eq!(states[0].end(), states[0].expected[9]);
    }

    #[test]
    fn hypotheses_of_one_step_are_each_their_own() {
        let network = network(&checkpoint(9, |_, _| ()));
        let mut scratch = network.new_scratch(3);
        let mut together = vec![network.start().clone(); 4];
        network.advance(&[(1, 3), (2, 0), (7, 1)], &mut together, &mut scratch);
        network.advance(&[(4, 1), (4, 3)], &mut together, &mut scratch);
        for (index, tokens) in [(0, vec![2]), (1, vec![7, 4]), (2, vec![]), (3, vec![1, 4])] {
            let mut alone = [network.start().clone()];
            tokens.iter().for_each(|&token| network.advance(&[(token, 0)], &mut alone, &mut scratch));
            assert_eq!(together[index], alone[0], "hypothesis {index}");
        }
    }
}
