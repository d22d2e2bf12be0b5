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
struct Recorder {
    histogram: Histogram<u64>,
    total: Duration,
}

/// Upper end of the histograms; longer durations count as this.
const LONGEST_NS: u64 = 60_000_000_000;

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = || Recorder {
            histogram: Histogram::new_with_bounds(100, LONGEST_NS, 2).expect("constant bounds are valid"),
            total: Duration::ZERO,
        };
        Self {
            stages: [recorder(), recorder(), recorder(), recorder()],
            audio: Duration::ZERO,
            chunks: 0,
            frames: 0,
            tokens: 0,
            gated: Duration::ZERO,
            bad_samples: 0,
        }
    }

    pub(crate) fn record(&mut self, stage: Stage, took: Duration) {
        let recorder = &mut self.stages[stage as usize];
        recorder.histogram.saturating_record(took.as_nanos().min(u128::from(LONGEST_NS)) as u64);
        recorder.total += took;
    }

    /// The distribution of a stage.
    pub fn stage(&self, stage: Stage) -> StageTimes {
        let Recorder { histogram, total } = &self.stages[stage as usize];
        let at = |q: f64| Duration::from_nanos(histogram.value_at_quantile(q));
        StageTimes {
            count: histogram.len(),
            total: *total,
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
            max: Duration::from_nanos(histogram.max()),
        }
    }

    /// Processing time over audio time: below one is faster than real time.
    pub fn real_time_factor(&self) -> f64 {
        let busy = self.stages.iter().take(3).map(|r| r.total).sum::<Duration>();
        if self.audio.is_zero() { 0.0 } else { busy.as_secs_f64() / self.audio.as_secs_f64() }
    }
}
