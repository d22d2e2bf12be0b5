//! A microphone that fails in every way that microphones do.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use linnet::{
    AudioFormat,
    live::{Connection, Input, Opening, Source, SourceError},
};

use super::LONGEST_STRETCH;

/// How often the device did what.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultCounts {
    /// Broke off.
    pub broke: u64,
    /// Told that it was lost.
    pub told: u64,
    /// Stopped to deliver without a word.
    pub stalled: u64,
    /// Could not be opened.
    pub refused: u64,
    /// Lost audio and said so.
    pub glitched: u64,
    /// Lost audio as if the machine was suspended.
    pub suspended: u64,
    /// Delivered digital silence.
    pub muted: u64,
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} broke off, {} lost, {} stalled, {} refused to open, {} glitches, {} suspensions, {} times muted",
            self.broke, self.told, self.stalled, self.refused, self.glitched, self.suspended, self.muted
        )
    }
}

/// Kinds of faults, as indices of the counters.
const BROKE: usize = 0;
const TOLD: usize = 1;
const STALLED: usize = 2;
const REFUSED: usize = 3;
const GLITCHED: usize = 4;
const SUSPENDED: usize = 5;
const MUTED: usize = 6;

#[derive(Clone, Default)]
pub(super) struct Shared {
    faults: Arc<[AtomicU64; 7]>,
    ring_bytes: Arc<AtomicU64>,
}

impl Shared {
    fn count(&self, fault: usize) {
        self.faults[fault].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> FaultCounts {
        let get = |fault: usize| self.faults[fault].load(Ordering::Relaxed);
        FaultCounts {
            broke: get(BROKE),
            told: get(TOLD),
            stalled: get(STALLED),
            refused: get(REFUSED),
            glitched: get(GLITCHED),
            suspended: get(SUSPENDED),
            muted: get(MUTED),
        }
    }

    /// Bytes of samples that the rings of open devices have room for.
    pub(super) fn ring_bytes(&self) -> u64 {
        self.ring_bytes.load(Ordering::SeqCst)
    }
}

/// Counts the room of a ring as long as an end of it is there: a device of eight channels has 48 times the room of a
/// telephone's, and what one left must not hide what grows.
struct RingBytes {
    bytes: u64,
    shared: Shared,
}

impl RingBytes {
    fn new(format: AudioFormat, opening: &Opening, shared: Shared) -> Arc<Self> {
        let samples = u64::from(format.rate_hz) * u64::from(format.channels);
        let bytes = (opening.buffer.as_secs_f64() * samples as f64) as u64 * size_of::<f32>() as u64;
        shared.ring_bytes.fetch_add(bytes, Ordering::SeqCst);
        Arc::new(Self { bytes, shared })
    }
}

impl Drop for RingBytes {
    fn drop(&mut self) {
        self.shared.ring_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

const FORMATS: [AudioFormat; 4] = [
    AudioFormat { rate_hz: 16_000, channels: 1 },
    AudioFormat { rate_hz: 44_100, channels: 2 },
    AudioFormat { rate_hz: 48_000, channels: 8 },
    AudioFormat { rate_hz: 8_000, channels: 1 },
];

/// Plays 16 kHz mono in one format or another, in pieces of odd sizes, from the start again at the end.
pub(super) struct Faulty {
    audio: Arc<Vec<f32>>,
    random: Rng,
    faults: bool,
    /// When the session is over, on its clock.
    end: Duration,
    refusals: u32,
    shared: Shared,
}

impl Faulty {
    pub(super) fn new(audio: Vec<f32>, seed: u64, faults: bool, end: Duration, shared: Shared) -> Self {
        Self { audio: Arc::new(audio), random: Rng::with_seed(seed), faults, end, refusals: 0, shared }
    }
}

impl Source for Faulty {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        if self.refusals > 0 {
            self.refusals -= 1;
            self.shared.count(REFUSED);
            return Err(SourceError::Busy { name: "faulty".into() });
        }
        let format = if self.faults { FORMATS[self.random.usize(..FORMATS.len())] } else { FORMATS[0] };
        if self.faults && self.random.bool() {
            self.refusals = self.random.u32(1..4);
        }
        let (input, connection) = opening.connect(format, "faulty");
        let ring = RingBytes::new(format, opening, self.shared.clone());
        let connection = connection.keeping(ring.clone());
        let player = Player {
            _ring: ring,
            at: self.random.f64() * self.audio.len() as f64,
            audio: self.audio.clone(),
            random: self.random.fork(),
            faults: self.faults,
            format,
            end: self.end,
            shared: self.shared.clone(),
        };
        let opening = opening.clone();
        std::thread::spawn(move || player.play(input, &opening));
        Ok(connection)
    }
}

/// One time that the device is open.
struct Player {
    audio: Arc<Vec<f32>>,
    /// Position in the audio.
    at: f64,
    random: Rng,
    faults: bool,
    format: AudioFormat,
    end: Duration,
    shared: Shared,
    _ring: Arc<RingBytes>,
}

impl Player {
    fn play(mut self, mut input: Input, opening: &Opening) {
        let clock = &opening.clock;
        let rate = f64::from(self.format.rate_hz);
        let mut captured = clock.now();
        let breaks_at = captured + LONGEST_STRETCH.mul_f64(self.random.f64());
        let mut muted_until = Duration::ZERO;
        let mut block = Vec::new();
        while captured < self.end {
            // 0 to 125 ms.
            let frames = self.random.usize(..self.format.rate_hz as usize / 8);
            let length = Duration::from_secs_f64(frames as f64 / rate);
            let muted = captured < muted_until;
            self.fill(&mut block, frames, muted);
            clock.sleep_until(captured + length);
            if input.is_closed() {
                return;
            }
            input.push(&block, captured);
            captured += length;
            if !self.faults {
                continue;
            }
            if captured >= breaks_at {
                self.break_off(&input, opening);
                return;
            }
            // Per second of audio, whatever the size of the pieces.
            let chance = self.random.f64() / length.as_secs_f64().max(1e-3);
            if chance < 1.0 / 90.0 {
                let lost = match self.random.u32(..3) {
                    0 => {
                        self.shared.count(SUSPENDED);
                        Duration::from_millis(self.random.u64(1_100..20_000))
                    }
                    1 => {
                        self.shared.count(GLITCHED);
                        input.status().glitch();
                        Duration::from_millis(self.random.u64(30..900))
                    }
                    _ => {
                        self.shared.count(MUTED);
                        muted_until = captured + Duration::from_millis(self.random.u64(..8_000));
                        Duration::ZERO
                    }
                };
                captured += lost;
            }
        }
        input.end();
    }

    fn break_off(&mut self, input: &Input, opening: &Opening) {
        match self.random.u32(..3) {
            0 => self.shared.count(BROKE),
            1 => {
                self.shared.count(TOLD);
                input.status().lost(SourceError::Lost { name: "faulty".into() });
            }
            _ => {
                self.shared.count(STALLED);
                while !input.is_closed() {
                    opening.clock.sleep(Duration::from_secs(1));
                }
            }
        }
    }

    /// The next frames, interpolated to the format's rate, the same on all channels.
    fn fill(&mut self, block: &mut Vec<f32>, frames: usize, muted: bool) {
        let step = 16_000.0 / f64::from(self.format.rate_hz);
        block.clear();
        for _ in 0..frames {
            let index = self.at as usize % self.audio.len();
            let (here, next) = (self.audio[index], self.audio[(index + 1) % self.audio.len()]);
            let value = if muted { 0.0 } else { here + (next - here) * (self.at.fract() as f32) };
            block.extend(std::iter::repeat_n(value, usize::from(self.format.channels)));
            self.at = (self.at + step) % self.audio.len() as f64;
        }
    }
}
