"""Two sounds at once, in the log-mel domain.

The power of a sum is not the sum of the powers: per FFT bin |S + N|^2 = |S|^2 + |N|^2 + 2 |S| |N| cos(phase difference).
Where both are as loud, a bin may vanish or double, and what a band keeps of that depends on how many bins it averages
(Deng, Droppo and Acero 2004, "Enhancement of log mel power spectra of speech using a phase-sensitive model of the
acoustic environment"). Without it noisy speech is smoother in training than it is in life.
"""

import numpy as np
import torch

from features import FFT_SIZE, FILTERS, WINDOW

MOST = 0.98
"""Largest cosine: a band never vanishes quite."""
FRAMES = 30_000
"""Frames of cosines that are drawn once."""
NEXT_BAND, NEXT_FRAME = 0.25, 0.12
"""Weights that give the correlation of 0.3 to 0.6 between neighbouring bands and of 0.12 between frames."""


def deviations():
    """(bands,) standard deviation of the cosine that is left of a band's many, were both sounds white."""
    shifted = torch.fft.fft(WINDOW.double() ** 2, FFT_SIZE)
    bins = torch.arange(FILTERS.shape[1])
    together = ((shifted / shifted[0]).abs() ** 2)[(bins[:, None] - bins[None]).abs()]
    weights = FILTERS.double()
    independent = weights.sum(1) ** 2 / ((weights @ together) * weights).sum(1)
    # White noise measured: 5 to 8 % less, as loud bands count for more.
    return 0.93 * (0.5 / independent).sqrt().float()


def cosines(frames=FRAMES, seed=5):
    """(frames, bands) cosines as of two independent sounds."""
    deviation = deviations()
    drawn = torch.randn(frames + 1, len(deviation) + 2, generator=torch.Generator().manual_seed(seed))
    drawn = drawn[1:] + NEXT_FRAME * drawn[:-1]
    drawn = drawn[:, 1:-1] + NEXT_BAND * (drawn[:, :-2] + drawn[:, 2:])
    # The sine of a normal angle is a cosine of any phase where the angle is wide, and normal where it is narrow.
    angle = (-0.5 * torch.log(1 - 2 * deviation**2)).sqrt()
    return MOST * torch.sin(drawn / drawn.std() * angle)


COSINES = cosines()


def add(one, other, rng):
    """Log-mel of two sounds at once, (..., frames, bands) tensors, with phases by chance."""
    frames = one.shape[-2]
    sounds = int(np.prod(one.shape[:-2]))
    starts = rng.integers(FRAMES - frames, size=sounds)
    cosine = torch.stack([COSINES[start : start + frames] for start in starts]).view(one.shape)
    power, more = one.exp(), other.exp()
    return torch.addcmul(power + more, (power * more).sqrt_(), cosine, value=2).log_()
