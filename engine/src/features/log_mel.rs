//! The streaming log-mel front end.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use super::mel::MelFilters;
use crate::audio::convert::is_audio;
use crate::model::config::FeatureConfig;

/// Added to each band's energy before the logarithm, so that silence has a floor.
const LOG_GUARD: f32 = 1.0 / (1 << 24) as f32;

/// Hops of audio taken in before the samples that are no longer needed are moved out.
const HOPS_PER_REFILL: usize = 16;

/// Why a front end could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A number of the configuration is outside what the front end can compute. The model file is damaged or made for
    /// another engine.
    #[error("feature configuration: {name} is {value}, expected {expected}; convert the model again")]
    Config {
        /// Name of the field.
        name: &'static str,
        /// What it holds.
        value: f64,
        /// What it may hold.
        expected: &'static str,
    },
}

/// Turns samples into frames of log-mel energies, as they arrive.
///
/// Of `n` samples come `n / hop` frames (rounded down); frame `t` is centred on sample `t * hop`. What lies before the
/// first and after the last sample counts as zeros. Each frame is: pre-emphasis (`x[i] - a * x[i-1]`, the first sample
/// kept as it is), a symmetric Hann window, the power spectrum, triangular mel filters (Slaney's scale and area
/// normalization), `ln(energy + 2^-24)`.
///
/// Samples are expected in -1..1. One that is NaN, infinite or absurdly large
/// ([`is_audio`]) is taken as silence and counted ([`damaged_samples`](Self::damaged_samples)): every value that comes
/// out is finite.
///
/// After construction nothing is allocated, apart from the growth of the caller's output.
pub struct LogMel {
    hop: usize,
    mel_bins: usize,
    preemphasis: f32,
    window: Vec<f32>,
    /// Samples under the window before its centre.
    before: usize,
    /// Samples from a frame's centre on that must have arrived before it is computed.
    ahead: usize,
    fft: Arc<dyn RealToComplex<f32>>,
    fft_input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    filters: MelFilters,
    /// Pre-emphasized samples; those from `start` on belong to frames still to come.
    held: Vec<f32>,
    start: usize,
    last_sample: f32,
    samples: u64,
    frames: u64,
    damaged_samples: u64,
}

impl LogMel {
    /// A front end as the model asks for it.
    pub fn new(config: &FeatureConfig) -> Result<Self, FeatureError> {
        check(config)?;
        let &FeatureConfig { fft, window, hop, mel_bins, .. } = config;
        let filters =
            MelFilters::new(config.sample_rate_hz.into(), fft, mel_bins, config.low_hz.into(), config.high_hz.into());
        // The window sits in the middle of the FFT, whose middle is the frame's centre.
        let before = fft / 2 - (fft - window) / 2;
        // A hop at least: the count of frames is that of whole hops, also where the window is shorter.
        let ahead = (window - before).max(hop);
        let plan = RealFftPlanner::new().plan_fft_forward(fft);
        let mut log_mel = Self {
            hop,
            mel_bins,
            preemphasis: config.preemphasis,
            window: hann(window),
            before,
            ahead,
            fft_input: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            fft: plan,
            power: vec![0.0; filters.spectrum_len()],
            filters,
            held: Vec::with_capacity(before + ahead + HOPS_PER_REFILL * hop),
            start: 0,
            last_sample: 0.0,
            samples: 0,
            frames: 0,
            damaged_samples: 0,
        };
        log_mel.reset();
        Ok(log_mel)
    }

    /// Takes samples in and appends the frames that they complete to `out`, `mel_bins` values each. Returns the number
    /// of frames appended.
    pub fn push(&mut self, mut samples: &[f32], out: &mut Vec<f32>) -> usize {
        let frames_before = self.frames;
        while !samples.is_empty() {
            let room = self.held.capacity() - self.held.len();
            let (taken, rest) = samples.split_at(room.min(samples.len()));
            self.hold(taken);
            samples = rest;
            while self.held.len() - self.start >= self.before + self.ahead {
                self.emit(out);
            }
            self.held.drain(..self.start);
            self.start = 0;
        }
        (self.frames - frames_before) as usize
    }

    /// Ends the audio: appends the frames whose windows reach past its end, returns their number, and makes ready for
    /// new audio as [`reset`](Self::reset) does.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> usize {
        let left = (self.samples / self.hop as u64 - self.frames) as usize;
        for _ in 0..left {
            let missing = (self.start + self.window.len()).saturating_sub(self.held.len());
            self.held.extend(std::iter::repeat_n(0.0, missing));
            self.emit(out);
            self.held.drain(..self.start);
            self.start = 0;
        }
        self.reset();
        left
    }

    /// Forgets the audio so far; the next sample is the first of new audio. The count of damaged samples stays.
    pub fn reset(&mut self) {
        self.held.clear();
        self.held.resize(self.before, 0.0);
        self.start = 0;
        self.last_sample = 0.0;
        self.samples = 0;
        self.frames = 0;
    }

    /// Samples from a frame's centre on that must arrive before the frame comes out.
    pub fn delay(&self) -> usize {
        self.ahead
    }

    /// Values per frame.
    pub fn mel_bins(&self) -> usize {
        self.mel_bins
    }

    /// Samples between the centres of frames.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Samples replaced by silence since construction because they were not numbers that audio can have.
    pub fn damaged_samples(&self) -> u64 {
        self.damaged_samples
    }

    fn hold(&mut self, samples: &[f32]) {
        // The difference to a silence before the first sample is the sample itself, as it should be.
        for &sample in samples {
            let sample = if is_audio(sample) {
                sample
            } else {
                self.damaged_samples += 1;
                0.0
            };
            self.held.push(sample - self.preemphasis * self.last_sample);
            self.last_sample = sample;
        }
        self.samples += samples.len() as u64;
    }

    /// Computes the next frame from the samples at `start` and moves on by a hop.
    fn emit(&mut self, out: &mut Vec<f32>) {
        // The power spectrum does not see where in the FFT the window lies, so it goes to the front.
        let (windowed, padding) = self.fft_input.split_at_mut(self.window.len());
        let samples = &self.held[self.start..][..self.window.len()];
        for ((to, sample), weight) in windowed.iter_mut().zip(samples).zip(&self.window) {
            *to = sample * weight;
        }
        // The FFT leaves its input in disorder.
        padding.fill(0.0);
        self.fft
            .process_with_scratch(&mut self.fft_input, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by the plan");
        for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
            *power = value.re * value.re + value.im * value.im;
        }
        out.reserve(self.mel_bins);
        self.filters.project(&self.power, |energy| out.push((energy + LOG_GUARD).ln()));
        self.start += self.hop;
        self.frames += 1;
    }
}

/// Symmetric Hann window: zero at both ends.
fn hann(len: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU / (len - 1) as f64;
    (0..len).map(|i| (0.5 - 0.5 * (step * i as f64).cos()) as f32).collect()
}

fn check(config: &FeatureConfig) -> Result<(), FeatureError> {
    let range = |name, value: f64, ok: bool, expected| {
        if ok { Ok(()) } else { Err(FeatureError::Config { name, value, expected }) }
    };
    let FeatureConfig { sample_rate_hz, fft, window, hop, mel_bins, low_hz, high_hz, preemphasis, .. } = *config;
    range("sample_rate_hz", sample_rate_hz.into(), (1..=768_000).contains(&sample_rate_hz), "1 to 768000 Hz")?;
    range("fft", fft as f64, fft.is_multiple_of(2) && (2..=65536).contains(&fft), "an even number from 2 to 65536")?;
    range("window", window as f64, (2..=fft).contains(&window), "2 to the length of the FFT")?;
    range("hop", hop as f64, (1..=65536).contains(&hop), "1 to 65536 samples")?;
    range("mel_bins", mel_bins as f64, (1..=1024).contains(&mel_bins), "1 to 1024")?;
    range("low_hz", low_hz.into(), low_hz >= 0.0 && low_hz < high_hz, "at least 0 and below high_hz")?;
    let nyquist_hz = sample_rate_hz as f32 / 2.0;
    range("high_hz", high_hz.into(), high_hz <= nyquist_hz, "at most half the sample rate")?;
    range("preemphasis", preemphasis.into(), (0.0..=1.0).contains(&preemphasis), "0 to 1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> FeatureConfig {
        FeatureConfig {
            sample_rate_hz: 16000,
            fft: 512,
            window: 400,
            hop: 160,
            mel_bins: 80,
            low_hz: 0.0,
            high_hz: 8000.0,
            preemphasis: 0.97,
        }
    }

    fn noise(len: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next() * 0.3).collect()
    }

    fn whole(config: &FeatureConfig, samples: &[f32]) -> Vec<f32> {
        let mut log_mel = LogMel::new(config).unwrap();
        let mut out = Vec::new();
        let mut frames = log_mel.push(samples, &mut out);
        frames += log_mel.finish(&mut out);
        assert_eq!(out.len(), frames * config.mel_bins);
        out
    }

    /// The definition, computed directly in f64 for one frame.
    fn frame_by_definition(config: &FeatureConfig, samples: &[f32], t: usize) -> Vec<f64> {
        let emphasized = |i: isize| -> f64 {
            let at = |i: isize| if i < 0 { 0.0 } else { samples.get(i as usize).map_or(0.0, |&x| f64::from(x)) };
            if i >= samples.len() as isize { 0.0 } else { at(i) - f64::from(config.preemphasis) * at(i - 1) }
        };
        let window = hann(config.window);
        let first = (t * config.hop + (config.fft - config.window) / 2) as isize - (config.fft / 2) as isize;
        let windowed: Vec<f64> =
            window.iter().enumerate().map(|(i, &w)| emphasized(first + i as isize) * f64::from(w)).collect();
        let filters = MelFilters::new(
            config.sample_rate_hz.into(),
            config.fft,
            config.mel_bins,
            config.low_hz.into(),
            config.high_hz.into(),
        );
        let mut power = vec![0.0f32; filters.spectrum_len()];
        for (bin, power) in power.iter_mut().take(config.fft / 2 + 1).enumerate() {
            let step = -std::f64::consts::TAU * bin as f64 / config.fft as f64;
            let (re, im) = windowed.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, x)| {
                (re + x * (step * i as f64).cos(), im + x * (step * i as f64).sin())
            });
            *power = (re * re + im * im) as f32;
        }
        let mut frame = Vec::new();
        filters.project(&power, |energy| frame.push((f64::from(energy) + f64::from(LOG_GUARD)).ln()));
        frame
    }

    #[test]
    fn follows_the_definition_at_both_ends() {
        for config in [config(), FeatureConfig { window: 401, hop: 100, ..config() }] {
            let samples = noise(1700);
            let frames = whole(&config, &samples);
            for (t, frame) in frames.chunks(config.mel_bins).enumerate() {
                for (bin, (got, want)) in frame.iter().zip(frame_by_definition(&config, &samples, t)).enumerate() {
                    assert!((f64::from(*got) - want).abs() < 1e-3, "frame {t} bin {bin}: {got}, expected {want}");
                }
            }
        }
    }

    #[test]
    fn counts_frames_of_short_clips() {
        for samples in [0, 1, 2, 159, 160, 161, 199, 200, 201, 319, 320, 359, 360, 361, 479, 480, 1599, 1600] {
            let frames = whole(&config(), &noise(samples)).len() / 80;
            assert_eq!(frames, samples / 160, "{samples} samples");
        }
    }

    #[test]
    fn counts_frames_where_the_window_is_shorter_than_the_hop() {
        let config = FeatureConfig { window: 100, ..config() };
        for samples in [0, 49, 50, 160, 161, 210, 1000, 1600] {
            assert_eq!(whole(&config, &noise(samples)).len() / 80, samples / 160, "{samples} samples");
        }
    }

    #[test]
    fn a_frame_comes_out_after_the_delay() {
        let mut log_mel = LogMel::new(&config()).unwrap();
        let mut out = Vec::new();
        let samples = noise(2000);
        for (seen, sample) in samples.iter().enumerate() {
            log_mel.push(std::slice::from_ref(sample), &mut out);
            let seen = seen + 1;
            let due = if seen < log_mel.delay() { 0 } else { (seen - log_mel.delay()) / 160 + 1 };
            assert_eq!(out.len() / 80, due, "after {seen} samples");
        }
    }

    #[test]
    fn silence_is_the_floor() {
        assert!(whole(&config(), &[0.0; 1600]).iter().all(|&x| x == LOG_GUARD.ln()));
    }

    #[test]
    fn finish_makes_ready_for_new_audio() {
        let mut log_mel = LogMel::new(&config()).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        log_mel.push(&noise(777), &mut first);
        log_mel.finish(&mut first);
        log_mel.push(&noise(777), &mut second);
        log_mel.finish(&mut second);
        assert_eq!(first, second);
    }

    #[test]
    fn damage_becomes_silence() {
        let mut samples = noise(3200);
        let mut repaired = samples.clone();
        for (i, bad) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN].into_iter().enumerate() {
            samples[i * 300 + 7] = bad;
            repaired[i * 300 + 7] = 0.0;
        }
        let mut log_mel = LogMel::new(&config()).unwrap();
        let mut out = Vec::new();
        log_mel.push(&samples, &mut out);
        log_mel.finish(&mut out);
        assert_eq!(log_mel.damaged_samples(), 5);
        assert_eq!(out, whole(&config(), &repaired));
        assert!(whole(&config(), &[1e9; 800]).iter().all(|x| x.is_finite()));
    }

    #[test]
    fn refuses_impossible_configurations() {
        for bad in [
            FeatureConfig { fft: 0, ..config() },
            FeatureConfig { fft: 511, ..config() },
            FeatureConfig { window: 513, ..config() },
            FeatureConfig { window: 1, ..config() },
            FeatureConfig { hop: 0, ..config() },
            FeatureConfig { mel_bins: 0, ..config() },
            FeatureConfig { high_hz: 8001.0, ..config() },
            FeatureConfig { low_hz: 8000.0, ..config() },
            FeatureConfig { low_hz: f32::NAN, ..config() },
            FeatureConfig { preemphasis: f32::NAN, ..config() },
            FeatureConfig { sample_rate_hz: 0, ..config() },
        ] {
            assert!(LogMel::new(&bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_split_gives_the_same_bits(
            len in 0usize..6000,
            cuts in prop::collection::vec(prop_oneof![0usize..8, 0usize..700, 0usize..5000], 0..40),
        ) {
            let samples = noise(len);
            let mut log_mel = LogMel::new(&config()).unwrap();
            let (mut out, mut rest) = (Vec::new(), &samples[..]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                log_mel.push(piece, &mut out);
                rest = after;
            }
            log_mel.push(rest, &mut out);
            log_mel.finish(&mut out);
            let bits = |frames: &[f32]| frames.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&out), bits(&whole(&config(), &samples)));
        }
    }
}
