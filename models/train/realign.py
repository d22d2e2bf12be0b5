#!/usr/bin/env python3
"""Align the transcribed recordings with a trained checkpoint: the frame of every token, by Viterbi over its CTC head.

    realign.py --data DATA --split train --checkpoint RUN/resume_f16.pt --out ALIGNED.jsonl

Takes about 230 hours of audio an hour of one core and needs no dictionary: the way to place new recordings once there
is a checkpoint. Writes
one JSON object an utterance: path, text, `ends` (mel frame where each token ends, 80 ms apart at best) and `score`
(mean log-probability of the aligned labels a token; the lowest are most often mislabelled).
A second run adds what is missing.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import sentencepiece
import torch

from data import EMIT_DELAY, EMIT_JITTER
from model import Config, Transducer
from prepare import open_split

LOOK_AHEAD = 13  # the most certain
BATCH_FRAMES = 12_000


def ctc_path(log_probs, tokens, blank):
    """(frame of each token, total log-probability) of the best CTC path of (frames, classes) through `tokens`, each of
    which takes one frame or more; the frame given is the token's last. None where there are too few frames."""
    labels = np.full(2 * len(tokens) + 1, blank)
    labels[1::2] = tokens
    frames, states = len(log_probs), len(labels)
    skip = np.zeros(states, bool)
    skip[2:] = (labels[2:] != blank) & (labels[2:] != labels[:-2])
    emit = log_probs[:, labels]
    score = np.full(states, -np.inf)
    score[:2] = emit[0, :2]
    came = np.zeros((frames, states), np.int8)
    for t in range(1, frames):
        step = np.concatenate([[-np.inf], score[:-1]])
        jump = np.where(skip, np.concatenate([[-np.inf, -np.inf], score[:-2]]), -np.inf)
        choices = np.stack([score, step, jump])
        came[t] = choices.argmax(0)
        score = choices.max(0) + emit[t]
    state = states - 1 if score[-1] >= score[-2] else states - 2
    if not np.isfinite(score[state]):
        return None
    total, last = float(score[state]), np.zeros(len(tokens), np.int64)
    seen = np.zeros(len(tokens), bool)
    for t in range(frames - 1, -1, -1):
        if state % 2 and not seen[state // 2]:
            seen[state // 2], last[state // 2] = True, t
        state -= int(came[t, state])
    return last, total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--checkpoint", required=True, help="resume.pt or resume_f16.pt")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    state = torch.load(args.checkpoint, weights_only=False)
    model = Transducer(Config(**state["config"])).eval()
    model.load_state_dict({name: value.float() for name, value in state["average"].items()})
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(args.data / "tokens.model"))
    index, mel = open_split(args.data, args.split)
    known = {json.loads(line)["path"] for line in open(args.out)} if args.out.exists() else set()
    rows = sorted((r for r in index if r["text"] and r["path"] not in known), key=lambda row: row["frames"])
    # Token ends whose emission frames (data.emission_frames) are the frames found, whatever the jitter.
    shift = EMIT_DELAY + EMIT_JITTER / 2 + 4
    begun, done, failed = time.time(), 0, 0
    with open(args.out, "a") as to:
        while rows:
            count = max(1, BATCH_FRAMES // rows[0]["frames"])
            part, rows = rows[:count], rows[count:]
            features = [torch.from_numpy(mel[r["at"] : r["at"] + r["frames"]].astype(np.float32)) for r in part]
            lengths = torch.tensor([len(f) for f in features])
            with torch.no_grad():
                encoded, lengths = model.encoder(torch.nn.utils.rnn.pad_sequence(features, batch_first=True), lengths, LOOK_AHEAD)
                log_probs = model.ctc_decoder(encoded).log_softmax(-1).numpy()
            for row, scores, length in zip(part, log_probs, lengths.tolist()):
                tokens = np.array(tokenizer.encode(row["text"]))
                found = ctc_path(scores[:length], tokens, model.blank)
                if found is None:
                    failed += 1
                    continue
                last, total = found
                ends = np.clip(8 * last - shift, 1, row["frames"]).round(1).tolist()
                out = {"path": row["path"], "text": row["text"], "ends": ends, "score": round(total / len(tokens), 3)}
                to.write(json.dumps(out) + "\n")
            done += sum(r["frames"] for r in part) / 360_000
            print(f"{done:.2f} h, {failed} too dense, {3600 * done / (time.time() - begun):.0f} h/h", end="\r", flush=True)
    print()


if __name__ == "__main__":
    main()
