//! Quantiles of measured values.

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
