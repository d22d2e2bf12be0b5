//! Triangular mel filters on Slaney's scale with area normalization.
//!
//! The scale is linear below 1 kHz (200/3 Hz per mel) and logarithmic above (27 steps per factor of 6.4), as in
//! M. Slaney, "Auditory Toolbox, Version 2", Interval Research Technical Report 1998-010. Each triangle is scaled by
//! 2 / (its width in Hz), so that bands of different width answer alike to noise of equal density.

const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ_PER_MEL;

/// Natural logarithm of the frequency ratio of one mel above the break.
fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn hz_to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / LINEAR_HZ_PER_MEL } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HZ_PER_MEL } else { BREAK_HZ * ((mel - BREAK_MEL) * log_step()).exp() }
}

/// Products summed side by side in [`MelFilters::project`].
const LANES: usize = 8;

/// A bank of triangular filters, stored sparse: each band is a run of weights over consecutive FFT bins.
#[derive(Clone, Debug)]
pub(super) struct MelFilters {
    bands: Vec<Band>,
    /// Weights of all bands, each run padded with zeros to a multiple of [`LANES`].
    weights: Vec<f32>,
    spectrum_len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Band {
    first_bin: usize,
    first_weight: usize,
    len: usize,
}

impl MelFilters {
    /// Filters for the bins `0..=fft/2` of a spectrum at `sample_rate_hz`.
    pub(super) fn new(sample_rate_hz: f64, fft: usize, bands: usize, low_hz: f64, high_hz: f64) -> Self {
        let bins = fft / 2 + 1;
        let (low, high) = (hz_to_mel(low_hz), hz_to_mel(high_hz));
        let edges: Vec<f64> =
            (0..bands + 2).map(|i| mel_to_hz(low + (high - low) * i as f64 / (bands + 1) as f64)).collect();
        let mut filters = Self { bands: Vec::with_capacity(bands), weights: Vec::new(), spectrum_len: bins };
        for edge in edges.windows(3) {
            let [left, centre, right] = [edge[0], edge[1], edge[2]];
            let weight = |bin: usize| {
                let hz = bin as f64 * sample_rate_hz / fft as f64;
                let rise = (hz - left) / (centre - left);
                let fall = (right - hz) / (right - centre);
                rise.min(fall).max(0.0) * 2.0 / (right - left)
            };
            let first_bin = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            let run: Vec<f32> =
                (first_bin..bins).map(weight).take_while(|&weight| weight > 0.0).map(|weight| weight as f32).collect();
            let len = run.len().next_multiple_of(LANES);
            filters.bands.push(Band { first_bin, first_weight: filters.weights.len(), len });
            filters.weights.extend(run.iter().copied().chain(std::iter::repeat(0.0)).take(len));
            filters.spectrum_len = filters.spectrum_len.max(first_bin + len);
        }
        filters
    }

    /// Length of the slice that [`project`](Self::project) reads: the bins, then zeros that let every run be whole.
    pub(super) fn spectrum_len(&self) -> usize {
        self.spectrum_len
    }

    /// Energy in each band, handed to `emit` in order. `spectrum` holds [`spectrum_len`](Self::spectrum_len) values.
    pub(super) fn project(&self, spectrum: &[f32], mut emit: impl FnMut(f32)) {
        for band in &self.bands {
            let bins = spectrum[band.first_bin..][..band.len].as_chunks::<LANES>().0;
            let weights = self.weights[band.first_weight..][..band.len].as_chunks::<LANES>().0;
            let mut sums = [0.0f32; LANES];
            for (bins, weights) in bins.iter().zip(weights) {
                for lane in 0..LANES {
                    sums[lane] += bins[lane] * weights[lane];
                }
            }
            emit(sums.iter().sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(filters: &MelFilters) -> Vec<Vec<f32>> {
        let mut rows = vec![Vec::new(); filters.bands.len()];
        let mut spectrum = vec![0.0; filters.spectrum_len()];
        for bin in 0..257 {
            spectrum.fill(0.0);
            spectrum[bin] = 1.0;
            let mut row = rows.iter_mut();
            filters.project(&spectrum, |energy| row.next().unwrap().push(energy));
        }
        rows
    }

    #[test]
    fn the_scale_is_linear_then_logarithmic() {
        for (hz, mel) in [(0.0, 0.0), (500.0, 7.5), (1000.0, 15.0), (6400.0, 42.0)] {
            assert!((hz_to_mel(hz) - mel).abs() < 1e-12, "{hz} Hz");
        }
        for hz in [0.0, 20.0, 999.0, 1000.0, 1001.0, 8000.0] {
            assert!((mel_to_hz(hz_to_mel(hz)) - hz).abs() < 1e-9, "{hz} Hz");
        }
    }

    #[test]
    fn each_filter_is_a_triangle_of_unit_area() {
        let rows = dense(&MelFilters::new(16000.0, 512, 80, 0.0, 8000.0));
        assert_eq!(rows.len(), 80);
        for (band, row) in rows.iter().enumerate() {
            let peak = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
            assert!(row[peak] > 0.0, "band {band} hears nothing");
            assert!(row[..=peak].is_sorted() && row[peak..].is_sorted_by(|a, b| a >= b), "band {band} has one peak");
            // Wide bands sample their triangle densely enough for the sum over bins to be its area.
            if band >= 60 {
                let area: f32 = row.iter().sum::<f32>() * 16000.0 / 512.0;
                assert!((area - 1.0).abs() < 0.03, "band {band} has area {area}");
            }
        }
    }

    #[test]
    fn a_band_narrower_than_a_bin_is_silent_not_a_panic() {
        let filters = MelFilters::new(16000.0, 16, 80, 0.0, 8000.0);
        let mut energies = Vec::new();
        filters.project(&vec![1.0; filters.spectrum_len()], |energy| energies.push(energy));
        assert_eq!(energies.len(), 80);
        assert!(energies.iter().all(|energy| energy.is_finite()));
    }
}
