"""Log-mel features, equal to the engine's front end.

16 kHz mono in [-1, 1] -> pre-emphasis 0.97 (first sample kept) -> 25 ms Hann window (not periodic) centred in a
512-point FFT every 10 ms, zero padding at both ends -> power -> 80 Slaney mel bands, 0 to 8000 Hz, area-normalised ->
ln(x + 2^-24). No mean or variance normalisation. floor(samples / 160) frames.
"""

import numpy as np
import torch

SAMPLE_RATE = 16_000
FFT_SIZE = 512
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
MEL_BANDS = 80
PREEMPHASIS = 0.97
LOG_GUARD = 2.0**-24
LOG_FLOOR = float(np.log(LOG_GUARD))


def slaney_mel_filters(bands=MEL_BANDS, rate=SAMPLE_RATE, fft_size=FFT_SIZE):
    """Triangular filters (bands, fft_size / 2 + 1) on Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    log_step = np.log(6.4) / 27

    def to_mel(hz):
        return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) / log_step)

    def to_hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(log_step * (mel - 15)))

    edges = to_hz(np.linspace(to_mel(np.array(0.0)), to_mel(np.array(rate / 2)), bands + 2))
    bins = np.linspace(0, rate / 2, fft_size // 2 + 1)[None]
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return torch.from_numpy(filters.astype(np.float32))


FILTERS = slaney_mel_filters()
WINDOW = torch.hann_window(WINDOW_SAMPLES, periodic=False)


def log_mel(samples):
    """(samples,) float tensor -> (frames, 80)."""
    samples = torch.cat([samples[:1], samples[1:] - PREEMPHASIS * samples[:-1]])
    spectrum = torch.stft(
        samples, FFT_SIZE, HOP_SAMPLES, WINDOW_SAMPLES, WINDOW, center=True, pad_mode="constant", return_complex=True
    )
    power = spectrum.real**2 + spectrum.imag**2
    frames = len(samples) // HOP_SAMPLES
    return torch.log(FILTERS @ power[:, :frames] + LOG_GUARD).T.contiguous()
