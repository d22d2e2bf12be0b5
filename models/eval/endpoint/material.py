"""Turns to evaluate endpointing on, made of development recordings: exact labels, fixed seed.

A turn is silence, a recording, silence. Two thirds get one or two pauses put in between words. Silence is the
recording's own background. PocketSphinx places the words; what lies at the noise floor at the ends of a run of words
is silence.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

TRAIN = Path(__file__).resolve().parents[2] / "train"
sys.path[:0] = [str(TRAIN), str(TRAIN / "endpoint")]

from align import Aligner  # noqa: E402
from features import log_mel  # noqa: E402
from scenes import speech_frames  # noqa: E402
from text import normalise  # noqa: E402

RATE, HOP = 16_000, 160
AFTER_S = 3.0


@dataclass
class Turn:
    name: str
    samples: np.ndarray  # clean
    speech: np.ndarray  # bool, one a 10 ms frame
    end: float  # seconds: end of the turn


def background(samples, speech, count, rng):
    """`count` samples of the recording's own silence, in pieces of 50 ms that overlap by 10 ms."""
    piece, lap = RATE // 20, RATE // 100
    still = np.flatnonzero(~np.convolve(speech, np.ones(13), "same").astype(bool)) * HOP
    still = still[still + piece < len(samples)]
    if len(still) < 8:
        level = np.sqrt(np.percentile([np.mean(samples[i : i + HOP] ** 2) for i in range(0, len(samples) - HOP, HOP)], 3))
        return (rng.normal(size=count) * level).astype(np.float32)
    out, rise = np.zeros(count + piece, np.float32), np.sin(np.linspace(0, np.pi / 2, lap))
    for at in range(0, count, piece - lap):
        part = samples[(start := rng.choice(still)) : start + piece].copy()
        part[:lap] *= rise
        part[-lap:] *= rise[::-1]
        out[at : at + piece] += part[: len(out) - at]
    return out[:count]


def join(parts):
    """Pieces one after the other, cross-faded over 5 ms around each seam."""
    lap = RATE // 200
    out = parts[0].astype(np.float32)
    for part in parts[1:]:
        part = part.astype(np.float32).copy()
        part[:lap] *= np.linspace(0, 1, lap)
        out[-lap:] *= np.linspace(1, 0, lap)
        out = np.concatenate([out, part])
    return out


def make_turn(name, samples, words, rng):
    mel = log_mel(torch.from_numpy(samples)).numpy()
    samples = samples[: len(mel) * HOP]
    speech = speech_frames(mel, words)
    on = np.flatnonzero(speech)
    if len(on) < 40:
        return None
    cuts = []
    inner = [w[1] for w in words[1:] if on[0] + 30 < w[1] < on[-1] - 25]
    if rng.random() < 0.67 and inner:
        cuts = sorted(rng.permutation(inner)[: rng.integers(1, 3)].tolist())
    silence = lambda seconds: background(samples, speech, int(seconds * 100) * HOP, rng)  # noqa: E731
    first, last = max(on[0] - 5, 0), min(on[-1] + 6, len(mel))
    parts, labels, at = [silence(rng.uniform(0.8, 1.5))], [], first
    labels.append(np.zeros(len(parts[0]) // HOP, bool))
    for cut in [*cuts, last]:
        parts.append(samples[at * HOP : cut * HOP])
        labels.append(speech[at:cut])
        seconds = AFTER_S if cut == last else np.exp(rng.uniform(np.log(0.2), np.log(1.5)))
        parts.append(silence(seconds))
        labels.append(np.zeros(len(parts[-1]) // HOP, bool))
        at = cut
    speech = np.concatenate(labels)
    return Turn(name, join(parts), speech, (np.flatnonzero(speech)[-1] + 1) * HOP / RATE)


def turns(dev, count, seed=7):
    """`count` turns in equal parts from the development sets with transcripts."""
    aligner, found = Aligner(), []
    rng = np.random.default_rng(seed)
    sets = ("librispeech", "common_voice", "nonnative")
    for name in sets:
        rows = list(csv.DictReader(open(dev / name / "transcripts.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE))
        made = 0
        for row in (rows[i] for i in rng.permutation(len(rows))):
            samples, rate = sf.read(dev / name / row["file"], dtype="float32")
            assert rate == RATE
            words = aligner.words((samples * 32767).clip(-32768, 32767).astype(np.int16), normalise(row["text"]))
            turn = make_turn(f"{name}/{row['file']}", samples, words, rng) if words else None
            if turn:
                found.append(turn)
                made += 1
            if made * len(sets) >= count:
                break
    return found


def noises(dev, corpus):
    """The kitchen of the development sets, and the recorded noises that training left out."""
    found = [sf.read(dev / "noise/kitchen.ogg", dtype="float32")[0]]
    rows = list(csv.DictReader(open(corpus / "manifest.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE)) if corpus else []
    for number, row in enumerate(row for row in rows if row["split"] == "noise"):
        if number % 5 == 2:
            found.append(sf.read(corpus / row["path"], dtype="float32")[0])
    return found


def mixed(turn, noises, snr_db, rng):
    """The turn in noise, `snr_db` below the power of its speech; every second time in the kitchen."""
    noise = noises[0 if rng.random() < 0.5 else rng.integers(len(noises))]
    noise = np.resize(np.roll(noise, -rng.integers(len(noise))), len(turn.samples))
    spoken = np.repeat(turn.speech, HOP)[: len(turn.samples)]
    power = np.mean(turn.samples[: len(spoken)][spoken] ** 2)
    gain = np.sqrt(power / (np.mean(noise**2) + 1e-12) / 10 ** (snr_db / 10))
    out = turn.samples + gain * noise
    return (out / max(1, np.abs(out).max() / 0.99)).astype(np.float32)
