#!/usr/bin/env python3
"""Diarization error rates of ours and of Resemblyzer on the same conversations.

    evaluate.py --mixtures TEST --linnet 'target/release/linnet diarize' [--model MODEL]

TEST is what mixtures.py --split test writes. Three systems:

- linnet: the command as it ships, streaming, with its own idea of where speech is;
- resemblyzer + ours: embeddings of the pretrained voice encoder of the PyPI package resemblyzer (1.42 M weights,
  trained on thousands of speakers) over stretches of 1.6 s every 0.48 s, in the same online clustering, its threshold
  chosen on --tune;
- resemblyzer + offline: the same embeddings clustered after the fact by average linkage into as many speakers as there
  are, which no streaming system is told.

Resemblyzer has no voice activity detection for streams, so it is given the reference's speech: compare `confusion`. Ours
is also shown so (linnet, reference speech): its labels on the reference's speech, nearest label where it heard none.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile as sf

from der import errors, frames, read_rttm
from online import Settings, label

HOP = 0.24


def linnet(command, model, path):
    out = subprocess.run(
        [*shlex.split(command), *(["--model", model] if model else []), str(path)], check=True, capture_output=True, text=True
    ).stdout
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in map(str.split, out.splitlines())]


def on_speech(hypothesis, reference):
    """The labels of a hypothesis on the speech of the reference: where there is none, the nearest one."""
    count = round(max(end for _, end, _ in reference + hypothesis) * 100) + 1
    names = sorted({name for *_, name in hypothesis})
    guess, _ = frames(hypothesis, count)
    truth, _ = frames(reference, count)
    known = np.flatnonzero(guess >= 0)
    if not len(known):
        return []
    after = np.searchsorted(known, np.arange(count)).clip(0, len(known) - 1)
    before = (after - 1).clip(0)
    nearer = np.abs(known[before] - np.arange(count)) < np.abs(known[after] - np.arange(count))
    guess = guess[np.where(nearer, known[before], known[after])]
    out = []
    for i in np.flatnonzero(truth >= 0):
        out.append((i / 100, (i + 1) / 100, names[guess[i]]))
    return out


class Resemblyzer:
    """Embeddings of every hop of a recording. `cache` is a folder to keep them in: it takes its time."""

    def __init__(self, cache):
        import torch
        from resemblyzer import VoiceEncoder

        torch.set_num_threads(1)
        self.encoder, self.cache, self.seconds, self.audio = VoiceEncoder("cpu", verbose=False), cache, 0.0, 0.0
        if cache:
            cache.mkdir(parents=True, exist_ok=True)

    def __call__(self, path):
        kept = self.cache and self.cache / f"{path.parent.name}-{path.stem}.npy"
        if kept and kept.exists():
            return np.load(kept)
        samples, began = sf.read(path, dtype="float32")[0], time.process_time()
        embeddings = self.embed(samples)
        self.seconds += time.process_time() - began
        self.audio += len(samples) / 16_000
        if kept:
            np.save(kept, embeddings)
        return embeddings

    def embed(self, samples):
        import torch
        from resemblyzer.audio import normalize_volume, wav_to_mel_spectrogram

        mel = wav_to_mel_spectrogram(normalize_volume(samples, -30, increase_only=True))
        hops = int(len(samples) / 16_000 / HOP)
        centres = (np.arange(0, hops, 2) + 1) * HOP * 100
        starts = np.clip(np.round(centres - 80).astype(int), 0, max(len(mel) - 160, 0))
        parts = np.stack([mel[start : start + 160] for start in starts])
        with torch.no_grad():
            out = [self.encoder(torch.from_numpy(parts[i : i + 32])).numpy() for i in range(0, len(parts), 32)]
        return np.concatenate(out).repeat(2, axis=0)[:hops]


def speech_hops(reference, hops):
    """Hops that are at least half speech by the reference."""
    out = np.zeros(hops * 24 + 1000)
    for start, end, _ in reference:
        out[round(start * 100) : round(end * 100)] = 1
    return out[: hops * 24].reshape(hops, 24).mean(1) >= 0.5


def segments_of(labels):
    return [(i * HOP, (i + 1) * HOP, str(value)) for i, value in enumerate(labels) if value >= 0]


def offline(embeddings, voiced, speakers):
    from scipy.cluster.hierarchy import fcluster, linkage

    labels = np.full(len(voiced), -1)
    labels[voiced] = fcluster(linkage(embeddings[voiced], "average", metric="cosine"), speakers, "maxclust")
    return labels


def conversations(folder, noises=("", "-noise")):
    for path in sorted(folder.glob("*.rttm")):
        for noise in noises:
            yield path.stem, noise, folder / f"{path.stem}{noise}.wav", read_rttm(path)


def chosen_threshold(encoder, folder):
    """The threshold with the least confusion on the tuning conversations."""
    heard = []
    for _, _, path, reference in conversations(folder):
        embeddings = encoder(path)
        heard.append((reference, embeddings, speech_hops(reference, len(embeddings))))
    best = (np.inf, None)
    for threshold in (0.6, 0.65, 0.7, 0.725, 0.75, 0.775, 0.8, 0.85):
        settings = Settings(threshold=threshold, switch=0.4, merge=min(threshold + 0.15, 0.95), most=4)
        wrong = sum(errors(r, on_speech(segments_of(label(e, v, settings)), r))[0][3] for r, e, v in heard)
        print(f"resemblyzer: threshold {threshold}, {wrong:.0f} s confused", file=sys.stderr, flush=True)
        best = min(best, (wrong, settings), key=lambda pair: pair[0])
    return best[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixtures", type=Path, required=True)
    parser.add_argument("--tune", type=Path, help="what mixtures.py --split tune writes; leaves Resemblyzer out without")
    parser.add_argument("--linnet", required=True, help="command")
    parser.add_argument("--model")
    parser.add_argument("--cache", type=Path, help="folder to keep Resemblyzer's embeddings in")
    parser.add_argument("--json", type=Path, help="also write all figures")
    args = parser.parse_args()
    encoder = Resemblyzer(args.cache) if args.tune else None
    settings = chosen_threshold(encoder, args.tune) if encoder else None
    totals, counts = defaultdict(lambda: np.zeros(4)), defaultdict(list)
    for name, noise, path, reference in conversations(args.mixtures):
        speakers = len({who for *_, who in reference})
        systems = {}
        systems["linnet"] = linnet(args.linnet, args.model, path)
        systems["linnet, reference speech"] = on_speech(systems["linnet"], reference)
        if encoder:
            embeddings = encoder(path)
            voiced = speech_hops(reference, len(embeddings))
            online = segments_of(label(embeddings, voiced, settings))
            systems["resemblyzer + ours, reference speech"] = on_speech(online, reference)
            systems["resemblyzer + offline, reference speech"] = on_speech(segments_of(offline(embeddings, voiced, speakers)), reference)
        population, count, _ = name.split("-")
        for system, hypothesis in systems.items():
            figures, heard = errors(reference, hypothesis)
            for key in (population, f"{count} speakers", "all"):
                totals[system, key, noise] += figures
                counts[system, key, noise].append(heard - speakers)
    rows = []
    for system, key, noise in totals:
        speech, missed, false, confused = totals[system, key, noise]
        off = np.mean(np.abs(counts[system, key, noise]))
        rows.append(
            {"system": system, "part": key, "noise": bool(noise), "der": 100 * (missed + false + confused) / speech,
             "missed": 100 * missed / speech, "false": 100 * false / speech, "confusion": 100 * confused / speech, "speakers_off": off}
        )
    for row in sorted(rows, key=lambda row: (row["noise"], row["part"], row["system"])):
        print(
            "{system:42} {part:16} {0}: DER {der:5.1f} % (missed {missed:.1f}, false {false:.1f}, confusion {confusion:.1f}), "
            "speakers off by {speakers_off:.2f}".format("10 dB" if row["noise"] else "clean", **row)
        )
    if encoder and encoder.audio:
        print(f"resemblyzer: {1000 * encoder.seconds / encoder.audio:.1f} ms of processor for each second of audio")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
