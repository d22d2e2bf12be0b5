//! Where the time of a stream goes.

use std::time::Duration;

use linnet::{
    Metrics, Stage, StageTimes,
    live::{Level, LiveMetrics},
};

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
    /// Audio that the encoder rested in, in milliseconds.
    pub gated_ms: u64,
    /// Samples that were not finite and counted as zero.
    pub bad_samples: u64,
}

// SAFETY: `repr(C)`, size first.
unsafe impl AbiStruct for linnet_metrics_t {
    const NAME: &'static str = "linnet_metrics_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl From<StageTimes> for linnet_stage_times_t {
    fn from(times: StageTimes) -> Self {
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            count: times.count,
            total_us: us(times.total),
            p50_us: us(times.p50),
            p95_us: us(times.p95),
            p99_us: us(times.p99),
            max_us: us(times.max),
        }
    }
}

/// What a live session measured of itself, besides its recognizer. Set `size` before the call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_session_metrics_t {
    /// sizeof(linnet_session_metrics_t).
    pub size: usize,
    /// From the capture of the last sample of a block until the recognizer took the block.
    pub queue: linnet_stage_times_t,
    /// From an event's making until it was handed on to the callback or to linnet_live_next.
    pub delivery: linnet_stage_times_t,
    /// From the capture of the audio that brought an event until the event was handed on.
    pub capture_to_event: linnet_stage_times_t,
    /// Steps that took longer than the audio of their chunk lasts.
    pub overruns: u64,
    /// Times that chunks were made longer because the recognizer was behind.
    pub longer_chunks: u64,
    /// Audio that was lost because the buffer was full, in milliseconds.
    pub dropped_ms: u64,
    /// Gaps in the stream, for whatever reason.
    pub gaps: u64,
    /// Audio that is missing in them, in milliseconds.
    pub gap_ms: u64,
    /// Glitches that the device reported.
    pub glitches: u64,
    /// Times that a device was lost.
    pub losses: u64,
    /// Attempts to open a device that failed.
    pub failed_attempts: u64,
    /// Times that audio came again after a loss.
    pub recoveries: u64,
    /// Time from the last loss until audio came again, in milliseconds.
    pub last_recovery_ms: u64,
    /// The longest such time, in milliseconds.
    pub longest_recovery_ms: u64,
    /// How much faster (or slower, below zero) the device's clock runs than the session's, in parts per million; NAN
    /// before there is enough audio to tell.
    pub drift_ppm: f64,
    /// How loud it is now: root mean square of the samples in decibels of full scale, -100 at least.
    pub level_rms_db: f32,
    /// Largest magnitude of a sample now, in decibels of full scale, -100 at least.
    pub level_peak_db: f32,
}

// SAFETY: `repr(C)`, size first.
unsafe impl AbiStruct for linnet_session_metrics_t {
    const NAME: &'static str = "linnet_session_metrics_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

impl linnet_session_metrics_t {
    pub(crate) fn new(metrics: &LiveMetrics, level: Level) -> Self {
        let counters = &metrics.counters;
        Self {
            size: size_of::<Self>(),
            queue: metrics.queue.into(),
            delivery: metrics.delivery.into(),
            capture_to_event: metrics.capture_to_event.into(),
            overruns: counters.overruns,
            longer_chunks: counters.longer_chunks,
            dropped_ms: ms(counters.dropped),
            gaps: counters.gaps,
            gap_ms: ms(counters.gap_time),
            glitches: counters.glitches,
            losses: counters.losses,
            failed_attempts: counters.failed_attempts,
            recoveries: counters.recoveries,
            last_recovery_ms: ms(counters.last_recovery),
            longest_recovery_ms: ms(counters.longest_recovery),
            drift_ppm: counters.drift_ppm.unwrap_or(f64::NAN),
            level_rms_db: level.rms_db(),
            level_peak_db: level.peak_db(),
        }
    }
}

impl From<&Metrics> for linnet_metrics_t {
    fn from(metrics: &Metrics) -> Self {
        let stage = |stage| metrics.stage(stage).into();
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
            gated_ms: ms(metrics.gated),
            bad_samples: metrics.bad_samples,
        }
    }
}
