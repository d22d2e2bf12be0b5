//! Where the time of a stream goes.

use std::time::Duration;

use linnet::{Metrics, Stage};

use crate::{event::ms, memory::AbiStruct};

/// The distribution of one stage's durations, in microseconds. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct linnet_stage_times_t {
    /// Number of times it ran.
    pub count: u64,
    /// Sum of all runs.
    pub total_us: u64,
    /// Median.
    pub p50_us: u64,
    /// 95th percentile.
    pub p95_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Longest.
    pub max_us: u64,
}

/// Counters and times of one stream since it was made; linnet_stream_reset leaves them. Set `size` before the call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_metrics_t {
    /// sizeof(linnet_metrics_t).
    pub size: usize,
    /// Audio pushed, in milliseconds.
    pub audio_ms: u64,
    /// Chunks that the encoder computed.
    pub chunks: u64,
    /// Encoder frames decoded.
    pub frames: u64,
    /// Tokens emitted.
    pub tokens: u64,
    /// Processing time over audio time: below 1 is faster than real time.
    pub real_time_factor: f64,
    /// Conversion to 16 kHz mono and log-mel features, per block of at most 4096 frames pushed.
    pub features: linnet_stage_times_t,
    /// One call of the encoder that finished a chunk.
    pub encoder: linnet_stage_times_t,
    /// Transducer decoding and transcript of one chunk.
    pub decode: linnet_stage_times_t,
    /// A block that finished at least one chunk, whole.
    pub step: linnet_stage_times_t,
}

// SAFETY: `repr(C)`, size first.
unsafe impl AbiStruct for linnet_metrics_t {
    const NAME: &'static str = "linnet_metrics_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl From<&Metrics> for linnet_metrics_t {
    fn from(metrics: &Metrics) -> Self {
        let stage = |stage| {
            let times = metrics.stage(stage);
            let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            linnet_stage_times_t {
                count: times.count,
                total_us: us(times.total),
                p50_us: us(times.p50),
                p95_us: us(times.p95),
                p99_us: us(times.p99),
                max_us: us(times.max),
            }
        };
        Self {
            size: size_of::<Self>(),
            audio_ms: ms(metrics.audio),
            chunks: metrics.chunks,
            frames: metrics.frames,
            tokens: metrics.tokens,
            real_time_factor: metrics.real_time_factor(),
            features: stage(Stage::Features),
            encoder: stage(Stage::Encoder),
            decode: stage(Stage::Decode),
            step: stage(Stage::Step),
        }
    }
}
