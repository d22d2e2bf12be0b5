//! Where the time of a stream goes.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A part of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Conversion to 16 kHz mono, log-mel features and the endpointing network, per push.
    Features,
    /// One call of the encoder that finished a chunk.
    Encoder,
    /// Transducer decoding and transcript of one chunk.
    Decode,
    /// A push that finished at least one chunk, whole.
    Step,
}

impl Stage {
    /// All stages, in the order of the data flow.
    pub const ALL: [Stage; 4] = [Stage::Features, Stage::Encoder, Stage::Decode, Stage::Step];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Features => "features",
            Stage::Encoder => "encoder",
            Stage::Decode => "decode",
            Stage::Step => "step",
        }
    }
}

/// The distribution of one stage's durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Number of times it ran.
    pub count: u64,
    /// Sum of all runs.
    pub total: Duration,
    /// Median.
    pub p50: Duration,
    /// 95th percentile.
    pub p95: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Longest.
    pub max: Duration,
}

/// Counters and distributions of one stream since it was made.
#[derive(Clone, Debug)]
pub struct Metrics {
    stages: [Recorder; 4],
    /// Audio pushed.
    pub audio: Duration,
    /// Chunks that the encoder computed.
    pub chunks: u64,
    /// Encoder frames decoded.
    pub frames: u64,
    /// Tokens emitted.
    pub tokens: u64,
    /// Audio that the gate kept from the encoder.
    pub gated: Duration,
    /// Samples that were not finite and were taken as zero.
    pub bad_samples: u64,
}

/// A fixed-size histogram in nanoseconds and the exact sum.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    histogram: Histogram<u64>,
    total: Duration,
}

/// Upper end of the histograms; longer durations count as this.
const LONGEST_NS: u64 = 60_000_000_000;

impl Recorder {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(100, LONGEST_NS, 2).expect("constant bounds are valid");
        Self { histogram, total: Duration::ZERO }
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.histogram.saturating_record(took.as_nanos().min(u128::from(LONGEST_NS)) as u64);
        self.total += took;
    }

    /// Takes the values of another over without allocating.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.histogram.set_to(&other.histogram).expect("all histograms have the same bounds");
        self.total = other.total;
    }

    pub(crate) fn times(&self) -> StageTimes {
        let at = |q: f64| Duration::from_nanos(self.histogram.value_at_quantile(q));
        StageTimes {
            count: self.histogram.len(),
            total: self.total,
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_nanos(self.histogram.max()),
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            stages: std::array::from_fn(|_| Recorder::new()),
            audio: Duration::ZERO,
            chunks: 0,
            frames: 0,
            tokens: 0,
            gated: Duration::ZERO,
            bad_samples: 0,
        }
    }

    pub(crate) fn record(&mut self, stage: Stage, took: Duration) {
        self.stages[stage as usize].record(took);
    }

    /// Takes the values of another over without allocating.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        for (to, from) in self.stages.iter_mut().zip(&other.stages) {
            to.copy_from(from);
        }
        self.audio = other.audio;
        self.chunks = other.chunks;
        self.frames = other.frames;
        self.tokens = other.tokens;
        self.gated = other.gated;
        self.bad_samples = other.bad_samples;
    }

    /// The distribution of a stage.
    pub fn stage(&self, stage: Stage) -> StageTimes {
        self.stages[stage as usize].times()
    }

    /// Processing time over audio time: below one is faster than real time.
    pub fn real_time_factor(&self) -> f64 {
        let busy = self.stages.iter().take(3).map(|r| r.total).sum::<Duration>();
        if self.audio.is_zero() { 0.0 } else { busy.as_secs_f64() / self.audio.as_secs_f64() }
    }
}
