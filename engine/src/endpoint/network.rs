//! The endpointing network: from stacked log-mel frames, and how far each band is above the floor that it falls to between
//! words (after Martin 2001, "Noise power spectral density estimation based on optimal smoothing and minimum statistics"),
//! through a rectified layer and a GRU (Cho et al. 2014, arXiv:1406.1078) to the probabilities of speech and of the end of
//! an utterance. int8 weights.

use crate::{
    model::{
        config::EndpointConfig,
        weights::{WeightSource, dense, tensor},
    },
    nn::{Dense, Epilogue, Isa, Rows, Shared, gemm, ops},
};

/// The weights, shared by all streams.
#[derive(Debug)]
pub struct Network {
    config: EndpointConfig,
    mel_bins: usize,
    /// Learned normalization of each band: `(x - mean) * scale`.
    mean: Shared<f32>,
    scale: Shared<f32>,
    input: Dense,
    /// What the input adds to the gates (reset, update, new), `[3 * hidden, width]`.
    gates_of_input: Dense,
    /// What the state adds to the gates, `[3 * hidden, hidden]`.
    gates_of_state: Dense,
    output: Dense,
    isa: Isa,
}

/// What the network says about one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Probability that somebody speaks, 0 to 1.
    pub speech: f32,
    /// Probability that the utterance is over, 0 to 1. Means something in silence after speech only.
    pub end: f32,
}

/// The state of one stream in the network, and working space.
#[derive(Clone, Debug)]
pub struct NetworkState {
    hidden: Vec<f32>,
    /// The lowest level of each band so far, risen since; infinite before the first step.
    floors: Vec<f32>,
    /// Normalized frames, and bands above their floors; later the output of the input layer.
    input: Vec<f32>,
    of_input: Vec<f32>,
    of_state: Vec<f32>,
    rows: Rows,
}

impl NetworkState {
    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.hidden.fill(0.0);
        self.floors.fill(f32::INFINITY);
    }
}

impl Network {
    /// Takes the weights below `endpoint.` from a source. They stay where they are.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(source: &W, config: &EndpointConfig, mel_bins: usize) -> Result<Self, W::Error> {
        let EndpointConfig { width, hidden, .. } = *config;
        Ok(Self {
            config: config.clone(),
            mel_bins,
            mean: tensor(source, "endpoint.mean", mel_bins)?,
            scale: tensor(source, "endpoint.scale", mel_bins)?,
            input: dense(source, "endpoint.input", width, config.inputs(mel_bins))?,
            gates_of_input: dense(source, "endpoint.gru.ih", 3 * hidden, width)?,
            gates_of_state: dense(source, "endpoint.gru.hh", 3 * hidden, hidden)?,
            output: dense(source, "endpoint.output", 2, hidden)?,
            isa: Isa::detect(),
        })
    }

    /// Log-mel frames of one step.
    pub fn stack(&self) -> usize {
        self.config.stack
    }

    /// A state at the start of a stream.
    pub fn new_state(&self) -> NetworkState {
        let EndpointConfig { width, hidden, .. } = self.config;
        let inputs = self.config.inputs(self.mel_bins);
        NetworkState {
            hidden: vec![0.0; hidden],
            floors: vec![f32::INFINITY; self.mel_bins],
            input: vec![0.0; inputs.max(width)],
            of_input: vec![0.0; 3 * hidden],
            of_state: vec![0.0; 3 * hidden],
            rows: Rows::with_capacity(1, inputs.max(width).max(hidden)),
        }
    }

    /// Runs one step over `stack` log-mel frames (`[stack, mel_bins]`, row major). Allocates nothing.
    ///
    /// # Panics
    /// When `mel` has another length.
    pub fn step(&self, mel: &[f32], state: &mut NetworkState) -> Scores {
        let EndpointConfig { stack, width, hidden, floor_rise } = self.config;
        let (bins, inputs) = (self.mel_bins, self.config.inputs(self.mel_bins));
        assert_eq!(mel.len(), stack * bins, "a step of the endpointing network is {stack} log-mel frames");
        let NetworkState { hidden: h, floors, input, of_input, of_state, rows } = state;
        for (frame, normalized) in mel.chunks_exact(bins).zip(input.chunks_exact_mut(bins)) {
            for (((to, &x), mean), scale) in normalized.iter_mut().zip(frame).zip(&*self.mean).zip(&*self.scale) {
                *to = (x - mean) * scale;
            }
        }
        if floor_rise > 0.0 {
            let above = &mut input[stack * bins..inputs];
            above.fill(0.0);
            for frame in mel.chunks_exact(bins) {
                above.iter_mut().zip(frame).for_each(|(level, x)| *level += x / stack as f32);
            }
            for ((level, floor), scale) in above.iter_mut().zip(floors).zip(&*self.scale) {
                *floor = level.min(*floor + floor_rise);
                *level = (*level - *floor) * scale;
            }
        }
        rows.quantize(&input[..inputs], 1, inputs);
        gemm(self.isa, rows, &self.input, &mut input[..width], Epilogue::Relu);
        rows.quantize(&input[..width], 1, width);
        gemm(self.isa, rows, &self.gates_of_input, of_input, Epilogue::Store);
        rows.quantize(h, 1, hidden);
        gemm(self.isa, rows, &self.gates_of_state, of_state, Epilogue::Store);
        cell(of_input, of_state, h);
        rows.quantize(h, 1, hidden);
        let mut scores = [0.0; 2];
        gemm(self.isa, rows, &self.output, &mut scores, Epilogue::Store);
        ops::sigmoid(&mut scores);
        Scores { speech: scores[0], end: scores[1] }
    }
}

/// One step of a GRU cell from what input and state add to its gates (reset, update, new), before their
/// non-linearities. The reset gate applies behind the product with the state.
fn cell(of_input: &mut [f32], of_state: &[f32], h: &mut [f32]) {
    let width = h.len();
    of_input[..2 * width].iter_mut().zip(of_state).for_each(|(gate, state)| *gate += state);
    ops::sigmoid(&mut of_input[..2 * width]);
    let (reset_update, new) = of_input.split_at_mut(2 * width);
    let (reset, update) = reset_update.split_at(width);
    for ((new, reset), state) in new.iter_mut().zip(reset).zip(&of_state[2 * width..]) {
        *new += reset * state;
    }
    ops::tanh(new);
    for ((h, new), update) in h.iter_mut().zip(new).zip(update) {
        *h = *new + update * (*h - *new);
    }
}

#[cfg(all(test, feature = "reference"))]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::model::{checkpoint::Checkpoint, file::ModelFile, pack::pack, testing::tiny_config};

    /// Written by `models/train/endpoint/make_fixture.py`.
    const FIXTURE: &[u8] = include_bytes!("../../tests/data/endpoint-network.safetensors");

    fn network() -> Network {
        let mut config = tiny_config();
        config.features.mel_bins = 80;
        config.encoder.mel_bins = 80;
        let mut checkpoint = Checkpoint::random(&config, 1).unwrap();
        checkpoint.attach_endpoint_bytes(FIXTURE).unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        Network::load(&file, file.config().endpoint.as_ref().unwrap(), 80).unwrap()
    }

    fn fixture(name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(FIXTURE).unwrap();
        let (values, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
        values.iter().map(|&value| f32::from_le_bytes(value)).collect()
    }

    #[test]
    fn probabilities_are_those_of_pytorch() {
        let (network, mel, expected) = (network(), fixture("log_mel"), fixture("probabilities"));
        let mut state = network.new_state();
        let (mut worst, mut spread) = (0.0_f32, [1.0_f32, 0.0]);
        for (frames, expected) in mel.chunks(network.stack() * 80).zip(expected.chunks(2)) {
            let scores = network.step(frames, &mut state);
            worst = worst.max((scores.speech - expected[0]).abs()).max((scores.end - expected[1]).abs());
            spread = [spread[0].min(expected[0]), spread[1].max(expected[0])];
        }
        assert!(spread[1] - spread[0] > 0.3, "the fixture says something: {spread:?}");
        // int8 against f32: gates differ by the rounding of weights and inputs.
        assert!(worst < 0.04, "probabilities differ by {worst}");
    }

    #[test]
    fn a_reset_state_is_a_new_one() {
        let (network, mel) = (network(), fixture("log_mel"));
        let frames = &mel[..network.stack() * 80];
        let mut state = network.new_state();
        let first = network.step(frames, &mut state);
        assert_ne!(network.step(frames, &mut state), first);
        state.reset();
        assert_eq!(network.step(frames, &mut state), first);
    }
}
