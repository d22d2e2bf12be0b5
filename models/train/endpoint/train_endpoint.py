#!/usr/bin/env python3
"""Train the endpointing network.

    train_endpoint.py --data FEATURES --alignments 'aligned.*.jsonl' --out linnet-endpoint.safetensors

FEATURES is the folder that ../prepare.py writes. One thread; prints losses and held-out figures as it goes.
"""

import argparse
import glob
import math
import time

import numpy as np
import torch
from safetensors.torch import save_file

from network import Endpointer
from scenes import Scenes


def targets(speech, end, stack):
    """(share of speech in each step, end of turn at each step, weight of the latter)."""
    batch, frames = speech.shape
    speech = speech.reshape(batch, frames // stack, stack).mean(2)
    end = end.reshape(batch, frames // stack, stack)[:, :, -1]
    silent = speech == 0
    weight = torch.where(end < 0, 0.05, torch.where(silent, 1.0, 0.1))
    # Decisions are made in the first second or so of a silence.
    run = torch.zeros(batch)
    for step in range(silent.shape[1]):
        run = (run + 1) * silent[:, step]
        weight[:, step] *= (run * stack < 150) + 0.1 * (run * stack >= 150)
    return speech, (end > 0).float(), weight


def losses(logits, speech, end, weight):
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    return bce(logits[..., 0], speech), (bce(logits[..., 1], end, reduction="none") * weight).sum() / weight.sum()


def auc(scores, labels):
    """Area under the ROC curve (Mann-Whitney)."""
    order = np.argsort(scores)
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = labels.sum()
    return (ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * (len(labels) - positive))


def evaluate(network, batches):
    """Held-out losses and areas under the ROC curves."""
    speech_scores, speech_labels, end_scores, end_labels, total = [], [], [], [], np.zeros(2)
    with torch.no_grad():
        for mel, speech, end in batches:
            speech, ended, weight = targets(speech, end, network.stack)
            logits = network(mel)
            total += [loss.item() for loss in losses(logits, speech, ended, weight)]
            speech_scores.append(logits[..., 0].flatten())
            speech_labels.append((speech > 0.5).flatten())
            counted = weight == 1
            end_scores.append(logits[..., 1][counted])
            end_labels.append(ended[counted] > 0)
    joined = [torch.cat(part).numpy() for part in (speech_scores, speech_labels, end_scores, end_labels)]
    return *(total / len(batches)), auc(*joined[:2]), auc(*joined[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--alignments", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--minutes", type=float, help="train for so long instead of a number of steps")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--fresh", type=int, default=4, help="scenes in a batch with new turns; others are heard again")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--stack", type=int, default=4)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--floor-rise", type=float, default=0.05, help="nats a step that the floor of a band rises")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--init", help="start from the weights of this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    alignments = sorted(glob.glob(args.alignments))
    held = Scenes(args.data, alignments, held_out=True, seed=99)
    held = [held.batch(16) for _ in range(6)]
    scenes = Scenes(args.data, alignments, seed=args.seed)
    network = Endpointer.load(args.init).train() if args.init else Endpointer(
        args.stack, args.width, args.hidden, args.floor_rise
    )
    wide = max(args.width, network.width), max(args.hidden, network.hidden)
    if args.init and (wide != (network.width, network.hidden) or args.floor_rise and not network.floor_rise):
        network = network.widened(*wide, args.floor_rise)
    print(f"{sum(p.numel() for p in network.parameters()):,} weights", flush=True)
    optimizer = torch.optim.AdamW(network.parameters(), args.lr, betas=(0.9, 0.98), weight_decay=1e-3)
    began, mean = time.time(), np.zeros(2)
    step, share = 0, 0.0
    while share < 1:
        step += 1
        share = (time.time() - began) / 60 / args.minutes if args.minutes else step / args.steps
        share = min(share, 1.0)
        rate = args.lr * min(1, step / 40) * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        mel, speech, end = scenes.batch(args.batch, args.fresh)
        speech, ended, weight = targets(speech, end, network.stack)
        logits = network(mel)
        parts = losses(logits, speech, ended, weight)
        optimizer.zero_grad()
        (parts[0] + 0.5 * parts[1]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        mean = 0.95 * mean + 0.05 * np.array([part.item() for part in parts])
        if step % 150 == 0 or share == 1:
            figures = evaluate(network, held)
            print(
                f"step {step} {time.time() - began:.0f} s, loss {mean[0]:.4f} {mean[1]:.4f}, held out "
                "loss {:.4f} {:.4f}, AUC speech {:.4f} end {:.4f}".format(*figures),
                flush=True,
            )
            tensors = {name: tensor.detach().contiguous() for name, tensor in network.tensors().items()}
            save_file(tensors, args.out, network.metadata())


if __name__ == "__main__":
    main()
