//! Listens to the raw audio: how loud it is, and whether the microphone is alive.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How loud the last 50 ms of audio was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Root mean square of the samples, 0 to 1.
    pub rms: f32,
    /// Largest magnitude of a sample, 0 to 1.
    pub peak: f32,
}

impl Level {
    /// The root mean square in decibels of full scale, -100 at least.
    pub fn rms_db(self) -> f32 {
        decibels(self.rms)
    }

    /// The peak in decibels of full scale, -100 at least.
    pub fn peak_db(self) -> f32 {
        decibels(self.peak)
    }
}

fn decibels(amplitude: f32) -> f32 {
    20.0 * amplitude.max(1e-5).log10()
}

/// Over how much audio the level is taken.
const WINDOW: Duration = Duration::from_millis(50);

/// Takes levels over windows of mono audio.
pub(super) struct Meter {
    window: usize,
    energy: f32,
    peak: f32,
    len: usize,
}

impl Meter {
    pub(super) fn new(rate_hz: u32) -> Self {
        let window = (f64::from(rate_hz) * WINDOW.as_secs_f64()) as usize;
        Self { window: window.max(1), energy: 0.0, peak: 0.0, len: 0 }
    }

    pub(super) fn push(&mut self, mono: &[f32], shared: &SharedLevel) {
        for &sample in mono {
            self.energy += sample * sample;
            self.peak = self.peak.max(sample.abs());
            self.len += 1;
            if self.len == self.window {
                shared.set(Level { rms: (self.energy / self.len as f32).sqrt(), peak: self.peak });
                (self.energy, self.peak, self.len) = (0.0, 0.0, 0);
            }
        }
    }
}

/// The newest level, for other threads.
#[derive(Default)]
pub(super) struct SharedLevel {
    rms: AtomicU32,
    peak: AtomicU32,
}

impl SharedLevel {
    pub(super) fn set(&self, level: Level) {
        self.rms.store(level.rms.to_bits(), Ordering::Relaxed);
        self.peak.store(level.peak.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Level {
        let load = |value: &AtomicU32| f32::from_bits(value.load(Ordering::Relaxed));
        Level { rms: load(&self.rms), peak: load(&self.peak) }
    }
}

/// Finds microphones that deliver, bit for bit, one value: digital silence or a constant offset. A live one always has
/// some noise in its lowest bits.
pub(super) struct Pulse {
    channels: usize,
    /// Frames of the same value that make a microphone dead.
    limit: u64,
    last: Vec<f32>,
    same: u64,
    dead: bool,
}

/// What [`Pulse`] found in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Nothing,
    Died,
    Revived,
}

impl Pulse {
    pub(super) fn new(rate_hz: u32, channels: usize, limit: Duration) -> Self {
        let limit = (f64::from(rate_hz) * limit.as_secs_f64()) as u64;
        Self { channels: channels.max(1), limit: limit.max(1), last: vec![0.0; channels.max(1)], same: 0, dead: false }
    }

    /// Takes interleaved samples in, whole frames of them.
    pub(super) fn push(&mut self, samples: &[f32]) -> Finding {
        let mut changed = false;
        for frame in samples.chunks_exact(self.channels) {
            // Compared as bits, so that NaN equals itself.
            if frame.iter().zip(&self.last).all(|(a, b)| a.to_bits() == b.to_bits()) {
                self.same += 1;
            } else {
                self.last.copy_from_slice(frame);
                self.same = 1;
                changed = true;
            }
        }
        let was_dead = self.dead;
        self.dead = if changed { self.same >= self.limit } else { self.dead || self.same >= self.limit };
        match (was_dead, self.dead) {
            (false, true) => Finding::Died,
            (true, false) => Finding::Revived,
            _ => Finding::Nothing,
        }
    }

    /// For how many frames the value has been the same.
    pub(super) fn frames_alike(&self) -> u64 {
        self.same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_that_of_the_last_window() {
        let mut meter = Meter::new(16_000);
        let shared = SharedLevel::default();
        let square: Vec<f32> = (0..1600).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }).collect();
        meter.push(&square, &shared);
        let level = shared.get();
        assert!((level.rms - 0.5).abs() < 1e-4 && level.peak == 0.5);
        assert!((level.rms_db() + 6.02).abs() < 0.01);
        meter.push(&[0.0; 800], &shared);
        assert_eq!(shared.get(), Level { rms: 0.0, peak: 0.0 });
        assert_eq!(shared.get().peak_db(), -100.0);
    }

    #[test]
    fn one_value_is_death_and_any_noise_is_life() {
        for value in [0.0, 0.25, f32::NAN] {
            let mut pulse = Pulse::new(1000, 2, Duration::from_secs(1));
            let blocks: Vec<_> = (0..12).map(|_| pulse.push(&[value, -value].repeat(100))).collect();
            let died = blocks.iter().position(|&finding| finding == Finding::Died).unwrap();
            assert!((9..=10).contains(&died), "{died}");
            assert_eq!(blocks.iter().filter(|&&finding| finding != Finding::Nothing).count(), 1);
            assert_eq!(pulse.push(&[value, 0.125]), Finding::Revived);
            assert_eq!(pulse.push(&[value, 0.25].repeat(100)), Finding::Nothing);
        }
        let mut pulse = Pulse::new(1000, 1, Duration::from_millis(500));
        let noise: Vec<f32> = (0..5000).map(|i| (i % 3) as f32 / 32_768.0).collect();
        assert!(noise.chunks(100).all(|block| pulse.push(block) == Finding::Nothing));
    }
}
