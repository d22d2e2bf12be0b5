#!/usr/bin/env python3
"""Train the speaker network.

    train_speaker.py --data DATA --noise FEATURES --out linnet-speaker.safetensors

DATA is what prepare_speakers.py writes, FEATURES the folder of ../prepare.py (for its noise). The loss is the angular
prototypical one (Chung et al., 2020, arXiv 2003.11982): no weights for each speaker, so it learns in few steps. The gate
learns voice activity from the endpointing network. One thread; prints losses, and equal error rates on speakers that are kept out.
"""

import argparse
import math
import time

import numpy as np
import torch
from safetensors.torch import save_file

from speaker_network import SpeakerNetwork
from optimizer import Muon
from voices import CONTEXT, Alterations, Voices


def equal_error_rate(same, other):
    """Where as many pairs of one speaker are refused as pairs of two are taken for one."""
    same, other = np.sort(same), np.sort(other)
    thresholds = np.concatenate([same, other])
    refused = np.searchsorted(same, thresholds) / len(same)
    taken = 1 - np.searchsorted(other, thresholds) / len(other)
    at = np.argmin(np.abs(refused - taken))
    return (refused[at] + taken[at]) / 2


def held_batches(voices, alter, frames=160, each=24):
    """For each population of the tuning speakers: stretches of 1.6 s, clean and altered."""
    out = {}
    for group in voices.groups:
        name = voices.speakers[group[0]].split("/")[0]
        rows = np.stack([voices.stretch(speaker, frames) for speaker in np.repeat(group, each)])
        mel = torch.from_numpy(voices.mel[rows].astype(np.float32))
        out[name] = (mel, alter(mel.clone()), np.repeat(group, each))
    return out


def evaluate(network, held):
    """Equal error rate (clean, altered) of pairs within each population."""
    network.eval()
    figures = {}
    with torch.no_grad():
        for name, (clean, altered, speakers) in held.items():
            same = speakers[:, None] == speakers
            off = ~np.eye(len(speakers), dtype=bool)
            rates = []
            for mel in (clean, altered):
                embedding = network(mel)[0].numpy()
                scores = embedding @ embedding.T
                rates.append(equal_error_rate(scores[same & off], scores[~same]))
            figures[name] = rates
    network.train()
    return figures


def contrast(embedding, sharpness):
    """Each stretch must be most like the other one of its speaker, among those of all speakers of the batch."""
    first, second = embedding.chunk(2)
    scores = sharpness * first @ second.T
    right = torch.arange(len(scores))
    entropy = torch.nn.functional.cross_entropy
    return (entropy(scores, right) + entropy(scores.T, right)) / 2, (scores.argmax(1) == right).float().mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--noise", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--init", help="go on from the weights of this file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    voices, alter = Voices(args.data, "train", args.seed), Alterations(args.noise, args.seed)
    held = held_batches(Voices(args.data, "tune", 9), Alterations(args.noise, 9))
    network = SpeakerNetwork(width=args.width, blocks=args.blocks)
    if args.init:
        network.load_state_dict(torch.load(args.init))
    sharpness = torch.nn.Parameter(torch.tensor(10.0))
    print(f"{sum(p.numel() for p in network.parameters()):,} weights, {len(voices.speakers)} speakers", flush=True)
    matrices = [network.input.weight, network.output.weight, *(block.linear.weight for block in network.blocks)]
    others = [p for p in network.parameters() if all(p is not m for m in matrices)]
    optimizers = [Muon(matrices, args.lr, weight_decay=1e-2), torch.optim.AdamW([*others, sharpness], args.lr, betas=(0.9, 0.98))]
    began, mean = time.time(), np.zeros(3)
    shown = began
    for step in range(1, args.steps + 1):
        for group in [group for optimizer in optimizers for group in optimizer.param_groups]:
            group["lr"] = args.lr * min(1, step / 30) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps)) + 1e-6
        frames = int(voices.rng.integers(24, 42)) * network.stack
        mel, speech, speakers = voices.batch(args.batch, frames)
        mel = alter(mel)
        mel = torch.cat([mel[:, -CONTEXT:].roll(3, 0), mel], 1)
        with torch.autocast("cpu", torch.bfloat16):
            embedding, gate = network(mel, CONTEXT // network.stack)
        loss, right = contrast(embedding.float(), sharpness)
        target = speech.view(len(speech), -1, network.stack).mean(2)
        activity = torch.nn.functional.binary_cross_entropy_with_logits(gate.float(), target)
        for optimizer in optimizers:
            optimizer.zero_grad()
        (loss + 0.5 * activity).backward()
        for optimizer in optimizers:
            optimizer.step()
        share = max(0.03, 1 / step)
        mean += share * (np.array([loss.item(), activity.item(), right.item()]) - mean)
        if time.time() - shown > 240 or step == args.steps:
            shown = time.time()
            figures = evaluate(network, held)
            rates = ", ".join(f"{name} {100 * a:.1f}/{100 * b:.1f}" for name, (a, b) in figures.items())
            print(
                f"step {step} {shown - began:.0f} s ({time.process_time():.0f} s of processor), loss {mean[0]:.3f} {mean[1]:.4f}, "
                f"right {mean[2]:.3f}, EER % clean/altered: {rates}",
                flush=True,
            )
            torch.save(network.state_dict(), args.out + ".pt")
            save_file({k: v.half() for k, v in network.tensors().items()}, args.out, network.metadata())


if __name__ == "__main__":
    main()
