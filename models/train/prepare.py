#!/usr/bin/env python3
"""Compute log-mel features of the collected corpora once and train the token model.

    prepare.py --corpus CORPUS --out DATA [--tokens checkpoint/tokens.model] [--extra NAME --manifest FILE]

Writes DATA/{train,dev,noise,sounds}.f16 (frames x 80, float16, all utterances one after the other), DATA/{split}.json
(path, first frame, frames, text of each) and DATA/tokens.model (SentencePiece unigram, 128 pieces, a-z and '), trained
on the transcripts, or that of the checkpoint to go on from. Parts for further recordings (synthetic speech) are added with --extra, which leaves the token model alone.
"""

import argparse
import csv
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import sentencepiece
import soundfile as sf
import torch

from align import plan
from endpoint.sounds import RATE, sound
from features import MEL_BANDS, log_mel
from text import normalise

VOCABULARY = 128


def write_split(corpus, out, name, rows):
    """Write features and index of (path, text) rows; returns hours."""
    index, at = [], 0
    with open(out / f"{name}.f16", "wb") as to:
        for number, (path, text, speaker) in enumerate(rows):
            samples, _ = sf.read(corpus / path, dtype="float32")
            mel = log_mel(torch.from_numpy(samples)).to(torch.float16).numpy()
            to.write(mel.tobytes())
            index.append({"path": path, "at": at, "frames": len(mel), "text": text, "speaker": speaker})
            at += len(mel)
            if number % 4000 == 0:
                print(name, number, len(rows), flush=True)
    json.dump(index, open(out / f"{name}.json", "w"))
    return at / 360_000


def open_split(folder, name):
    """(index, memory-mapped features) of one split."""
    index = json.load(open(Path(folder) / f"{name}.json"))
    return index, np.memmap(Path(folder) / f"{name}.f16", np.float16, "r").reshape(-1, MEL_BANDS)


def train_tokens(texts, out):
    """A SentencePiece unigram model of lower-case text with every letter covered."""
    (out / "texts.txt").write_text("\n".join(texts) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(out / "texts.txt"), model_prefix=str(out / "tokens"), vocab_size=VOCABULARY, model_type="unigram",
        character_coverage=1.0, bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0, normalization_rule_name="identity",
        minloglevel=2, num_threads=1,
    )


def write_sounds(out, count=240, seed=1):
    """Generated sounds of 4 to 12 s that are no speech, with levels of their own."""
    rng = np.random.default_rng(seed)
    index, at = [], 0
    with open(out / "sounds.f16", "wb") as to:
        for number in range(count):
            samples = sound(rng, int(RATE * rng.uniform(4, 12))) * 10 ** rng.uniform(-3, -1)
            mel = log_mel(torch.from_numpy(samples.astype(np.float32))).to(torch.float16).numpy()
            to.write(mel.tobytes())
            index.append({"path": f"sounds/{number}", "at": at, "frames": len(mel), "text": "", "speaker": ""})
            at += len(mel)
    json.dump(index, open(out / "sounds.json", "w"))
    return at / 360_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, help="token model to take instead of training one")
    parser.add_argument("--extra", help="name of a further training part")
    parser.add_argument("--manifest", type=Path, help="manifest of the further part")
    parser.add_argument("--without", type=Path, help="list of recordings that the further part leaves out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if args.extra:
        rows = csv.DictReader(open(args.manifest), delimiter="\t", quoting=csv.QUOTE_NONE)
        known = csv.DictReader(gzip.open(args.without, "rt"), delimiter="\t") if args.without else ()
        known = {row["name"] for row in known}
        rows = [(r["path"], normalise(r["text"]), r["speaker"]) for r in rows if r["path"].partition("/")[2] not in known]
        print(args.extra, round(write_split(args.corpus, args.out, args.extra, rows), 2), "h")
        return
    manifest = list(csv.DictReader(open(args.corpus / "manifest.tsv"), delimiter="\t", quoting=csv.QUOTE_NONE))
    train = [(path, text, speaker) for path, _, speaker, text in plan(args.corpus / "manifest.tsv")]
    if args.tokens:
        shutil.copyfile(args.tokens, args.out / "tokens.model")
    else:  # every sentence once: repeated commands would otherwise take the vocabulary
        train_tokens(sorted({text for _, text, _ in train}), args.out)
    dev = [(r["path"], normalise(r["text"]), r["speaker"]) for r in manifest if r["split"] == "dev"]
    noise = [(r["path"], "", "") for r in manifest if r["split"] == "noise"]
    for name, rows in (("dev", dev), ("noise", noise), ("train", train)):
        print(name, round(write_split(args.corpus, args.out, name, rows), 2), "h", flush=True)
    print("sounds", round(write_sounds(args.out), 2), "h", flush=True)


if __name__ == "__main__":
    main()
