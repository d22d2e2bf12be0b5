#!/usr/bin/env python3
"""Write audio without speech, to count the words that are heard in it.

    noise_only.py --out noise.wav [--corpus CORPUS] [--minutes 60] && linnet transcribe noise.wav | wc -w

Half of it is generated (fans, music, beeps, knocks, hiss; another seed than in training), half recorded noises that
training left out, looped; without --corpus all is generated. Each stretch of 5 to 20 s has a level of its own, and
there is near silence between some of them.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "train/endpoint"))

from sounds import RATE, sound  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=4242)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    recorded = []
    if args.corpus:
        rows = csv.DictReader(open(args.corpus / "manifest.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = [row for row in rows if row["split"] == "noise"]
        recorded = [sf.read(args.corpus / row["path"], dtype="float32")[0] for row in rows[2::5]]
    with sf.SoundFile(args.out, "w", RATE, 1, subtype="PCM_16") as to:
        left = int(args.minutes * 60 * RATE)
        while left > 0:
            count = min(int(rng.uniform(5, 20) * RATE), left)
            if recorded and rng.random() < 0.5:
                noise = recorded[rng.integers(len(recorded))]
                part = np.resize(np.roll(noise, -rng.integers(len(noise))), count)
                part = part / (part.std() + 1e-6)
            else:
                part = sound(rng, count)
            fade = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.05 * RATE))
            part = part * fade * 10 ** rng.uniform(-3.2, -1.2)
            if rng.random() < 0.3:
                part = np.concatenate([part, rng.normal(size=RATE * 3) * 1e-4])
            to.write(np.clip(part, -1, 1).astype(np.float32))
            left -= len(part)


if __name__ == "__main__":
    main()
