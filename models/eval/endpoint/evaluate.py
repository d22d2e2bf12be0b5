#!/usr/bin/env python3
"""Compare endpointing side by side on the same audio: ours, Silero VAD, TEN VAD, Smart Turn, plain energy.

    evaluate.py --dev ../../../../shared/data/dev --endpoint ../../linnet-endpoint.safetensors [--corpus CORPUS]

Prints frame AUC and F1, onset and offset errors, false cut-offs and latency, and processor time, clean and in noise.
Detectors whose packages are not installed are left out. Settings that a rule needs (its silence, its threshold) are
chosen on every second turn and the figures are those of the others.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from detectors import Energy, Linnet, Silero, SmartTurn, Ten
from material import HOP, RATE, mixed, noises, turns

ENTER, STAY = 0.5, 0.35
QUICKEST, SLOWEST = 0.4, 1.8
"""As in engine/src/endpoint: hysteresis of voice activity, and the shares of the pause."""
FALSE_CUTS = 0.05


def auc(scores, labels):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = labels.sum()
    return (ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * (len(labels) - positive))


def f1(guess, labels):
    hits = (guess & labels).sum()
    return 2 * hits / (guess.sum() + labels.sum())


def at_frames(scores, hop, count):
    """Scores of steps on the grid of 10 ms frames."""
    return scores[np.minimum(np.arange(count) * HOP // hop, len(scores) - 1)]


def voiced(scores):
    """Steps that count as speech, with hysteresis."""
    out, speaking = np.zeros(len(scores), bool), False
    for step, score in enumerate(scores):
        speaking = score >= (STAY if speaking else ENTER)
        out[step] = speaking
    return out


class Track:
    """What one detector heard in one turn."""

    def __init__(self, turn, speech, end, hop):
        self.turn, self.hop, self.end = turn, hop / RATE, end
        self.speech = speech
        self.voiced = voiced(speech)
        # Silence in seconds at the end of each step, once speech began.
        steps = np.arange(len(speech))
        last = np.maximum.accumulate(np.where(self.voiced, steps, -1))
        self.silence = np.where(last >= 0, (steps - last) * self.hop, 0.0)
        self.times = (steps + 1) * self.hop

    def decide(self, pauses):
        """(whether the turn was cut off, latency) where an utterance ends when silence reaches `pauses`."""
        due = self.silence >= np.maximum(pauses, self.hop / 2)
        # A decision within a frame of the end is none too early.
        cut = bool(due[self.times < self.turn.end - 0.02].any())
        after = np.flatnonzero(due & (self.times >= self.turn.end - 0.02))
        latency = self.times[after[0]] - self.turn.end if len(after) else len(self.turn.samples) / RATE - self.turn.end
        return cut, latency


def outcome(tracks, pauses):
    """(share of turns cut off, mean latency of the others' ends, 95th percentile)."""
    cuts, latencies = zip(*(track.decide(pauses(track)) for track in tracks))
    good = [latency for cut, latency in zip(cuts, latencies) if not cut] or [np.inf]
    return float(np.mean(cuts)), float(np.mean(good)), float(np.percentile(good, 95))


def quickest(tracks, rules):
    """The rule with least latency among those that cut off few turns; chosen and measured on different turns."""
    choose, measure = tracks[::2], tracks[1::2]
    best = min((outcome(choose, rule)[1], i) for i, rule in enumerate(rules) if outcome(choose, rule)[0] <= FALSE_CUTS or i == len(rules) - 1)
    return outcome(measure, rules[best[1]])


def fixed_rules():
    return [lambda track, s=s: np.full(len(track.speech), s) for s in np.arange(0.1, 2.6, 0.05)]


def adaptive_rules():
    """The engine's: the pause shrinks with P(end)."""
    return [lambda track, s=s: s * (SLOWEST + (QUICKEST - SLOWEST) * track.end) for s in np.arange(0.1, 2.6, 0.05)]


def turn_model_rules():
    """A turn model asked after 0.2 s of silence: ends at once when sure enough, else at the longest silence."""

    def rule(threshold, longest):
        return lambda track: np.where(track.end >= threshold, 0.2, longest)

    return [rule(t, s) for s in np.arange(0.4, 2.6, 0.15) for t in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 2)]


def ask_smart_turn(model, track, samples):
    """Its probability through each silence of the track, as asked 0.2 s into it."""
    end = np.zeros(len(track.speech))
    asked, value, calls = False, 0.0, 0
    for step in range(len(end)):
        if track.voiced[step] or track.silence[step] == 0:
            asked, value = False, 0.0
        elif track.silence[step] >= 0.2 and not asked:
            value = model(samples[: int(track.times[step] * RATE)])
            asked, calls = True, calls + 1
        end[step] = value
    track.end = end
    return calls


def edges(tracks):
    """Median errors in ms of where speech begins and ends, and the share of turns with no speech found."""
    onsets, offsets, missed = [], [], 0
    for track in tracks:
        on = np.flatnonzero(track.voiced)
        if not len(on):
            missed += 1
            continue
        true = np.flatnonzero(track.turn.speech)[0] * HOP / RATE
        onsets.append(abs(track.times[on[0]] - track.hop - true))
        offsets.append(abs(track.times[on[-1]] - track.turn.end))
    median = lambda x: float(1000 * np.median(x)) if x else None  # noqa: E731
    return median(onsets), median(offsets), missed / len(tracks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--endpoint", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, help="with the noises that training left out")
    parser.add_argument("--turns", type=int, default=1000, help="at most so many, in equal parts from the three sets")
    parser.add_argument("--conditions", default="clean,20,10,5,0", help="dB, or clean")
    parser.add_argument("--without", default="", help="detectors to leave out, separated by commas")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    detectors = {"linnet": Linnet(args.endpoint), "energy": Energy()}
    for name, make in (("silero", Silero), ("ten", Ten), ("smart turn", SmartTurn)):
        if name in args.without.split(","):
            continue
        try:
            detectors[name] = make()
        except (ImportError, OSError) as error:
            print(f"without {name}: {error}")
    smart = detectors.pop("smart turn", None)
    material = turns(args.dev, args.turns)
    sounds = noises(args.dev, args.corpus)
    seconds = sum(len(turn.samples) for turn in material) / RATE
    print(f"{len(material)} turns, {seconds / 60:.1f} min, {len(sounds)} noises", flush=True)
    cost, figures = {name: 0.0 for name in [*detectors, "smart turn"]}, []
    heard, calls = 0.0, 0
    for condition in args.conditions.split(","):
        rng = np.random.default_rng(11)
        audio = [turn.samples if condition == "clean" else mixed(turn, sounds, float(condition), rng) for turn in material]
        heard += seconds
        for name, detector in detectors.items():
            began = time.process_time()
            tracks = [Track(turn, *detector(samples), detector.hop) for turn, samples in zip(material, audio)]
            cost[name] += time.process_time() - began
            scores = np.concatenate([at_frames(t.speech, detector.hop, len(t.turn.speech)) for t in tracks])
            labels = np.concatenate([t.turn.speech for t in tracks])
            rules = {"silence": quickest(tracks, fixed_rules())}
            if name == "linnet":
                rules["adaptive"] = quickest(tracks, adaptive_rules())
            if name == "silero" and smart:
                began = time.process_time()
                calls += sum(ask_smart_turn(smart, track, samples) for track, samples in zip(tracks, audio))
                cost["smart turn"] += time.process_time() - began
                rules["smart turn"] = quickest(tracks, turn_model_rules())
            onset, offset, missed = edges(tracks)
            row = {"condition": condition, "detector": name, "auc": auc(scores, labels), "f1": f1(scores >= 0.5, labels),
                   "onset_ms": onset, "offset_ms": offset, "missed": missed, "rules": rules}
            figures.append(row)
            print(f"{condition:>6} {name:>8}  AUC {row['auc']:.4f}  F1 {row['f1']:.3f}  onset {onset:.0f} ms  offset "
                  f"{offset:.0f} ms  missed {missed:.3f}  " + "  ".join(
                      f"{rule}: {1000 * mean:.0f} ms (p95 {1000 * p95:.0f}) at {100 * cut:.1f} % cut"
                      for rule, (cut, mean, p95) in rules.items()), flush=True)  # fmt: skip
    print("processor time, ms per second of audio (linnet in PyTorch; see README.md for the engine):")
    for name, spent in cost.items():
        if spent:
            print(f"  {name}: {1000 * spent / heard:.2f}" + (f" in {calls} calls" if name == "smart turn" else ""))
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, "cost": cost, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
