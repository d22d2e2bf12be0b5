#!/usr/bin/env python3
"""Find the threshold of the speaker network and the constants of the clustering on the tuning speakers.

    tune_clusters.py --network linnet-speaker.safetensors --mixtures TUNE

TUNE is what mixtures.py --split tune writes. Prints confusion (share of the speech given to a wrong speaker, speech as
in the reference) for each setting, clean and in noise.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

TRAIN = Path(__file__).resolve().parents[2] / "train"
sys.path[:0] = [str(TRAIN), str(TRAIN / "speaker")]

from der import errors, read_rttm  # noqa: E402
from features import log_mel  # noqa: E402
from online import Settings, label  # noqa: E402
from speaker_network import SpeakerNetwork  # noqa: E402

HOP = 6
"""Steps of a hop, as in engine/src/speaker/tracker.rs."""


def windows(network, samples, side):
    """(embedding of each hop with `side` hops around it, gate of each hop)."""
    with torch.no_grad():
        x, gate = network.steps(log_mel(torch.from_numpy(samples))[None])
        weight = torch.sigmoid(gate)[0]
        x, count = x[0], len(weight) // HOP
        moments = torch.cat([weight[:, None], weight[:, None] * x, weight[:, None] * x * x], 1)[: count * HOP]
        sums = torch.cat([torch.zeros(1, moments.shape[1]), moments.view(count, HOP, -1).sum(1).cumsum(0)])
        at = torch.arange(count)
        pooled = sums[(at + side + 1).clamp(max=count)] - sums[(at - side).clamp(min=0)]
        total = pooled[:, :1] + 1e-4
        mean, square = (pooled[:, 1:] / total).chunk(2, 1)
        deviation = torch.sqrt(torch.relu(square - mean * mean) + 1e-3)
        out = network.output(network.pool_norm(torch.cat([mean, deviation], 1)))
        return torch.nn.functional.normalize(out, dim=1).numpy(), (sums[1:] - sums[:-1])[:, 0].numpy() / HOP


def segments(labels, hop):
    """Runs of one label as (start s, end s, name)."""
    out, at = [], 0
    for value, group in itertools.groupby(labels):
        length = len(list(group))
        if value >= 0:
            out.append((at * hop, (at + length) * hop, str(value)))
        at += length
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True)
    parser.add_argument("--mixtures", type=Path, required=True)
    parser.add_argument("--sides", type=int, nargs="+", default=[3])
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--switches", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--runs", type=int, nargs="+", default=[3])
    parser.add_argument("--merges", type=float, nargs="+", default=[0.8])
    parser.add_argument("--memories", type=float, nargs="+", default=[40])
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = SpeakerNetwork.load(args.network)
    names = sorted(path.stem for path in args.mixtures.glob("*.rttm"))
    for side in args.sides:
        heard = []
        for name in names:
            for noise in ("", "-noise"):
                samples, _ = sf.read(args.mixtures / f"{name}{noise}.wav", dtype="float32")
                heard.append((read_rttm(args.mixtures / f"{name}.rttm"), bool(noise), *windows(network, samples, side)))
        print(f"side {side}: {len(heard)} recordings", flush=True)
        grid = itertools.product(args.thresholds, args.switches, args.runs, args.merges, args.memories)
        for threshold, switch, run, merge, memory in grid:
            lag = 7 - side
            settings = Settings(threshold, switch, lag, run, merge, memory, 4)
            totals, counts = np.zeros((2, 4)), []
            for reference, noisy, embeddings, gates in heard:
                labels = label(embeddings, gates > 0.5, settings)
                figures, count = errors(reference, segments(labels, HOP * 0.04))
                totals[int(noisy)] += figures
                counts.append(count - len({name for *_, name in reference}))
            shares = 100 * totals[:, 1:] / totals[:, :1]
            print(
                f"threshold {threshold} switch {switch} run {run} merge {merge} memory {memory}: "
                f"DER {shares[0].sum():.1f} / {shares[1].sum():.1f} (confusion {shares[0, 2]:.1f} / {shares[1, 2]:.1f}, "
                f"missed {shares[0, 0]:.1f} / {shares[1, 0]:.1f}, false {shares[0, 1]:.1f} / {shares[1, 1]:.1f}), "
                f"speakers too many {np.mean(counts):+.2f}, off {np.mean(np.abs(counts)):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
