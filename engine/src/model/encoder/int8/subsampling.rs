//! Eightfold causal subsampling, a row at a time: three convolutions of 3 x 3 with stride 2, the later two
//! depthwise-separable, and a projection. Channels are contiguous.

use super::EncoderConfig;
use super::scratch::subsampled_bins;
use crate::model::encoder::chunks::largest_look_ahead;
use crate::model::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Isa, Rows, gemm, ops};

/// Zero bins before the first in frequency; the padding behind the last follows from the number of output bins.
const LEFT: usize = 2;

/// A 3 x 3 convolution in f32, channel by channel, `[9, channels]`.
#[derive(Debug)]
struct Taps {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Taps {
    fn load<W: WeightSource>(source: &W, name: &str, channels: usize) -> Result<Self, W::Error> {
        let weight = tensor(source, &format!("{name}.weight"), channels * 9)?;
        let bias = tensor(source, &format!("{name}.bias"), channels)?;
        Ok(Self { weight: transposed(&weight, channels, 9), bias: bias.to_vec() })
    }
}

/// `[rows, columns]` to `[columns, rows]`.
pub(super) fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| (0..rows).map(move |r| x[r * columns + c])).collect()
}

#[derive(Debug)]
pub(super) struct SubsamplingWeights {
    first: Taps,
    depthwise: [Taps; 2],
    pointwise: [Dense; 2],
    out: Dense,
    scale: Option<f32>,
    channels: usize,
}

impl SubsamplingWeights {
    pub fn load<W: WeightSource>(source: &W, name: &str, config: &EncoderConfig) -> Result<Self, W::Error> {
        let channels = config.subsampling_channels;
        let taps = |i: usize| Taps::load(source, &format!("{name}.conv.{i}"), channels);
        let pointwise = |i: usize| dense(source, &format!("{name}.conv.{i}"), channels, channels);
        Ok(Self {
            first: taps(0)?,
            depthwise: [taps(2)?, taps(5)?],
            pointwise: [pointwise(3)?, pointwise(6)?],
            out: dense(source, &format!("{name}.out"), config.d_model, channels * subsampled_bins(config))?,
            scale: config.xscaling.then(|| (config.d_model as f32).sqrt()),
            channels,
        })
    }

    /// Takes log-mel frames and writes the encoder frames that they complete to the front of `out`; `last` pads the end
    /// of the stream. Returns the number of frames, at most the largest chunk.
    pub fn forward(
        &self,
        isa: Isa,
        mel: &[f32],
        last: bool,
        state: &mut SubsamplingState,
        rows: &mut Rows,
        out: &mut [f32],
    ) -> usize {
        state.frames = 0;
        for frame in mel.chunks_exact(state.inputs[0].width) {
            state.inputs[0].next().copy_from_slice(frame);
            if state.inputs[0].completes() {
                self.first_stage(isa, state, rows);
            }
        }
        if last {
            for stage in 0..state.inputs.len() {
                if state.inputs[stage].seen.is_multiple_of(2) {
                    state.inputs[stage].next().fill(0.0);
                    match stage {
                        0 => self.first_stage(isa, state, rows),
                        _ => self.separable_stage(isa, stage - 1, state, rows),
                    }
                }
            }
        }
        let (frames, flat) = (state.frames, self.out.k);
        if frames > 0 {
            rows.quantize(&state.flat[..frames * flat], frames, flat);
            let out = &mut out[..frames * self.out.n];
            gemm(isa, rows, &self.out, out, Epilogue::Store);
            if let Some(scale) = self.scale {
                out.iter_mut().for_each(|x| *x *= scale);
            }
        }
        frames
    }

    fn first_stage(&self, isa: Isa, state: &mut SubsamplingState, rows: &mut Rows) {
        let [mel, first, _] = &mut state.inputs;
        let out = first.next();
        ops::first_conv_2d(mel.window(), LEFT, &self.first.weight, &self.first.bias, out);
        ops::relu(out);
        if first.completes() {
            self.separable_stage(isa, 0, state, rows);
        }
    }

    fn separable_stage(&self, isa: Isa, stage: usize, state: &mut SubsamplingState, rows: &mut Rows) {
        let (taps, pointwise) = (&self.depthwise[stage], &self.pointwise[stage]);
        let bins = state.bins[stage];
        let convolved = &mut state.convolved[..bins * self.channels];
        ops::depthwise_conv_2d(state.inputs[stage + 1].window(), LEFT, &taps.weight, &taps.bias, convolved);
        rows.quantize(convolved, bins, self.channels);
        if stage == 0 {
            gemm(isa, rows, pointwise, state.inputs[2].next(), Epilogue::Relu);
            if state.inputs[2].completes() {
                self.separable_stage(isa, 1, state, rows);
            }
        } else {
            gemm(isa, rows, pointwise, convolved, Epilogue::Relu);
            // The projection takes the bins channel by channel.
            let flat = &mut state.flat[state.frames * self.out.k..][..self.out.k];
            for (bin, channels) in convolved.chunks_exact(self.channels).enumerate() {
                for (channel, value) in channels.iter().enumerate() {
                    flat[channel * bins + bin] = *value;
                }
            }
            state.frames += 1;
        }
    }
}

/// What the subsampling of a stream remembers: the last input rows of each stage.
#[derive(Debug)]
pub(super) struct SubsamplingState {
    inputs: [RowRing; 3],
    /// Output bins of the second and third stage.
    bins: [usize; 2],
    /// Output of a depthwise convolution, `[bins, channels]`.
    convolved: Vec<f32>,
    /// Input of the projection for each frame of the chunk.
    flat: Vec<f32>,
    frames: usize,
}

impl SubsamplingState {
    pub fn new(config: &EncoderConfig) -> Self {
        let channels = config.subsampling_channels;
        let frames = largest_look_ahead(config) + 1;
        let first = config.mel_bins / 2 + 1;
        let second = first / 2 + 1;
        let bins = [second, second / 2 + 1];
        Self {
            inputs: [config.mel_bins, first * channels, bins[0] * channels].map(RowRing::new),
            bins,
            convolved: vec![0.0; bins[0] * channels],
            flat: vec![0.0; frames * channels * bins[1]],
            frames: 0,
        }
    }

    pub fn reset(&mut self) {
        self.inputs.iter_mut().for_each(RowRing::reset);
    }
}

/// The last three input rows of a stage, zeros before the first. Output row `t` is made of input rows `2 t - 2 ..= 2 t`.
#[derive(Debug)]
struct RowRing {
    rows: Vec<f32>,
    width: usize,
    seen: usize,
}

impl RowRing {
    fn new(width: usize) -> Self {
        Self { rows: vec![0.0; 3 * width], width, seen: 0 }
    }

    fn reset(&mut self) {
        self.rows.fill(0.0);
        self.seen = 0;
    }

    /// Where the next row goes; it counts as seen from now on.
    fn next(&mut self) -> &mut [f32] {
        let slot = self.seen % 3;
        self.seen += 1;
        &mut self.rows[slot * self.width..][..self.width]
    }

    /// Whether the newest row completes an output row.
    fn completes(&self) -> bool {
        !self.seen.is_multiple_of(2)
    }

    /// The last three rows, oldest first.
    fn window(&self) -> [&[f32]; 3] {
        [0, 1, 2].map(|age| &self.rows[(self.seen + age) % 3 * self.width..][..self.width])
    }
}
