#!/usr/bin/env python3
"""Word error rates of Linnet and of PocketSphinx with its own US English model, on the same recordings.

    pocketsphinx_compare.py DIR... [--linnet target/release/linnet] [--chunk-ms 320] [--limit N] [--json]

Each DIR holds recordings and a transcripts.tsv with the columns `file` and `text`. Linnet runs as `linnet eval`, which
scores itself; its hypotheses are scored here once more, with the rule that PocketSphinx's are scored with, and the two
figures must agree. Real-time factors are processor seconds a second of audio, of one thread each.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile
import soxr
from pocketsphinx import Decoder

RATE_HZ = 16_000


def words(text):
    """Lower case, hyphens as spaces, no punctuation but apostrophes: the rule of `linnet eval`."""
    return re.sub(r"[^\w' ]+", "", text.lower().replace("-", " ")).split()


def errors(reference, hypothesis):
    """Levenshtein distance of two word lists."""
    row = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


class Tally:
    """Errors over the clips of one system on one set."""

    def __init__(self):
        self.errors = self.words = self.wrong = self.clips = 0
        self.seconds = self.processor_seconds = 0.0

    def add(self, reference, hypothesis):
        missed = errors(words(reference), words(hypothesis))
        self.errors += missed
        self.wrong += missed > 0
        self.words += len(words(reference))
        self.clips += 1

    def figures(self):
        return {
            "wer": round(100 * self.errors / max(self.words, 1), 2),
            "ser": round(100 * self.wrong / max(self.clips, 1), 2),
            "rtf": round(self.processor_seconds / self.seconds, 4) if self.seconds else None,
        }


def read_set(folder, limit):
    rows = list(csv.DictReader(open(folder / "transcripts.tsv", encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(folder / row["file"], row["text"]) for row in rows][:limit]


def pocketsphinx(clips):
    """The hypotheses of PocketSphinx with the acoustic model, dictionary and language model of its package."""
    decoder, tally = Decoder(loglevel="FATAL"), Tally()
    for path, reference in clips:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(1), rate, RATE_HZ)
        pcm = (mono.clip(-1, 1) * 32767).astype("int16").tobytes()
        began = time.process_time()
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        tally.processor_seconds += time.process_time() - began
        tally.seconds += len(mono) / RATE_HZ
        tally.add(reference, decoder.hyp().hypstr if decoder.hyp() else "")
    return tally.figures()


def linnet(program, folder, clips, chunk_ms, model):
    """The hypotheses of `linnet eval`."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "texts.tsv"
        command = [program, "eval", "--json", "--chunk-ms", str(chunk_ms), "--out", str(out), "--limit", str(len(clips))]
        command += ["--model", model] if model else []
        report = json.loads(subprocess.run([*command, str(folder)], check=True, capture_output=True, text=True).stdout)
        rows = csv.DictReader(open(out, encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE)
        for row in rows:
            tally.add(row["ref"], row["hyp"])
    (row,) = report["results"]
    figures = {"wer": round(row["wer"], 2), "ser": round(row["ser"], 2), "rtf": round(row["rtf"], 4)}
    if abs(figures["wer"] - tally.figures()["wer"]) > 0.1:
        raise SystemExit(f"{folder}: linnet counts {figures['wer']} % and this script {tally.figures()['wer']} %: the scoring differs")
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--linnet", default="target/release/linnet", help="the command line to measure")
    parser.add_argument("--model", help="another model than the built-in one")
    parser.add_argument("--chunk-ms", type=int, default=320)
    parser.add_argument("--limit", type=int, help="take the first N recordings of each folder")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    table = {}
    for folder in args.folders:
        clips = read_set(folder, args.limit)
        print(f"{folder}: {len(clips)} clips", file=sys.stderr)
        table[folder.name] = {
            "clips": len(clips),
            "linnet": linnet(args.linnet, folder, clips, args.chunk_ms, args.model),
            "pocketsphinx": pocketsphinx(clips),
        }
    if args.json:
        print(json.dumps(table, indent=1))
        return
    print("| set | clips | Linnet WER | SER | RTF | PocketSphinx WER | SER | RTF |\n|---|---|---|---|---|---|---|---|")
    for name, row in table.items():
        cells = [row[system][key] for system in ("linnet", "pocketsphinx") for key in ("wer", "ser", "rtf")]
        print("| " + " | ".join([name, str(row["clips"]), *(str(cell) for cell in cells)]) + " |")


if __name__ == "__main__":
    main()
