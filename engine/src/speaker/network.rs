//! The speaker network: from log-mel frames through causal convolutions to channels whose mean and deviation over a
//! stretch of speech tell whose voice it is (statistics pooling: Snyder et al. 2018). int8 weights.

use crate::{
    model::{
        config::SpeakerNetworkConfig,
        weights::{WeightSource, dense, tensor},
    },
    nn::{Dense, Epilogue, Isa, Rows, Shared, gemm, ops},
};

/// Added to variances before the square root, as in training.
const FLOOR: f32 = 1e-3;
/// Added to the weight of a stretch, as in training.
const LEAST: f32 = 1e-4;
/// Taps of a convolution.
const TAPS: usize = 3;

/// The weights, shared by all streams.
#[derive(Debug)]
pub struct Network {
    config: SpeakerNetworkConfig,
    mel_bins: usize,
    /// Learned normalization of each band: `(x - mean) * scale`.
    mean: Shared<f32>,
    scale: Shared<f32>,
    input: Dense,
    blocks: Vec<Block>,
    gate: Dense,
    /// Normalization of what is pooled.
    pool_scale: Shared<f32>,
    pool_bias: Shared<f32>,
    output: Dense,
    isa: Isa,
}

/// A convolution over the steps of each channel, and a rectified layer over the channels, whose output is added to the
/// input.
#[derive(Debug)]
struct Block {
    /// `[width, 3]`, oldest step first.
    taps: Shared<f32>,
    linear: Dense,
}

/// The state of one stream in the network, and working space.
#[derive(Clone, Debug)]
pub struct NetworkState {
    /// Normalized frames.
    input: Vec<f32>,
    channels: Vec<f32>,
    mixed: Vec<f32>,
    /// Inputs of each block at the two steps before, `[blocks, 2, width]`, older first.
    past: Vec<f32>,
    pooled: Vec<f32>,
    rows: Rows,
}

impl NetworkState {
    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.past.fill(0.0);
    }
}

/// Sums over steps from which their embedding is made. Those of neighbouring stretches add up.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Steps, each by how much it sounds like speech.
    pub weight: f32,
    /// Channels and their squares, `[2, width]`.
    moments: Vec<f32>,
}

impl Sums {
    /// Forgets all steps.
    pub fn clear(&mut self) {
        self.weight = 0.0;
        self.moments.fill(0.0);
    }

    /// Adds the steps of another stretch.
    pub fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        self.moments.iter_mut().zip(&other.moments).for_each(|(sum, x)| *sum += x);
    }

    fn push(&mut self, channels: &[f32], weight: f32) {
        self.weight += weight;
        let (sums, squares) = self.moments.split_at_mut(channels.len());
        for ((sum, square), x) in sums.iter_mut().zip(squares).zip(channels) {
            *sum += weight * x;
            *square += weight * x * x;
        }
    }
}

impl Network {
    /// Takes the weights below `speaker.` from a source. They stay where they are.
    ///
    /// # Errors
    /// When a weight is absent or of another size than the configuration asks for.
    pub fn load<W: WeightSource>(source: &W, config: &SpeakerNetworkConfig, mel_bins: usize) -> Result<Self, W::Error> {
        let SpeakerNetworkConfig { stack, width, blocks, embedding, .. } = *config;
        let block = |number: usize| {
            let at = |name: &str| format!("speaker.blocks.{number}.{name}");
            let taps = tensor(source, &at("taps"), TAPS * width)?;
            Ok(Block { taps, linear: dense(source, &at("linear"), width, width)? })
        };
        Ok(Self {
            config: config.clone(),
            mel_bins,
            mean: tensor(source, "speaker.mean", mel_bins)?,
            scale: tensor(source, "speaker.scale", mel_bins)?,
            input: dense(source, "speaker.input", width, stack * mel_bins)?,
            blocks: (0..blocks).map(block).collect::<Result<_, W::Error>>()?,
            gate: dense(source, "speaker.gate", 1, width)?,
            pool_scale: tensor(source, "speaker.pool.scale", 2 * width)?,
            pool_bias: tensor(source, "speaker.pool.bias", 2 * width)?,
            output: dense(source, "speaker.output", embedding, 2 * width)?,
            isa: Isa::detect(),
        })
    }

    /// Shape of the network.
    pub fn config(&self) -> &SpeakerNetworkConfig {
        &self.config
    }

    /// A state at the start of a stream.
    pub fn new_state(&self) -> NetworkState {
        let SpeakerNetworkConfig { stack, width, blocks, .. } = self.config;
        let inputs = stack * self.mel_bins;
        NetworkState {
            input: vec![0.0; inputs],
            channels: vec![0.0; width],
            mixed: vec![0.0; width],
            past: vec![0.0; blocks * (TAPS - 1) * width],
            pooled: vec![0.0; 2 * width],
            rows: Rows::with_capacity(1, inputs.max(2 * width)),
        }
    }

    /// Sums of no steps.
    pub fn new_sums(&self) -> Sums {
        Sums { weight: 0.0, moments: vec![0.0; 2 * self.config.width] }
    }

    /// Runs one step over `stack` log-mel frames (`[stack, mel_bins]`, row major) and adds it to `sums`. Returns how
    /// much it sounds like speech, 0 to 1. Allocates nothing.
    ///
    /// # Panics
    /// When `mel` has another length.
    pub fn step(&self, mel: &[f32], state: &mut NetworkState, sums: &mut Sums) -> f32 {
        let SpeakerNetworkConfig { stack, width, .. } = self.config;
        let inputs = stack * self.mel_bins;
        assert_eq!(mel.len(), inputs, "a step of the speaker network is {stack} log-mel frames");
        let NetworkState { input, channels, mixed, past, rows, .. } = state;
        let bands = mel.chunks_exact(self.mel_bins).zip(input.chunks_exact_mut(self.mel_bins));
        for (frame, normalized) in bands {
            for (((to, &x), mean), scale) in normalized.iter_mut().zip(frame).zip(&*self.mean).zip(&*self.scale) {
                *to = (x - mean) * scale;
            }
        }
        rows.quantize(input, 1, inputs);
        gemm(self.isa, rows, &self.input, channels, Epilogue::Relu);
        for (block, past) in self.blocks.iter().zip(past.chunks_exact_mut((TAPS - 1) * width)) {
            let (older, newer) = past.split_at_mut(width);
            let taps = block.taps.chunks_exact(TAPS);
            let steps = older.iter_mut().zip(newer).zip(&*channels);
            for ((to, ((older, newer), &now)), taps) in mixed.iter_mut().zip(steps).zip(taps) {
                *to = taps[0] * *older + taps[1] * *newer + taps[2] * now;
                (*older, *newer) = (*newer, now);
            }
            rows.quantize(mixed, 1, width);
            gemm(self.isa, rows, &block.linear, mixed, Epilogue::Relu);
            channels.iter_mut().zip(&*mixed).for_each(|(x, add)| *x += add);
        }
        rows.quantize(channels, 1, width);
        let mut weight = [0.0];
        gemm(self.isa, rows, &self.gate, &mut weight, Epilogue::Store);
        ops::sigmoid(&mut weight);
        sums.push(channels, weight[0]);
        weight[0]
    }

    /// Writes the embedding of the steps in `sums` (`[embedding]`, of length one). Allocates nothing.
    ///
    /// # Panics
    /// When `embedding` has another length.
    pub fn embed(&self, sums: &Sums, state: &mut NetworkState, embedding: &mut [f32]) {
        let width = self.config.width;
        let NetworkState { pooled, rows, .. } = state;
        let share = 1.0 / (sums.weight + LEAST);
        let (means, deviations) = pooled.split_at_mut(width);
        let (sum, square) = sums.moments.split_at(width);
        for (((mean, deviation), sum), square) in means.iter_mut().zip(deviations).zip(sum).zip(square) {
            *mean = sum * share;
            *deviation = ((square * share - *mean * *mean).max(0.0) + FLOOR).sqrt();
        }
        for ((x, scale), bias) in pooled.iter_mut().zip(&*self.pool_scale).zip(&*self.pool_bias) {
            *x = *x * scale + bias;
        }
        rows.quantize(pooled, 1, 2 * width);
        gemm(self.isa, rows, &self.output, embedding, Epilogue::Store);
        normalize(embedding);
    }
}

/// Makes a vector of length one, or zero where it has no direction.
pub(super) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scale = if length > 1e-9 && length.is_finite() { 1.0 / length } else { 0.0 };
    vector.iter_mut().for_each(|x| *x = if scale > 0.0 { *x * scale } else { 0.0 });
}

#[cfg(all(test, feature = "reference"))]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::model::{checkpoint::Checkpoint, file::ModelFile, pack::pack, testing::tiny_config};

    /// Written by `models/train/speaker/make_fixture.py`.
    const FIXTURE: &[u8] = include_bytes!("../../tests/data/speaker-network.safetensors");

    fn network() -> Network {
        let mut config = tiny_config();
        config.features.mel_bins = 80;
        config.encoder.mel_bins = 80;
        let mut checkpoint = Checkpoint::random(&config, 1).unwrap();
        checkpoint.attach_speaker_bytes(FIXTURE).unwrap();
        let file = ModelFile::from_bytes(pack(&checkpoint).unwrap()).unwrap();
        Network::load(&file, file.config().speaker.as_ref().unwrap(), 80).unwrap()
    }

    fn fixture(name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(FIXTURE).unwrap();
        let (values, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
        values.iter().map(|&value| f32::from_le_bytes(value)).collect()
    }

    #[test]
    fn gates_and_embeddings_are_those_of_pytorch() {
        let (network, mel, gates, expected) = (network(), fixture("log_mel"), fixture("gates"), fixture("embeddings"));
        let (mut state, mut sums) = (network.new_state(), network.new_sums());
        let mut embedding = vec![0.0; network.config().embedding];
        let (mut worst, mut cosines) = (0.0_f32, Vec::new());
        let steps = mel.chunks_exact(network.config().stack * 80).zip(&gates);
        for (step, (frames, gate)) in steps.enumerate() {
            worst = worst.max((network.step(frames, &mut state, &mut sums) - gate).abs());
            // The stretches of the fixture.
            if step == 11 || step == 29 {
                network.embed(&sums, &mut state, &mut embedding);
                let expected = &expected[cosines.len() * embedding.len()..][..embedding.len()];
                cosines.push(embedding.iter().zip(expected).map(|(a, b)| a * b).sum::<f32>());
                sums.clear();
            }
        }
        assert!(gates.iter().fold(0.0_f32, |most, gate| most.max((gate - gates[0]).abs())) > 0.2);
        // int8 against f32: values differ by the rounding of weights and inputs.
        assert!(worst < 0.05, "gates differ by {worst}");
        assert!(cosines.len() == 2 && cosines.iter().all(|&cosine| cosine > 0.99), "{cosines:?}");
    }

    #[test]
    fn stretches_add_up_and_a_reset_state_is_a_new_one() {
        let (network, mel) = (network(), fixture("log_mel"));
        let (mut state, mut whole) = (network.new_state(), network.new_sums());
        let (mut part, mut joined) = (network.new_sums(), network.new_sums());
        for frames in mel.chunks_exact(320) {
            network.step(frames, &mut state, &mut whole);
        }
        state.reset();
        for frames in mel.chunks_exact(320) {
            part.clear();
            network.step(frames, &mut state, &mut part);
            joined.add(&part);
        }
        assert!((whole.weight - joined.weight).abs() < 1e-4);
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * (1.0 + a.abs());
        assert!(whole.moments.iter().zip(&joined.moments).all(close));
    }

    #[test]
    fn silence_and_damaged_sums_have_no_voice() {
        let network = network();
        let (mut state, mut sums) = (network.new_state(), network.new_sums());
        let mut embedding = vec![1.0; network.config().embedding];
        network.embed(&sums, &mut state, &mut embedding);
        assert!(embedding.iter().all(|x| x.is_finite()));
        sums.weight = f32::NAN;
        network.embed(&sums, &mut state, &mut embedding);
        assert!(embedding.iter().all(|x| x.is_finite()));
    }
}
