#!/usr/bin/env python3
"""Write recordings as they come over telephones, radios and chat programs, to see what codecs cost.

    codecs.py --out FOLDER DIR... && linnet eval FOLDER/*

Each DIR holds recordings and transcripts.tsv. FOLDER gets a folder for every codec, with the recordings of all DIRs
coded and decoded by ffmpeg at the rate that the codec works at, in 16 kHz again.
"""

import argparse
import csv
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16_000
GAP = RATE // 2
CODECS = {
    "none": ("wav", []),
    "g711": ("wav", ["-ar", "8000", "-c:a", "pcm_mulaw"]),
    "gsm": ("gsm", ["-ar", "8000", "-c:a", "libgsm"]),
    "speex8k": ("ogg", ["-ar", "8000", "-c:a", "libspeex", "-b:a", "8000"]),
    "opus8k": ("ogg", ["-ar", "16000", "-c:a", "libopus", "-b:a", "8000", "-application", "voip"]),
    "opus16k": ("ogg", ["-ar", "16000", "-c:a", "libopus", "-b:a", "16000", "-application", "voip"]),
    "mp3-16k": ("mp3", ["-ar", "16000", "-c:a", "libmp3lame", "-b:a", "16000"]),
}


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, args)], check=True)


def through(samples, ending, options):
    """The samples coded and decoded."""
    with tempfile.TemporaryDirectory() as folder:
        before, coded, after = (Path(folder) / name for name in ("before.wav", f"coded.{ending}", "after.wav"))
        sf.write(before, samples, RATE, subtype="PCM_16")
        ffmpeg("-i", before, *options, coded)
        ffmpeg("-i", coded, "-ar", RATE, "-c:a", "pcm_s16le", after)
        decoded = sf.read(after, dtype="float32")[0]
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take every Nth recording")
    args = parser.parse_args()
    names, texts, clips = [], [], []
    for folder in args.dirs:
        rows = csv.DictReader(open(folder / "transcripts.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE)
        for row in list(rows)[:: args.every]:
            samples, rate = sf.read(folder / row["file"], dtype="float32")
            assert rate == RATE, f"{row['file']} is not of 16 kHz"
            names.append(f"{folder.name}-{Path(row['file']).stem}.wav")
            texts.append(row["text"])
            clips.append(samples)
    # All in one file, with silence between them: a program is not started for each.
    joined = np.concatenate([np.concatenate([clip, np.zeros(GAP, np.float32)]) for clip in clips])
    for codec, (ending, options) in CODECS.items():
        to = args.out / codec
        to.mkdir(parents=True, exist_ok=True)
        decoded, at = through(joined, ending, options), 0
        for name, clip in zip(names, clips):
            sf.write(to / name, decoded[at : at + len(clip)], RATE, subtype="PCM_16")
            at += len(clip) + GAP
        with open(to / "transcripts.tsv", "w") as table:
            table.write("file\ttext\n")
            table.writelines(f"{name}\t{text}\n" for name, text in zip(names, texts))
        print(to, flush=True)


if __name__ == "__main__":
    main()
