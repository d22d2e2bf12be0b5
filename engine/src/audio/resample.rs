//! Any rate and channel count to the model's rate, mono, as the audio arrives.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use super::convert::{PcmSample, is_audio};

/// Lowest and highest sample rate that is taken, in Hz.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Most channels that are mixed down.
pub const MAX_CHANNELS: usize = 64;

/// Zero crossings of the interpolation filter on both sides together, at the lower of the two rates. With the squared
/// Blackman-Harris window this leaves the band flat to 91 % of half that rate and puts aliases below hearing.
const ZERO_CROSSINGS: usize = 128;

/// Positions between two samples for which the filter is tabulated, where the input is not above the output rate.
const FILTER_PHASES: usize = 128;

/// Blocks per second that the filter runs over: one waits for 5 ms of input at most.
const BLOCKS_PER_SECOND: u32 = 200;

/// Why a resampler could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// The rate lies outside [`RATES_HZ`].
    #[error("sample rate of {rate_hz} Hz is outside 8000 to 192000 Hz; capture or convert at a rate in that range")]
    Rate {
        /// The rate asked for.
        rate_hz: u32,
    },
    /// No channels, or more than [`MAX_CHANNELS`].
    #[error("{channels} channels cannot be mixed; hand in 1 to 64")]
    Channels {
        /// The count asked for.
        channels: usize,
    },
    /// The resampling library refused the ratio.
    #[error("cannot resample from {rate_hz} to {output_hz} Hz")]
    Filter {
        /// Rate of the input.
        rate_hz: u32,
        /// Rate of the output.
        output_hz: u32,
        /// What the library says.
        source: rubato::ResamplerConstructionError,
    },
}

/// Mixes channels down to their mean and resamples to one rate, in pieces of any size.
///
/// Of `n` frames (one sample per channel) come `round(n * output_hz / rate_hz)` samples, the first of them at the time
/// of the first frame: the filter's delay is taken off. The output does not depend on how the input was cut, and
/// neither frames nor filter blocks need to be whole in a piece. At equal rates nothing but the mixing is done and
/// nothing is held back.
///
/// A sample that is NaN, infinite or absurdly large ([`is_audio`]) is taken as silence and counted
/// ([`damaged_samples`](Self::damaged_samples)); the filter would smear it over its neighbours.
///
/// After construction nothing is allocated, apart from the growth of the caller's output.
pub struct Resampler {
    rate_hz: u32,
    output_hz: u32,
    channels: usize,
    filter: Option<Filter>,
    /// Sum and count of the samples of a frame that is not complete yet. In double precision equal channels are exactly
    /// as one.
    partial_sum: f64,
    partial_len: usize,
    frames: u64,
    damaged_samples: u64,
}

impl Resampler {
    /// A resampler from interleaved audio of `channels` channels at `rate_hz` to mono at `output_hz`.
    pub fn new(rate_hz: u32, channels: usize, output_hz: u32) -> Result<Self, ResampleError> {
        if let Some(&rate_hz) = [rate_hz, output_hz].iter().find(|rate_hz| !RATES_HZ.contains(rate_hz)) {
            return Err(ResampleError::Rate { rate_hz });
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(ResampleError::Channels { channels });
        }
        let filter = if rate_hz == output_hz { None } else { Some(Filter::new(rate_hz, output_hz)?) };
        Ok(Self {
            rate_hz,
            output_hz,
            channels,
            filter,
            partial_sum: 0.0,
            partial_len: 0,
            frames: 0,
            damaged_samples: 0,
        })
    }

    /// Takes interleaved samples in and appends what they make ready to `out`. A frame may be cut anywhere: the rest
    /// is expected at the start of the next piece.
    pub fn push<S: PcmSample>(&mut self, samples: &[S], out: &mut Vec<f32>) {
        let channels = self.channels as f64;
        for sample in samples {
            let sample = sample.to_f32();
            if is_audio(sample) {
                self.partial_sum += f64::from(sample);
            } else {
                self.damaged_samples += 1;
            }
            self.partial_len += 1;
            if self.partial_len == self.channels {
                let mono = (self.partial_sum / channels) as f32;
                self.partial_sum = 0.0;
                self.partial_len = 0;
                self.frames += 1;
                match &mut self.filter {
                    Some(filter) => filter.push(mono, out),
                    None => out.push(mono),
                }
            }
        }
    }

    /// Ends the audio: appends the rest of its samples and makes ready for new audio as [`reset`](Self::reset) does.
    /// A frame of which channels are missing is left out.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(filter) = &mut self.filter {
            let (rate, output) = (u128::from(self.rate_hz), u128::from(self.output_hz));
            let total = (u128::from(self.frames) * output * 2 + rate) / (rate * 2);
            filter.finish(total as u64, out);
        }
        self.reset();
    }

    /// Forgets the audio so far; the next sample is the first of new audio. The count of damaged samples stays.
    pub fn reset(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.reset();
        }
        self.partial_sum = 0.0;
        self.partial_len = 0;
        self.frames = 0;
    }

    /// The most that the output can lag behind the input, in output samples.
    pub fn delay(&self) -> usize {
        self.filter.as_ref().map_or(0, Filter::lag)
    }

    /// Samples taken as silence since construction because they were not numbers that audio can have.
    pub fn damaged_samples(&self) -> u64 {
        self.damaged_samples
    }
}

/// A mono windowed-sinc filter that runs over whole blocks.
struct Filter {
    resampler: Async<f32>,
    input: Vec<f32>,
    filled: usize,
    output: Vec<f32>,
    /// Samples at the start of the output that lie before the first input sample, and those still to be dropped.
    lead: usize,
    left_of_lead: usize,
    produced: u64,
}

impl Filter {
    fn new(rate_hz: u32, output_hz: u32) -> Result<Self, ResampleError> {
        // Downwards the filter is longer in input samples, and its table needs as many phases fewer: it is smooth.
        let down = rate_hz.div_ceil(output_hz) as usize;
        let length = (ZERO_CROSSINGS as f64 * (f64::from(rate_hz) / f64::from(output_hz)).max(1.0)).ceil() as usize;
        let length = length.next_multiple_of(8);
        let phases = FILTER_PHASES.div_ceil(down);
        let parameters = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2)
            .oversampling_factor(phases)
            .interpolation(SincInterpolationType::Cubic);
        let ratio = f64::from(output_hz) / f64::from(rate_hz);
        let block = (rate_hz / BLOCKS_PER_SECOND) as usize;
        let resampler = Async::new_sinc(ratio, 1.0, &parameters, block, 1, FixedAsync::Input)
            .map_err(|source| ResampleError::Filter { rate_hz, output_hz, source })?;
        // The centre of the filter's table lies one phase off its middle, and the first output one step past the
        // origin; `output_delay` leaves both out, which is up to a whole sample.
        let lead = ((length as f64 / 2.0 - 1.0 / phases as f64) * ratio - 1.0).round() as usize;
        Ok(Self {
            input: vec![0.0; resampler.input_frames_max()],
            filled: 0,
            output: vec![0.0; resampler.output_frames_max()],
            lead,
            left_of_lead: lead,
            produced: 0,
            resampler,
        })
    }

    fn push(&mut self, sample: f32, out: &mut Vec<f32>) {
        self.input[self.filled] = sample;
        self.filled += 1;
        if self.filled == self.resampler.input_frames_next() {
            let ready = self.run(None);
            self.append(ready, u64::MAX, out);
        }
    }

    /// Pushes silence through until `total` samples have come out.
    fn finish(&mut self, total: u64, out: &mut Vec<f32>) {
        while self.produced < total {
            let ready = self.run(Some(self.filled));
            self.append(ready, total, out);
        }
    }

    /// Runs the filter over a block, of which `partial` samples are there. Returns the number of output samples.
    fn run(&mut self, partial: Option<usize>) -> usize {
        self.filled = 0;
        let indexing = partial.map(|len| Indexing::new().partial_len(len));
        let input = InterleavedSlice::new(&self.input[..], 1, self.input.len());
        let capacity = self.output.len();
        let output = InterleavedSlice::new_mut(&mut self.output[..], 1, capacity);
        let (Ok(input), Ok(mut output)) = (input, output) else { unreachable!("one channel fits any slice") };
        self.resampler
            .process_into_buffer(&input, &mut output, indexing.as_ref())
            .expect("the buffers have the sizes the filter asked for")
            .1
    }

    fn append(&mut self, ready: usize, total: u64, out: &mut Vec<f32>) {
        let lead = self.left_of_lead.min(ready);
        self.left_of_lead -= lead;
        let wanted = (total - self.produced).min((ready - lead) as u64) as usize;
        out.extend_from_slice(&self.output[lead..lead + wanted]);
        self.produced += wanted as u64;
    }

    fn reset(&mut self) {
        self.resampler.reset();
        self.filled = 0;
        self.left_of_lead = self.lead;
        self.produced = 0;
    }

    fn lag(&self) -> usize {
        self.lead + self.resampler.output_frames_max()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const OUTPUT_HZ: u32 = 16_000;

    fn tone(rate_hz: u32, frames: usize, hz: f64, channels: usize) -> Vec<f32> {
        (0..frames)
            .flat_map(|i| {
                let sample = 0.5 * (TAU * hz * i as f64 / f64::from(rate_hz) + 0.3).sin();
                std::iter::repeat_n(sample as f32, channels)
            })
            .collect()
    }

    fn whole(rate_hz: u32, channels: usize, samples: &[f32]) -> Vec<f32> {
        let mut resampler = Resampler::new(rate_hz, channels, OUTPUT_HZ).unwrap();
        let mut out = Vec::new();
        resampler.push(samples, &mut out);
        resampler.finish(&mut out);
        out
    }

    /// Amplitude and phase of the part of `samples` at `hz`.
    fn fit(samples: &[f32], first: usize, hz: f64) -> (f64, f64) {
        let (re, im) = samples.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, &x)| {
            let angle = TAU * hz * (first + i) as f64 / f64::from(OUTPUT_HZ);
            (re + f64::from(x) * angle.sin(), im + f64::from(x) * angle.cos())
        });
        let scale = 2.0 / samples.len() as f64;
        ((re * re + im * im).sqrt() * scale, im.atan2(re))
    }

    const RATES: [u32; 12] =
        [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000];

    #[test]
    fn tones_keep_frequency_amplitude_and_time() {
        for rate_hz in RATES {
            for channels in [1, 2, 8] {
                for hz in [200.0, 1_000.0, 3_000.0] {
                    let out = whole(rate_hz, channels, &tone(rate_hz, rate_hz as usize, hz, channels));
                    // 0.8 s in the middle: whole periods of every tone.
                    let (amplitude, phase) = fit(&out[1_600..14_400], 1_600, hz);
                    assert!((amplitude - 0.5).abs() < 1e-3, "{hz} Hz at {rate_hz}: amplitude {amplitude}");
                    let late_samples = (0.3 - phase) / TAU / hz * f64::from(OUTPUT_HZ);
                    assert!(late_samples.abs() < 0.55, "{hz} Hz at {rate_hz}: late by {late_samples} samples");
                }
            }
        }
    }

    #[test]
    fn nothing_folds_back_into_the_band() {
        for rate_hz in [22_050, 44_100, 48_000, 96_000, 192_000] {
            let out = whole(rate_hz, 1, &tone(rate_hz, rate_hz as usize, 9_000.0, 1));
            let loudest = out[1_600..14_400].iter().fold(0.0f32, |loudest, x| loudest.max(x.abs()));
            assert!(loudest < 1e-4, "9 kHz at {rate_hz} Hz leaves {loudest}");
        }
    }

    #[test]
    fn an_impulse_stays_where_it_was() {
        for rate_hz in RATES {
            let mut samples = vec![0.0; rate_hz as usize];
            samples[rate_hz as usize / 2] = 1.0;
            let out = whole(rate_hz, 1, &samples);
            let peak = out.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
            assert!(peak.abs_diff(8_000) <= 1, "{rate_hz} Hz: impulse at {peak}");
        }
    }

    #[test]
    fn lengths_are_exact_for_clips_of_any_length() {
        for rate_hz in RATES.into_iter().chain([8_001, 15_999, 16_001, 44_099, 191_999]) {
            for frames in [0, 1, 2, 3, 5, 7, 79, 80, 81, 239, 240, 441, 1_000, 4_800, 20_011] {
                let out = whole(rate_hz, 1, &tone(rate_hz, frames, 440.0, 1));
                let expected = (frames as f64 * f64::from(OUTPUT_HZ) / f64::from(rate_hz)).round() as usize;
                assert_eq!(out.len(), expected, "{frames} frames at {rate_hz} Hz");
            }
        }
    }

    #[test]
    fn the_tail_is_not_lost() {
        for rate_hz in [8_000, 44_100, 48_000, 192_000] {
            let frames = rate_hz as usize / 10;
            let out = whole(rate_hz, 1, &vec![0.5; frames]);
            // A step has its ripple; the half of it that lies inside stays near the level to the last millisecond.
            assert!(out[out.len() - 16..out.len() - 2].iter().all(|x| (x - 0.5).abs() < 0.1), "{rate_hz} Hz");
        }
    }

    #[test]
    fn channels_are_averaged() {
        let frames = [[0.5f32, -0.25, 0.0, 0.75], [1.0, 1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, 1.0]];
        assert_eq!(whole(16_000, 4, frames.as_flattened()), [0.25, 1.0, 0.0]);
    }

    #[test]
    fn an_incomplete_frame_waits_for_its_rest_and_is_left_out_at_the_end() {
        let mut resampler = Resampler::new(16_000, 3, OUTPUT_HZ).unwrap();
        let mut out = Vec::new();
        resampler.push(&[0.3f32, 0.3], &mut out);
        assert!(out.is_empty());
        resampler.push(&[0.6f32, 1.0], &mut out);
        assert_eq!(out.len(), 1);
        assert!((out[0] - 0.4).abs() < 1e-6);
        resampler.finish(&mut out);
        assert_eq!(out.len(), 1);
        resampler.push(&[0.5f32, 0.5, 0.5], &mut out);
        assert_eq!(out.len(), 2);
        assert!((out[1] - 0.5).abs() < 1e-6);
    }

    #[test]
    fn integers_and_floats_give_the_same() {
        let ints: Vec<i16> = (0..4_410).map(|i| ((i * 7_919) % 65_536 - 32_768) as i16).collect();
        let wide: Vec<i32> = ints.iter().map(|&x| i32::from(x) << 16).collect();
        let floats: Vec<f32> = ints.iter().map(|&x| f32::from(x) / 32_768.0).collect();
        let mut resampler = Resampler::new(44_100, 2, OUTPUT_HZ).unwrap();
        let expected = whole(44_100, 2, &floats);
        let mut out = Vec::new();
        resampler.push(&ints, &mut out);
        resampler.finish(&mut out);
        assert_eq!(out, expected);
        out.clear();
        resampler.push(&wide, &mut out);
        resampler.finish(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn damage_becomes_silence() {
        let mut samples = tone(48_000, 4_800, 440.0, 2);
        let mut repaired = samples.clone();
        for (i, bad) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].into_iter().enumerate() {
            samples[i * 1_001] = bad;
            repaired[i * 1_001] = 0.0;
        }
        let mut resampler = Resampler::new(48_000, 2, OUTPUT_HZ).unwrap();
        let mut out = Vec::new();
        resampler.push(&samples, &mut out);
        resampler.finish(&mut out);
        assert_eq!(resampler.damaged_samples(), 4);
        assert_eq!(out, whole(48_000, 2, &repaired));
    }

    #[test]
    fn output_lags_by_the_delay_at_most() {
        for rate_hz in RATES {
            let mut resampler = Resampler::new(rate_hz, 1, OUTPUT_HZ).unwrap();
            let mut out = Vec::new();
            for (i, sample) in tone(rate_hz, rate_hz as usize / 4, 440.0, 1).iter().enumerate() {
                resampler.push(std::slice::from_ref(sample), &mut out);
                let arrived = (i + 1) * OUTPUT_HZ as usize / rate_hz as usize;
                assert!(out.len() + resampler.delay() >= arrived, "{rate_hz} Hz after {} samples", i + 1);
            }
            let delay_ms = resampler.delay() * 1_000 / OUTPUT_HZ as usize;
            assert!(delay_ms <= 14, "{rate_hz} Hz: {delay_ms} ms");
        }
    }

    #[test]
    fn refuses_what_it_cannot_do() {
        for (rate_hz, channels, output_hz) in [
            (7_999, 1, 16_000),
            (192_001, 1, 16_000),
            (0, 1, 16_000),
            (16_000, 0, 16_000),
            (16_000, 65, 16_000),
            (16_000, 1, 0),
        ] {
            assert!(Resampler::new(rate_hz, channels, output_hz).is_err(), "{rate_hz} Hz, {channels} channels");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_split_gives_the_same_bits(
            rate_hz in prop::sample::select(&RATES[..]),
            channels in 1usize..4,
            len in 0usize..9_000,
            cuts in prop::collection::vec(prop_oneof![0usize..5, 0usize..700, 0usize..5_000], 0..40),
        ) {
            let mut samples = tone(rate_hz, len, 777.0, 1);
            samples.truncate(len);
            let mut resampler = Resampler::new(rate_hz, channels, OUTPUT_HZ).unwrap();
            let (mut out, mut rest) = (Vec::new(), &samples[..]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                resampler.push(piece, &mut out);
                rest = after;
            }
            resampler.push(rest, &mut out);
            resampler.finish(&mut out);
            let bits = |samples: &[f32]| samples.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&out), bits(&whole(rate_hz, channels, &samples)));
        }
    }
}
