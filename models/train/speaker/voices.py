"""Batches of short stretches of speech with their speakers, altered so that the voice is all they have in common."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "endpoint")]

from features import LOG_FLOOR, MEL_BANDS, log_mel  # noqa: E402
from prepare import open_split  # noqa: E402
from sounds import RATE, sound  # noqa: E402

SHARES = {"librispeech": 0.4, "speechocean762": 0.25, "common_voice": 0.2, "commands": 0.1}
"""How often a batch is of each population; the others share the rest."""
CONTEXT = 24
"""Log-mel frames of somebody else in front of each stretch: a stream goes from one speaker to the next."""


class Voices:
    """Recordings of one split, by speaker."""

    def __init__(self, data, split, seed=1):
        data = Path(data)
        rows = [row for row in json.load(open(data / "speakers.json")) if row["split"] == split]
        self.mel = np.fromfile(data / "speakers.f16", np.float16).reshape(-1, MEL_BANDS)
        self.vad = np.fromfile(data / "speakers.vad", np.uint8)
        self.rng = np.random.default_rng(seed)
        clips = defaultdict(list)
        for row in rows:
            speech = np.flatnonzero(self.vad[row["at"] : row["at"] + row["frames"]] > 100)
            if len(speech) < 20:
                continue
            # Leading and trailing silence teaches nothing.
            start, end = max(speech[0] - 8, 0), min(speech[-1] + 9, row["frames"])
            clips[row["speaker"]].append((row["at"] + start, end - start))
        self.speakers = sorted(name for name in clips if sum(count for _, count in clips[name]) >= 80)
        self.clips = [clips[name] for name in self.speakers]
        groups = defaultdict(list)
        for number, name in enumerate(self.speakers):
            population = name.split("/")[0]
            groups[population if population in SHARES else "other"].append(number)
        self.groups = [np.array(group) for group in groups.values()]
        shares = np.array([SHARES.get(name, 1 - sum(SHARES.values())) for name in groups])
        self.shares = shares / shares.sum()

    def stretch(self, speaker, frames):
        """Row numbers of `frames` frames of a speaker, of as few recordings as that takes."""
        clips, rows, total = self.clips[speaker], [], 0
        while total < frames:
            at, count = clips[self.rng.integers(len(clips))]
            take = min(frames - total, count)
            start = at + self.rng.integers(count - take + 1)
            rows.append(np.arange(start, start + take))
            total += take
        return np.concatenate(rows)

    def batch(self, count, frames):
        """(log-mel (count, frames, 80), speech (count, frames), speakers (count,)), not altered.

        Every speaker is in it twice, first in one half and then in the other. All are of one population, so that its
        rooms and microphones tell nothing.
        """
        group = self.groups[self.rng.choice(len(self.groups), p=self.shares)]
        speakers = np.tile(self.rng.choice(group, count // 2, replace=len(group) < count // 2), 2)
        rows = np.stack([self.stretch(speaker, frames) for speaker in speakers])
        return (
            torch.from_numpy(self.mel[rows].astype(np.float32)),
            torch.from_numpy(self.vad[rows].astype(np.float32) / 255),
            torch.from_numpy(speakers),
        )


class Alterations:
    """Channel, level, room, noise, band and masks of each item of a batch, drawn anew."""

    def __init__(self, data, seed=1):
        self.rng = np.random.default_rng(seed)
        index, mel = open_split(data, "noise")
        bank = [mel[row["at"] : row["at"] + row["frames"]].astype(np.float32) for row in index if row["frames"] > 320]
        bank += [log_mel(torch.from_numpy(0.1 * sound(self.rng, 8 * RATE).astype(np.float32))).numpy() for _ in range(40)]
        self.noises = [torch.from_numpy(noise - np.log(np.exp(noise).mean() + 1e-9)) for noise in bank]

    def __call__(self, mel):
        count, frames, bands = mel.shape
        rng, draw = self.rng, lambda *size: torch.from_numpy(self.rng.random((count, *size)).astype(np.float32))
        # A microphone and a room colour each stretch, also the two of one speaker.
        x = np.linspace(0, 1, bands)
        waves = [wave(np.pi * x * k) for k in (0.5, 1, 2, 3, 5) for wave in (np.cos, np.sin)]
        spreads = np.repeat([0.7, 0.6, 0.4, 0.3, 0.2], 2)
        curves = rng.normal(0, spreads, (count, len(waves))) @ np.stack(waves)
        loud = torch.logsumexp(mel, (1, 2), keepdim=True) - np.log(frames * bands)
        mel = mel + torch.from_numpy(curves.astype(np.float32))[:, None] - loud
        wet = (draw() < 0.15).nonzero()[:, 0]
        if len(wet):
            decay = torch.exp(-13.8 * 0.01 / (0.15 + 0.5 * draw()[wet]))[:, None, None]
            tail = (0.02 + 0.1 * draw()[wet])[:, None, None]
            power = torch.exp(mel[wet])
            out = power.clone()
            for delay in range(2, 26, 2):
                out[:, delay:] += 2 * tail * decay**delay * power[:, :-delay]
            mel[wet] = torch.log(out + 1e-9)
        noisy = np.flatnonzero(rng.random(count) < 0.5)
        if len(noisy):
            pieces = []
            for _ in noisy:
                noise = self.noises[rng.integers(len(self.noises))]
                start = rng.integers(max(1, len(noise) - frames))
                piece = noise[start : start + frames]
                pieces.append(torch.cat([piece] * (frames // len(piece) + 1))[:frames])
            below = torch.from_numpy(rng.uniform(2, 28, (len(noisy), 1, 1)).astype(np.float32)) * (np.log(10) / 10)
            loud = torch.logsumexp(mel[noisy], (1, 2), keepdim=True) - np.log(frames * bands)
            mel[noisy] = torch.logaddexp(mel[noisy], torch.stack(pieces) + loud - below)
        mel = mel - 8 + (6 * draw(1, 1) - 4)
        mel[draw() < 0.06, :, 58:] = LOG_FLOOR  # a telephone's band
        mel.clamp_(min=LOG_FLOOR)
        for item in np.flatnonzero(rng.random(count) < 0.4):
            width, fill = rng.integers(2, 10), mel[item].mean()
            start = rng.integers(bands - width)
            mel[item, :, start : start + width] = fill
        return mel
