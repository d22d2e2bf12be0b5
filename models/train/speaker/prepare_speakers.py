#!/usr/bin/env python3
"""Compute log-mel features of recordings whose speaker is known.

    prepare_speakers.py --corpus CORPUS [--corpus MORE] --endpoint ../../linnet-endpoint.safetensors --out DATA

CORPUS is a folder that ../collect.py writes, with manifest.tsv. Writes DATA/speakers.f16 (frames x 80), speakers.vad
(one byte a frame: probability of speech by the endpointing network, 0 to 255) and speakers.json (speaker, split, first
frame and frames of each recording). `split` is `train`, `tune` or `test`: see `held_out`.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "endpoint")]

from features import log_mel  # noqa: E402
from network import Endpointer  # noqa: E402

# Collections of one population count as one: the same reader may be in several.
POPULATIONS = (
    ("librispeech", "librispeech"), ("speech_commands", "commands"), ("common_voice", "common_voice"),
)
MOST_SECONDS = 600
MOST_COMMANDS = 8
READERS = {"tune": ("32", "669", "3664", "5789"), "test": ("2136", "7312", "4680", "1970")}


def speaker_of(row):
    """A name for the speaker that is the same in all corpora, or None."""
    corpus = row["path"].split("/")[0]
    if row["speaker"] in ("-", "") or corpus == "picovoice_wake":
        return None
    population = next((name for start, name in POPULATIONS if corpus.startswith(start)), corpus)
    return f"{population}/{row['speaker']}"


def held_out(rows):
    """Which speakers training never hears: {speaker: "tune" or "test"}.

    Those of the development sets are for tests, and so that every test has enough of them, so are some from the
    training lists. Others, for tuning, are no part of the tests.
    """
    clips, out = defaultdict(int), {}
    for row in rows:
        clips[speaker_of(row)] += 1
        if row["split"] == "dev" and row["path"].startswith("speechocean762"):
            out[speaker_of(row)] = "test"
    for split, readers in READERS.items():
        out |= {f"librispeech/{reader}": split for reader in readers}
    others = sorted(name for name in clips if name and name.startswith("speechocean762/") and name not in out)
    out |= {name: ("tune", "test")[number % 2] for number, name in enumerate(others[::12])}
    crowd = sorted(name for name, count in clips.items() if name and name.startswith("common_voice/") and 6 <= count <= 30)
    out |= {name: ("tune", "test")[number % 2] for number, name in enumerate(crowd[::2])}
    return out


def pick(rows, kept):
    """Training and evaluation recordings, no more than MOST_SECONDS of a speaker."""
    seconds, count = defaultdict(float), defaultdict(int)
    for row in rows:
        speaker = speaker_of(row)
        if speaker is None or row["split"] == "noise" or row["path"].startswith(("asterisk_en/beep", "asterisk_en/asc")):
            continue
        split = kept.get(speaker, "train")
        if split == "train" and row["split"] == "dev":
            continue
        command = speaker.startswith("commands/")
        if seconds[speaker] > MOST_SECONDS or command and count[speaker] >= MOST_COMMANDS:
            continue
        seconds[speaker] += float(row["seconds"])
        count[speaker] += 1
        yield row, speaker, split


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, action="append", required=True)
    parser.add_argument("--endpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    rows = []
    for corpus in args.corpus:
        with open(corpus / "manifest.tsv") as file:
            rows += [{**row, "file": corpus / row["path"]} for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    # The same clip may be in two lists of Speech Commands.
    rows = list({"/".join(row["path"].split("/")[-2:]): row for row in rows}.values())
    endpointer, index, at = Endpointer.load(args.endpoint), [], 0
    with open(args.out / "speakers.f16", "wb") as to, open(args.out / "speakers.vad", "wb") as voice, torch.no_grad():
        for number, (row, speaker, split) in enumerate(pick(rows, held_out(rows))):
            samples, _ = sf.read(row["file"], dtype="float32")
            if len(samples) < 8000:
                continue
            mel = log_mel(torch.from_numpy(samples))
            speech = torch.sigmoid(endpointer(mel[None])[0][0, :, 0]).repeat_interleave(endpointer.stack)
            speech = torch.nn.functional.pad(speech, (0, len(mel) - len(speech)))
            to.write(mel.to(torch.float16).numpy().tobytes())
            voice.write((255 * speech).to(torch.uint8).numpy().tobytes())
            index.append({"speaker": speaker, "split": split, "at": at, "frames": len(mel), "file": str(row["file"])})
            at += len(mel)
            if number % 2000 == 0:
                print(number, speaker, flush=True)
    json.dump(index, open(args.out / "speakers.json", "w"))
    for split in ("train", "tune", "test"):
        part = [row for row in index if row["split"] == split]
        speakers = len({row["speaker"] for row in part})
        print(split, len(part), "recordings", speakers, "speakers", round(sum(row["frames"] for row in part) / 360_000, 2), "h")


if __name__ == "__main__":
    main()
