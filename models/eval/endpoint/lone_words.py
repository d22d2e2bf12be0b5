#!/usr/bin/env python3
"""Write recordings of single words between silences, to see which of them are taken for noise.

    lone_words.py --corpus CORPUS --out FOLDER && linnet eval FOLDER/clean FOLDER/noise

Short commands are what a rule against words in noise loses first. Words of the training corpora, alone; in `noise`
with a recorded noise at 10 dB that training has.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16_000
SINGLE_WORDS = ("speech_commands", "fsdd", "picovoice_wake")
PLACES = ("cafe", "dishes", "traffic", "children", "running_tap", "engine_idling", "street_music", "fridge")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    args = parser.parse_args()
    rng = np.random.default_rng(3)
    manifest = list(csv.DictReader(open(args.corpus / "manifest.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE))
    words = [row for row in manifest if row["path"].startswith(SINGLE_WORDS) and len(row["text"].split()) == 1]
    recorded = [row["path"] for row in manifest if row["split"] == "noise"]
    places = [path for n, path in enumerate(recorded) if n % 5 != 2 and any(place in path for place in PLACES)]
    noises = [sf.read(args.corpus / path, dtype="float32")[0] for path in places]
    tables = {}
    for condition in ("clean", "noise"):
        (args.out / condition).mkdir(parents=True, exist_ok=True)
        tables[condition] = open(args.out / condition / "transcripts.tsv", "w")
        tables[condition].write("file\tseconds\ttext\n")
    for number in range(args.count):
        row = words[rng.integers(len(words))]
        word, rate = sf.read(args.corpus / row["path"], dtype="float32")
        assert rate == RATE
        silence = [1e-4 * rng.normal(size=int(seconds * RATE)) for seconds in (1, 1.5)]
        clean = np.concatenate([silence[0], word, silence[1]])
        noise = noises[rng.integers(len(noises))]
        noise = np.resize(np.roll(noise, -rng.integers(len(noise))), len(clean))
        noisy = clean + noise * np.sqrt(np.mean(word**2) / (np.mean(noise**2) + 1e-12) / 10)
        for condition, samples in (("clean", clean), ("noise", noisy)):
            sf.write(args.out / condition / f"{number}.wav", np.clip(samples, -1, 1), RATE)
            tables[condition].write(f"{number}.wav\t{len(samples) / RATE:.3f}\t{row['text']}\n")


if __name__ == "__main__":
    main()
