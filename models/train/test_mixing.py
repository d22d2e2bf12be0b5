"""Checks of sounds added in the log-mel domain, beside samples added in the air: python -m unittest (in this folder)."""

import unittest

import numpy as np
import torch

import mixing
from features import log_mel


class MixingTest(unittest.TestCase):
    def test_sums_vary_as_those_of_samples_do(self):
        generator = torch.Generator().manual_seed(3)
        one, other = (0.1 * torch.randn(16_000 * 20, generator=generator) for _ in range(2))
        apart = log_mel(one), log_mel(other)
        powers = torch.logaddexp(*apart)
        real = log_mel(one + other) - powers
        made = mixing.add(*apart, np.random.default_rng(1)) - powers
        torch.testing.assert_close(made.mean(0), real.mean(0), atol=0.06, rtol=0)
        torch.testing.assert_close(made.std(0), real.std(0), atol=0, rtol=0.15)
        for lag, axis in ((1, 0), (1, 1)):
            likeness = [float((d.roll(lag, axis) * d).mean() / (d * d).mean()) for d in (made - made.mean(0), real - real.mean(0))]
            self.assertAlmostEqual(*likeness, delta=0.12)

    def test_a_far_louder_sound_is_left_as_it_is(self):
        loud, soft = torch.randn(2, 50, 80), torch.full((2, 50, 80), -16.0)
        torch.testing.assert_close(mixing.add(loud, soft, np.random.default_rng(1)), loud, atol=0.02, rtol=0)


if __name__ == "__main__":
    unittest.main()
