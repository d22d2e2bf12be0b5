#!/usr/bin/env python3
"""Force-align the transcribed recordings with PocketSphinx: words and phones with their 10 ms frames.

    align.py --corpus CORPUS --out ALIGNED --workers 2

Reads CORPUS/manifest.tsv, appends one JSON object an utterance to ALIGNED.N.jsonl (N: worker) as it goes, so that
training may start on the first part; a second run continues. Clips that don't align are written with "words": null:
they are most often mislabelled. Frame numbers are those of features.py (PocketSphinx's windows start where ours are
centred, hence the shift by one).
"""

import argparse
import csv
import json
import multiprocessing
import random
from pathlib import Path

import numpy as np
import soundfile as sf
from pocketsphinx import Decoder

from text import CAPS, normalise, pronounce

FRAME_SHIFT = 1


def plan(manifest, seed=0):
    """The training rows to align: (path, seconds, speaker, text), single words capped, in random order."""
    rows = {}
    for row in csv.DictReader(open(manifest), delimiter="\t", quoting=csv.QUOTE_NONE):
        seconds, text = float(row["seconds"]), normalise(row["text"])
        if row["split"] == "train" and text and 0.3 < seconds < 18 and len(text) < 30 * seconds:
            rows.setdefault(row["path"].split("/")[0], []).append((row["path"], seconds, row["speaker"], text))
    pick = random.Random(seed)
    chosen = []
    for corpus, items in sorted(rows.items()):
        chosen += pick.sample(items, min(len(items), CAPS.get(corpus, len(items))))
    pick.shuffle(chosen)
    return chosen


class Aligner:
    """One PocketSphinx decoder with its dictionary, extended by guesses for words it lacks."""

    def __init__(self):
        # Every second frame's Gaussians are enough for phone boundaries and halve the time.
        self.decoder = Decoder(lm=None, loglevel="FATAL", ds=2, topn=2)

    def run(self, raw):
        self.decoder.start_utt()
        self.decoder.process_raw(raw, full_utt=True)
        self.decoder.end_utt()

    def words(self, samples, text):
        """[[word, start, frames, score, [[phone, start, frames], ...]], ...] of 16-bit samples; None on failure."""
        decoder = self.decoder
        for word in text.split():
            if decoder.lookup_word(word) is None:
                decoder.add_word(word, pronounce(word, decoder.lookup_word), True)
        raw = samples.tobytes()
        try:
            decoder.set_align_text(text)
            self.run(raw)
        except RuntimeError:
            return None
        if decoder.hyp() is None:
            return None
        segments = [s for s in decoder.seg() if s.word[0] not in "<["]
        words = [[s.word, s.start_frame, s.end_frame - s.start_frame + 1, s.ascore] for s in segments]
        words = [[*w, spread(decoder.lookup_word(w[0]).split(), w[1], w[2])] for w in words]
        try:
            decoder.set_alignment()
            self.run(raw)
            words = [
                [w.name, w.start, w.duration, w.score, [[p.name, p.start, p.duration] for p in w]]
                for w in decoder.get_alignment()
                if w.name[0] not in "<["
            ]
        except RuntimeError:
            pass  # The phone pass has no skips and fails on fast speech: the spread phones stand.
        words = [[w.split("(")[0], at + FRAME_SHIFT, n, score, [[p, s + FRAME_SHIFT, d] for p, s, d in phones]]
                 for w, at, n, score, phones in words]
        return words if [w[0] for w in words] == text.split() else None


def spread(phones, start, frames):
    """Phones laid over a word in proportion to usual durations: vowels twice a consonant."""
    weights = np.cumsum([2.0 if phone[0] in "AEIOU" else 1.0 for phone in phones])
    edges = np.rint(start + np.concatenate([[0.0], weights / weights[-1]]) * frames).astype(int).tolist()
    return [[phone, at, to - at] for phone, at, to in zip(phones, edges, edges[1:])]


def work(job):
    """One worker: aligns every N-th row of the plan and appends to its own file."""
    number, workers, corpus, out, rows = job
    path = Path(f"{out}.{number}.jsonl")
    done = {json.loads(line)["path"] for line in open(path)} if path.exists() else set()
    aligner, failures = Aligner(), 0
    with open(path, "a", buffering=1 << 16) as to:
        for index, (name, seconds, speaker, text) in enumerate(rows[number::workers]):
            if name in done:
                continue
            samples, _ = sf.read(corpus / name, dtype="int16")
            if np.abs(samples).max(initial=0) < 200:
                words = None
            else:
                words = aligner.words(samples, text)
            failures += words is None
            row = {"path": name, "seconds": round(len(samples) / 16000, 3), "speaker": speaker, "text": text, "words": words}
            to.write(json.dumps(row) + "\n")
            if index % 500 == 0:
                to.flush()
                print(f"worker {number}: {index} of {len(rows) // workers}, {failures} failed", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    rows = plan(args.corpus / "manifest.tsv")
    print(f"{len(rows)} clips, {sum(r[1] for r in rows) / 3600:.2f} h", flush=True)
    with multiprocessing.Pool(args.workers) as pool:
        pool.map(work, [(n, args.workers, args.corpus, args.out, rows) for n in range(args.workers)])


if __name__ == "__main__":
    main()
