"""Scenes to learn endpointing from, put together in the log-mel domain.

A scene is 16 s of turns with silence between them. A turn is a recording, often with pauses put in between words, or
a list of single words spoken with pauses. Noise, babble of other recordings, rooms, channels and levels go on top.
Labels: which frames are speech, and whether a silence is inside a turn or after its end.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from features import LOG_FLOOR, MEL_BANDS, log_mel  # noqa: E402
from prepare import open_split  # noqa: E402

from sounds import RATE, sound  # noqa: E402

FRAMES = 1600
SINGLE_WORDS = ("speech_commands", "fsdd", "picovoice_wake")
HELD_OUT = 25
"""One recording and one noise in so many is kept out of training."""


def speech_frames(mel, words, margin=1.8):
    """Which frames are speech: the words' spans, less what lies at the noise floor at the ends of each run."""
    inside = np.zeros(len(mel), bool)
    for _, at, count, *_ in words:
        inside[max(at, 0) : at + count] = True
    if not inside.any():
        return inside
    energy = np.log(np.exp(mel[:, 3:].astype(np.float32)).sum(1) + 1e-9)
    peak = np.percentile(energy[inside], 90)
    floor = min(np.percentile(energy, 8), peak - 2.5)
    quiet = energy < max(min(floor + margin, peak - 2), peak - 9)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]])))
    for start, end in zip(edges[::2], edges[1::2]):
        while start < end and quiet[start]:
            inside[start] = False
            start += 1
        while end > start and quiet[end - 1]:
            inside[end - 1] = False
            end -= 1
    return inside


class Clips:
    """Recordings with word times."""

    def __init__(self, data, alignments, held_out, rng):
        index, self.mel = open_split(data, "train")
        spans = {}
        for path in alignments:
            for line in open(path):
                row = json.loads(line)
                if row["words"]:
                    spans[row["path"]] = row["words"]
        rows = [row for row in index if row["path"] in spans]
        rows = [row for number, row in enumerate(rows) if (number % HELD_OUT == 0) == held_out]
        self.rows = [(row["at"], row["frames"], spans[row["path"]]) for row in rows]
        single = np.array([row["path"].startswith(SINGLE_WORDS) for row in rows])
        self.single, self.sentences = np.flatnonzero(single), np.flatnonzero(~single)
        self.rng = rng

    def get(self, number):
        at, count, words = self.rows[number]
        mel = self.mel[at : at + count].astype(np.float32)
        return mel, speech_frames(mel, words), words

    def sentence(self):
        return self.get(self.rng.choice(self.sentences))

    def word(self):
        return self.get(self.rng.choice(self.single))


def noise_bank(data, held_out, rng, minutes=12):
    """Recorded and generated noises as arrays of log-mel frames, long recordings in several places."""
    index, mel = open_split(data, "noise")
    bank = []
    for number, row in enumerate(index):
        if (number % 5 == 2) == held_out and row["frames"] > 60:
            noise = mel[row["at"] : row["at"] + row["frames"]]
            bank += [noise] * min(7, 1 + len(noise) // 900 * 2)
    for _ in range(minutes * 4):
        bank.append(log_mel(torch.from_numpy(0.1 * sound(rng, 15 * RATE))).numpy())
    return bank


def floor_frames(mel, speech, count, rng):
    """`count` frames of the recording's own background, or of one like it."""
    still = np.flatnonzero(~np.convolve(speech, np.ones(9), "same").astype(bool))
    if len(still) >= 12:
        # Runs of neighbouring frames in random order keep the background's texture.
        starts = still[rng.integers(len(still), size=count // 4 + 1)]
        picked = (starts[:, None] + np.arange(4)).reshape(-1)[:count]
        return mel[np.minimum(picked, still[-1])]
    level = np.percentile(mel, 4, axis=0)
    return level + rng.gumbel(-0.3, 0.45, (count, MEL_BANDS)).astype(np.float32)


class Scenes:
    """An endless supply of scenes."""

    def __init__(self, data, alignments, held_out=False, seed=1):
        self.rng = np.random.default_rng(seed)
        self.clips = Clips(data, alignments, held_out, self.rng)
        self.noises = noise_bank(data, held_out, self.rng)
        self.babbles = [self.babble() for _ in range(12)]
        self.pool = []

    def babble(self, frames=3000):
        """Several recordings at once."""
        power = np.zeros((frames, MEL_BANDS), np.float32)
        for _ in range(self.rng.integers(3, 9)):
            at, gain = 0, self.rng.uniform(-1.5, 1)
            while at < frames:
                mel, *_ = self.clips.sentence()
                mel = mel[: frames - at] - np.log(np.exp(mel).mean()) + gain
                power[at : at + len(mel)] += np.exp(mel)
                at += len(mel)
        return np.log(power + 1e-7)

    def pause_frames(self):
        return int(np.exp(self.rng.uniform(np.log(12), np.log(170))))

    def turn(self):
        """(mel, speech, words) of one turn; pauses inside are part of it."""
        rng, pieces = self.rng, []
        if rng.random() < 0.22:
            for number in range(rng.integers(1, 7)):
                mel, speech, _ = self.clips.word()
                on = np.flatnonzero(speech)
                if not len(on):
                    continue
                start, end = max(on[0] - rng.integers(3, 15), 0), on[-1] + rng.integers(3, 12)
                level = np.log(np.exp(mel[speech]).mean())
                pieces.append((mel[start:end] - level, speech[start:end]))
                if rng.random() < 0.5:
                    pause = int(rng.integers(5, 70))
                    pieces.append((floor_frames(mel, speech, pause, rng) - level, np.zeros(pause, bool)))
            while pieces and not pieces[-1][1].any():
                pieces.pop()
        if not pieces:
            mel, speech, words = self.clips.sentence()
            on = np.flatnonzero(speech)
            if not len(on):
                return self.turn()
            level = np.log(np.exp(mel[speech]).mean())
            lead = max(on[0] - int(rng.integers(0, 40)), 0)
            tail = min(on[-1] + 1 + int(rng.integers(3, 60)), len(mel))
            # A third of the sentences breaks off between words once or twice and goes on.
            cuts = []
            if rng.random() < 0.55 and len(words) > 2:
                inner = [word[1] for word in words[1:] if on[0] + 20 < word[1] < on[-1] - 15]
                cuts = sorted(rng.permutation(inner)[: rng.integers(1, 3)].tolist())
            at = lead
            for cut in cuts:
                pieces.append((mel[at:cut] - level, speech[at:cut]))
                pause = self.pause_frames()
                filler = floor_frames(mel, speech, pause, rng)
                filler = self.fade(mel[max(cut - 4, at) : cut], filler)
                pieces.append((filler - level, np.zeros(pause, bool)))
                at = cut
            pieces.append((mel[at:tail] - level, speech[at:tail]))
            # Recordings that end at their last word ring off as cut sentences do.
            if tail - on[-1] < 8:
                filler = self.fade(mel[max(tail - 4, at) : tail], floor_frames(mel, speech, 25, rng))
                pieces.append((filler - level, np.zeros(25, bool)))
            self.floor = floor_frames(mel, speech, 400, rng) - level
        else:
            self.floor = floor_frames(mel, speech, 400, rng) - level
        return np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces])

    def fade(self, before, filler):
        """Lets the sound before a cut ring off into the filler within 40 to 120 ms."""
        if not len(before) or not len(filler):
            return filler
        steps = np.arange(1, len(filler) + 1)[:, None]
        ring = before.mean(0) - steps * self.rng.uniform(0.5, 1.6)
        return np.logaddexp(filler, ring.astype(np.float32))

    def speech_track(self):
        """(log-mel at unit speech level, speech, end) of a scene: `end` is 1 after a turn, 0 inside, -1 before any."""
        rng = self.rng
        mel = np.full((FRAMES, MEL_BANDS), -12.0, np.float32)
        speech, end = np.zeros(FRAMES, bool), np.full(FRAMES, -1, np.int8)
        at, first = 0 if rng.random() < 0.2 else int(rng.integers(1, 250)), True
        while at < FRAMES:
            sound_, spoken = self.turn()
            if first:
                mel[:at] = np.resize(self.floor, (at, MEL_BANDS))
                if at == 0:
                    start = max(int(np.argmax(spoken)) - int(rng.integers(0, 4)), 0)
                    sound_, spoken = sound_[start:], spoken[start:]
                first = False
            count = min(len(sound_), FRAMES - at)
            mel[at : at + count], speech[at : at + count] = sound_[:count], spoken[:count]
            on = np.flatnonzero(spoken)
            end[at + on[0] : at + on[-1] + 1] = 0
            end[at + on[-1] + 1 : at + count] = 1
            at += count
            gap = min(int(np.exp(rng.uniform(np.log(25), np.log(500)))), FRAMES - at)
            mel[at : at + gap] = np.resize(self.floor, (gap, MEL_BANDS))
            end[at : at + gap] = 1
            at += gap
        # Onset of the next turn's lead belongs to the silence before it.
        for t in range(1, FRAMES):
            if end[t] == -1 and end[t - 1] >= 0:
                end[t] = 1
        return mel, speech, end

    def noise_track(self):
        """(log-mel at unit mean power, lowest and highest level relative to speech in dB)."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.2:
            noise, levels = self.babbles[rng.integers(len(self.babbles))], (-25, -4)
        elif kind < 0.3:
            tilt = np.cumsum(rng.normal(0, 0.25, MEL_BANDS)) + rng.uniform(-3, 1) * np.linspace(0, 1, MEL_BANDS)
            noise, levels = tilt + rng.gumbel(-0.3, 0.35, (FRAMES, MEL_BANDS)), (-25, 4)
        else:
            noise, levels = self.noises[rng.integers(len(self.noises))], (-25, 4)
        start = int(rng.integers(max(1, len(noise) - FRAMES)))
        noise = noise[start : start + FRAMES].astype(np.float32)
        noise = np.concatenate([noise] * (FRAMES // len(noise) + 1))[:FRAMES]
        if rng.random() < 0.2:
            noise = noise[::-1]
        if rng.random() < 0.6:
            # There are few recordings: other rooms and microphones make more of them.
            shift = int(rng.integers(-4, 5))
            noise = np.roll(noise, shift, axis=1) if abs(shift) else noise
            x = np.linspace(0, 1, MEL_BANDS)
            noise = noise + rng.normal(0, 2.0) * (x - 0.5) + rng.normal(0, 0.8) * np.cos(np.pi * (x * rng.uniform(1, 5) + rng.random()))
        if rng.random() < 0.25:
            # It comes or goes within the scene.
            edge = int(rng.integers(FRAMES))
            noise = noise.copy()
            part = slice(0, edge) if rng.random() < 0.5 else slice(edge, FRAMES)
            noise[part] -= rng.uniform(2, 8)
        return noise - np.log(np.exp(noise).mean() + 1e-9), levels

    def scene(self):
        """(frames x 80 log-mel, speech, end)."""
        rng = self.rng
        if rng.random() < 0.1:
            mel = np.full((FRAMES, MEL_BANDS), -12.0, np.float32)
            speech, end = np.zeros(FRAMES, bool), np.full(FRAMES, -1, np.int8)
        else:
            mel, speech, end = self.speech_track()
        for _ in range(rng.choice(3, p=(0.22, 0.58, 0.2)) if speech.any() else 1):
            noise, (low, high) = self.noise_track()
            level = rng.uniform(low, high) if rng.random() < 0.4 else rng.uniform(max(low, -13), high)
            mel = np.logaddexp(mel, noise + level * np.log(10) / 10)
        if rng.random() < 0.25:
            power = np.exp(mel)
            decay, tail = np.exp(-13.8 * 0.01 / rng.uniform(0.15, 0.6)), rng.uniform(0.02, 0.12)
            wet = power.copy()
            for delay in range(2, 26, 2):
                wet[delay:] += 2 * tail * decay**delay * power[:-delay]
            mel = np.log(wet)
        if rng.random() < 0.5:
            x = np.linspace(0, 1, MEL_BANDS)
            mel = mel + rng.normal(0, 0.8) * (x - 0.5) + rng.normal(0, 0.5) * np.cos(np.pi * (x * rng.uniform(1, 4) + rng.random()))
        # Speech of training recordings lies about -8; kiosks are set louder and much softer than that, and some
        # microphones are 40 dB too low.
        mel = mel - 7.5 + (rng.uniform(-5, 3) if rng.random() < 0.8 else rng.uniform(-9.5, -4))
        if rng.random() < 0.1:
            mel[:, 58:] = LOG_FLOOR  # a telephone's band
        mel = np.logaddexp(mel, LOG_FLOOR) if rng.random() < 0.7 else np.maximum(mel, LOG_FLOOR)
        return mel.astype(np.float32), speech, end

    def batch(self, count, fresh=None):
        """Tensors: log-mel (count, frames, 80), speech (count, frames), end (count, frames).

        `fresh` scenes are new, the others are heard again from among the last few hundred.
        """
        scenes = [self.scene() for _ in range(count if fresh is None else min(fresh, count))]
        scenes += [self.pool[i] for i in self.rng.integers(max(1, len(self.pool)), size=count - len(scenes) if self.pool else 0)]
        scenes += [self.scene() for _ in range(count - len(scenes))]
        if fresh is not None:
            self.pool = (self.pool + scenes[:fresh])[-300:]
        mel, speech, end = (np.stack(part) for part in zip(*scenes))
        return torch.from_numpy(mel), torch.from_numpy(speech.astype(np.float32)), torch.from_numpy(end)
