#!/usr/bin/env python3
"""Make conversations of speakers that training never heard, with who speaks when.

    mixtures.py --data DATA --split test --noise kitchen.ogg --out MIXTURES

DATA is what ../../train/speaker/prepare_speakers.py writes. All speakers of a conversation come from one population, so
that rooms and microphones tell them apart as little as these corpora allow: `librispeech` (readers), `speechocean762`
(Mandarin speakers, children among them), `common_voice` (crowd, each with a microphone of their own). 2 to 4 of them
take turns of 2 to 10 s, none twice in a row, with 0.1 to 0.8 s between. Levels differ by up to 3 dB. Speech is where the
endpointing network hears it in the clean recording; pauses below 0.4 s count as speech.

Writes NAME.wav, NAME.rttm, and NAME-noise.wav with kitchen noise 10 dB below.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16_000
POPULATIONS = ("librispeech", "speechocean762", "common_voice")
SHORTEST, LONGEST = 2 * RATE, 10 * RATE


def runs(mask):
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2], edges[1::2]))


def speech(vad, bridge=40):
    """Frames of speech, with short pauses filled and clicks dropped."""
    mask = vad > 127
    for start, end in runs(~mask):
        if end - start < bridge and start > 0 and end < len(mask):
            mask[start:end] = True
    for start, end in runs(mask):
        if end - start < 15:
            mask[start:end] = False
    return mask


class Talker:
    """A speaker's recordings in a random order, each once as long as they last."""

    def __init__(self, rows, vad, rng):
        self.rows, self.vad, self.rng, self.queue = rows, vad, rng, []

    def clip(self):
        if not self.queue:
            self.queue = [self.rows[i] for i in self.rng.permutation(len(self.rows))]
        row = self.queue.pop()
        samples, _ = sf.read(row["file"], dtype="float32")
        mask = speech(self.vad[row["at"] : row["at"] + row["frames"]])
        on = np.flatnonzero(mask)
        if not len(on):
            return self.clip()
        start, end = max(on[0] - 5, 0), min(on[-1] + 6, len(mask))
        samples, mask = samples[start * 160 : end * 160], mask[start:end]
        level = np.sqrt(np.mean(samples[np.repeat(mask, 160)[: len(samples)]] ** 2) + 1e-12)
        return samples / level, mask

    def turn(self):
        wanted = self.rng.integers(SHORTEST, LONGEST)
        samples, mask = self.clip()
        while len(samples) < wanted:
            more, more_mask = self.clip()
            if len(samples) + len(more) > LONGEST and len(samples) > SHORTEST:
                break
            samples, mask = np.concatenate([samples, more]), np.concatenate([mask, more_mask])
        return samples[:LONGEST], mask[: LONGEST // 160]


def conversation(talkers, seconds, rng):
    """(samples, [(start s, end s, speaker)])."""
    parts, segments, at, last = [], [], 0, None
    gains = {name: 0.05 * 10 ** (rng.uniform(-3, 3) / 20) for name in talkers}
    order = list(rng.permutation(sorted(talkers)))
    while at < seconds * RATE:
        name = order.pop() if order else str(rng.choice([name for name in sorted(talkers) if name != last]))
        samples, mask = talkers[name].turn()
        fade = np.minimum(1, np.minimum(np.arange(len(samples)), np.arange(len(samples))[::-1]) / 160)
        parts.append(gains[name] * samples * fade)
        segments += [((at + 160 * s) / RATE, (at + 160 * e) / RATE, name) for s, e in runs(mask)]
        gap = int(rng.uniform(0.1, 0.8) * 100) * 160
        parts.append(np.zeros(gap, np.float32))
        at, last = at + len(samples) // 160 * 160 + gap, name
        parts[-2] = parts[-2][: len(samples) // 160 * 160]
    out = np.concatenate(parts)
    return out + rng.normal(0, 3e-5, len(out)), segments


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("tune", "test"), default="test")
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--each", type=int, default=3, help="conversations of each population and number of speakers")
    parser.add_argument("--seconds", type=float, default=75)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    vad = np.fromfile(args.data / "speakers.vad", np.uint8)
    noise, _ = sf.read(args.noise, dtype="float32")
    by_speaker = defaultdict(list)
    for row in json.load(open(args.data / "speakers.json")):
        if row["split"] == args.split:
            by_speaker[row["speaker"]].append(row)
    rng = np.random.default_rng({"tune": 1, "test": 2}[args.split])
    for population in POPULATIONS:
        names = sorted(name for name, rows in by_speaker.items() if name.startswith(population) and sum(r["frames"] for r in rows) > 1500)
        print(population, len(names), "speakers")
        for count in (2, 3, 4):
            for number in range(args.each):
                chosen = rng.permutation(names)[:count]
                talkers = {str(name): Talker(by_speaker[name], vad, rng) for name in chosen}
                samples, segments = conversation(talkers, args.seconds, rng)
                name = f"{population}-{count}-{number}"
                start = rng.integers(max(1, len(noise) - len(samples)))
                piece = np.resize(noise[start:], len(samples))
                piece = piece / np.sqrt(np.mean(piece**2)) * 0.05 * 10 ** (-10 / 20)
                sf.write(args.out / f"{name}.wav", samples.astype(np.float32), RATE, "PCM_16")
                sf.write(args.out / f"{name}-noise.wav", (samples + piece).astype(np.float32), RATE, "PCM_16")
                with open(args.out / f"{name}.rttm", "w") as out:
                    for begin, end, speaker in segments:
                        out.write(f"SPEAKER {name} 1 {begin:.3f} {end - begin:.3f} <NA> <NA> {speaker} <NA> <NA>\n")


if __name__ == "__main__":
    main()
