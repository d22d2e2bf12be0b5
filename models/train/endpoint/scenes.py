"""Scenes to learn endpointing from, put together in the log-mel domain.

A scene is 16 s of turns with silence between them. A turn is a recording, often with pauses put in between words, or
a list of single words spoken with pauses; turns differ in level and may trail off. Noise, babble of other recordings,
rooms, channels and levels go on top, anew each time that a scene's turns are heard again.
Labels: which frames are speech, and whether a silence is inside a turn or after its end.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mixing  # noqa: E402
from features import LOG_FLOOR, MEL_BANDS, log_mel  # noqa: E402
from prepare import open_split  # noqa: E402

from sounds import RATE, sound  # noqa: E402

FRAMES = 1600
SINGLE_WORDS = ("speech_commands", "fsdd", "picovoice_wake", "robotutor_en/word")
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


KINDS = {
    "place": (0.34, ("noises115/NoiseX", "anrose", "gsc_bg", "blanket", "berlin")),
    "sound": (0.20, ("noises115/Nonspeech",)),
    "music": (0.10, ("horizons_music", "singularity")),
    "effect": (0.08, ("",)),
    "generated": (0.14, ()),
    "babble": (0.14, ()),
}
"""Share of each kind of noise, and what the paths of its recordings hold: the first kind that fits."""


def noise_bank(data, held_out, rng, minutes=12):
    """Recorded and generated noises of each kind as arrays of log-mel frames, long recordings in several places."""
    index, mel = open_split(data, "noise")
    bank = {kind: [] for kind in KINDS}
    for number, row in enumerate(index):
        if (number % 5 == 2) == held_out and row["frames"] > 40:
            noise = mel[row["at"] : row["at"] + row["frames"]]
            kind = next(kind for kind, (_, parts) in KINDS.items() if any(part in row["path"] for part in parts))
            bank[kind] += [noise] * min(7, 1 + len(noise) // 900 * 2)
    for _ in range(minutes * 4):
        bank["generated"].append(log_mel(torch.from_numpy(0.1 * sound(rng, 15 * RATE))).numpy())
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
        self.noises["babble"] = [self.babble() for _ in range(24)]
        self.kinds = [kind for kind in KINDS if self.noises[kind]]
        shares = np.array([KINDS[kind][0] for kind in self.kinds])
        self.shares = shares / shares.sum()
        self.pool = []

    def babble(self, frames=3000):
        """Several recordings at once."""
        crowd = None
        for _ in range(self.rng.integers(3, 9)):
            voice, at, gain = np.empty((frames, MEL_BANDS), np.float32), 0, self.rng.uniform(-1.5, 1)
            while at < frames:
                mel, *_ = self.clips.sentence()
                mel = mel[: frames - at] - np.log(np.exp(mel).mean()) + gain
                voice[at : at + len(mel)] = mel
                at += len(mel)
            voice = torch.from_numpy(voice)
            crowd = voice if crowd is None else mixing.add(crowd, voice, self.rng)
        return np.logaddexp(crowd.numpy(), np.float32(np.log(1e-7)))

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

    def trail_off(self, mel):
        """Lets the voice, not what is behind it, sink by up to 15 dB towards the end of one turn in three."""
        rng = self.rng
        if rng.random() > 0.33:
            return mel
        start = rng.uniform(0, 0.8)
        sink = rng.uniform(-3.5, -0.5) * np.clip((np.linspace(0, 1, len(mel)) - start) / (1 - start), 0, 1)
        behind = np.resize(self.floor, mel.shape)
        return np.logaddexp(mel + sink[:, None].astype(np.float32), np.minimum(behind, mel))

    def speech_track(self):
        """(log-mel at unit speech level, speech, end) of a scene: `end` is 1 after a turn, 0 inside, -1 before any."""
        rng = self.rng
        mel = np.full((FRAMES, MEL_BANDS), -12.0, np.float32)
        speech, end = np.zeros(FRAMES, bool), np.full(FRAMES, -1, np.int8)
        at, first = 0 if rng.random() < 0.2 else int(rng.integers(1, 250)), True
        while at < FRAMES:
            sound_, spoken = self.turn()
            sound_ = self.trail_off(sound_) + (rng.normal(0, 0.7) if rng.random() < 0.8 else rng.uniform(-3.5, 0))
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

    def noise(self):
        """Log-mel frames of one noise at unit mean power."""
        rng = self.rng
        if rng.random() < 0.1:
            tilt = np.cumsum(rng.normal(0, 0.25, MEL_BANDS)) + rng.uniform(-3, 1) * np.linspace(0, 1, MEL_BANDS)
            noise = (tilt + rng.gumbel(-0.3, 0.35, (FRAMES, MEL_BANDS))).astype(np.float32)
        else:
            noises = self.noises[self.kinds[rng.choice(len(self.kinds), p=self.shares)]]
            noise = noises[rng.integers(len(noises))]
        # There are few recordings: other speeds, rooms and microphones make more of them.
        speed = rng.uniform(0.8, 1.25) if rng.random() < 0.5 else 1
        at = (np.arange(FRAMES) * speed).astype(int) + int(rng.integers(len(noise)))
        noise = noise[at % len(noise)].astype(np.float32)
        if rng.random() < 0.2:
            noise = noise[::-1]
        if rng.random() < 0.6:
            noise = np.roll(noise, int(rng.integers(-4, 5)), axis=1)
            x = np.linspace(0, 1, MEL_BANDS, dtype=np.float32)
            wave = np.cos(np.pi * (x * rng.uniform(1, 5) + rng.random()))
            noise = noise + (rng.normal(0, 2.0) * (x - 0.5) + rng.normal(0, 0.8) * wave).astype(np.float32)
        if rng.random() < 0.25:
            # It comes or goes within the scene.
            edge = int(rng.integers(FRAMES))
            noise = noise.copy()
            part = slice(0, edge) if rng.random() < 0.5 else slice(edge, FRAMES)
            noise[part] -= rng.uniform(2, 8)
        return noise - np.float32(np.log(np.exp(noise).mean() + 1e-9))

    def level_db(self):
        """Level of a noise relative to speech."""
        rng = self.rng
        low, high = ((-30, -14), (-14, 0), (0, 4))[rng.choice(3, p=(0.3, 0.6, 0.1))]
        return rng.uniform(low, high)

    def track(self):
        """(frames x 80 log-mel at unit speech level, speech, end) of a scene without noise; one in ten is empty."""
        if self.rng.random() < 0.1:
            return np.full((FRAMES, MEL_BANDS), -12, np.float16), np.zeros(FRAMES, bool), np.full(FRAMES, -1, np.int8)
        mel, speech, end = self.speech_track()
        return mel.astype(np.float16), speech, end

    def add_noise(self, mel, empty):
        """Adds no noise, one, or up to three at once as in a kitchen, to each scene. In place."""
        rng = self.rng
        counts = [rng.choice(4, p=(0.2, 0.4, 0.28, 0.12)) or int(is_empty) for is_empty in empty]
        levels = [self.level_db() for _ in counts]
        for layer in range(3):
            scenes = [number for number, count in enumerate(counts) if count > layer]
            if not scenes:
                continue
            below = [levels[number] - (rng.uniform(0, 12) if layer else 0) for number in scenes]
            gains = torch.tensor(below, dtype=torch.float32) * math.log(10) / 10
            noise = torch.from_numpy(np.stack([self.noise() for _ in scenes])) + gains[:, None, None]
            mel[scenes] = mixing.add(mel[scenes], noise, rng)

    def add_rooms(self, mel):
        """Adds the sound of a room to one scene in four. In place."""
        rng = self.rng
        for number in np.flatnonzero(rng.random(len(mel)) < 0.25):
            power = mel[number].exp()
            decay, tail = np.exp(-13.8 * 0.01 / rng.uniform(0.15, 0.6)), rng.uniform(0.02, 0.12)
            wet = power.clone()
            for delay in range(2, 26, 2):
                wet[delay:] += 2 * tail * decay**delay * power[:-delay]
            mel[number] = wet.log()

    def add_channels(self, mel):
        """Colours and levels of microphones, and the floor of the front end. In place."""
        rng = self.rng
        x = np.linspace(0, 1, MEL_BANDS)
        for scene in mel:
            channel = np.zeros(MEL_BANDS)
            if rng.random() < 0.5:
                wave = np.cos(np.pi * (x * rng.uniform(1, 4) + rng.random()))
                channel = rng.normal(0, 0.8) * (x - 0.5) + rng.normal(0, 0.5) * wave
            # Speech of training recordings lies about -8; kiosks are set louder and much softer than that, and some
            # microphones are 40 dB too low.
            channel += -7.5 + (rng.uniform(-5, 3) if rng.random() < 0.75 else rng.uniform(-9.5, -4))
            scene += torch.from_numpy(channel.astype(np.float32))
            if rng.random() < 0.1:
                scene[:, 58:] = LOG_FLOOR  # a telephone's band
            if rng.random() < 0.7:
                scene.copy_(torch.logaddexp(scene, torch.tensor(LOG_FLOOR)))
            scene.clamp_(min=LOG_FLOOR)

    def batch(self, count, fresh=None):
        """Tensors: log-mel (count, frames, 80), speech (count, frames), end (count, frames).

        The turns of `fresh` scenes are new, the others are heard again, in other noise, from among the last thousands.
        """
        tracks = [self.track() for _ in range(count if fresh is None else min(fresh, count))]
        if fresh is not None:
            self.pool = (self.pool + tracks)[-4000:]
            tracks += [self.pool[i] for i in self.rng.integers(len(self.pool), size=count - len(tracks))]
        mel, speech, end = (np.stack(part) for part in zip(*tracks))
        mel = torch.from_numpy(mel).float()
        self.add_noise(mel, ~speech.any(1))
        self.add_rooms(mel)
        self.add_channels(mel)
        return mel, torch.from_numpy(speech.astype(np.float32)), torch.from_numpy(end)
