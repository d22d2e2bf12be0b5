"""Checks of the log-mel front end: python -m unittest (in this folder)."""

import unittest

import numpy as np
import torch

from features import FILTERS, LOG_FLOOR, log_mel


class LogMelTest(unittest.TestCase):
    def test_frame_count_and_silence(self):
        for samples in (160, 1599, 16000):
            mel = log_mel(torch.zeros(samples))
            self.assertEqual(mel.shape, (samples // 160, 80))
            self.assertAlmostEqual(float(mel.max()), LOG_FLOOR, places=4)

    def test_one_frame_equals_the_definition(self):
        """Frame 7 by a direct discrete Fourier transform in double precision."""
        samples = np.random.default_rng(0).normal(0, 0.1, 4000)
        emphasised = np.concatenate([samples[:1], samples[1:] - 0.97 * samples[:-1]])
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
        centre = 7 * 160
        frame = np.zeros(512)
        frame[56:456] = emphasised[centre - 200 : centre + 200] * window
        power = np.abs(np.fft.rfft(frame)) ** 2
        expected = np.log(FILTERS.double().numpy() @ power + 2.0**-24)
        got = log_mel(torch.from_numpy(samples.astype(np.float32)))[7].numpy()
        np.testing.assert_allclose(got, expected, atol=2e-3)

    def test_filters_have_unit_area(self):
        area = FILTERS.sum(1) * (8000 / 256)
        torch.testing.assert_close(area[20:], torch.ones(60), atol=0.2, rtol=0)


if __name__ == "__main__":
    unittest.main()
