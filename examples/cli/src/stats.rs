//! Quantiles of measured values, and the table of a live session's.

use std::fmt::Write;

use linnet::{Stage, StageTimes, live::LiveMetrics};
use serde::Serialize;

/// Median and tail of a set of values in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Number of values.
    pub count: usize,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Quantiles {
    /// By nearest rank: the smallest value that at least the given share of the values doesn't exceed. `None` without
    /// values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |q: f64| {
            let rank = (q * values.len() as f64).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self { count: values.len(), p50: at(0.50)?, p95: at(0.95)?, p99: at(0.99)? })
    }
}

/// What a live session measured, for people.
pub fn live_table(metrics: &LiveMetrics) -> String {
    let mut table = format!("{:<18}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "ms", "count", "p50", "p95", "p99", "max");
    let mut row = |name: &str, times: StageTimes| {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
        let StageTimes { count, p50, p95, p99, max, .. } = times;
        // Writing to a string can't fail.
        let _ = writeln!(table, "{name:<18}{count:>9}{:>9.2}{:>9.2}{:>9.2}{:>9.2}", ms(p50), ms(p95), ms(p99), ms(max));
    };
    row("queue", metrics.queue);
    for stage in Stage::ALL {
        row(stage.name(), metrics.recognizer.stage(stage));
    }
    row("delivery", metrics.delivery);
    row("capture to event", metrics.capture_to_event);
    let counters = &metrics.counters;
    let _ = writeln!(
        table,
        "{:.1} s of audio, {} gaps ({:.1} s, {:.1} s of it for want of room), {} glitches, {} steps over budget",
        metrics.recognizer.audio.as_secs_f64(),
        counters.gaps,
        counters.gap_time.as_secs_f64(),
        counters.dropped.as_secs_f64(),
        counters.glitches,
        counters.overruns,
    );
    let _ = writeln!(
        table,
        "{} losses, {} failed attempts, {} recoveries (longest {:.2} s)",
        counters.losses,
        counters.failed_attempts,
        counters.recoveries,
        counters.longest_recovery.as_secs_f64(),
    );
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let quantiles = Quantiles::of((1..=200).rev().map(f64::from).collect()).unwrap();
        assert_eq!(quantiles, Quantiles { count: 200, p50: 100.0, p95: 190.0, p99: 198.0 });
        assert_eq!(Quantiles::of(vec![7.0]).unwrap(), Quantiles { count: 1, p50: 7.0, p95: 7.0, p99: 7.0 });
        assert_eq!(Quantiles::of(Vec::new()), None);
    }
}
