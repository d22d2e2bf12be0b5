#!/usr/bin/env python3
"""Fit the calibration of word confidences on recordings with transcripts, and say how well it holds on others.

    linnet eval DIR... --words words.tsv
    fit.py words.tsv --out confidence.json

Logistic regression (Platt, 1999) of whether a word is right on the evidence that the engine gives with it. The report is
by two-fold cross-validation over recordings: what it says of a word never comes from a fit that saw its recording. The
calibration written is fitted on all of them; `linnet convert --confidence` puts it into a model.
"""

import argparse
import csv
import json
import zlib
from pathlib import Path

import numpy as np

WEIGHTS = ("bias", "least", "mean_log", "tokens", "before", "agreement")
FLOOR, LEAST_AGREEMENT = 1e-4, 0.02  # as in engine/src/transcript/confidence.rs


def read(path):
    """(evidence (n, 6), right (n,), fold (n,), uncalibrated confidence (n,)) of a table of words."""
    rows = list(csv.DictReader(open(path), delimiter="\t", quoting=csv.QUOTE_NONE))
    least = np.clip([float(r["least"]) for r in rows], FLOOR, 1 - FLOOR)
    agreement = np.clip([float(r["agreement"]) for r in rows], LEAST_AGREEMENT, 1 - LEAST_AGREEMENT)
    evidence = np.stack([
        np.ones(len(rows)), np.log(least / (1 - least)), [float(r["mean_log"]) for r in rows],
        np.log([max(1, int(r["tokens"])) for r in rows]), [float(r["before"]) for r in rows],
        np.log(agreement / (1 - agreement)),
    ], 1)
    right = np.array([int(r["right"]) for r in rows], float)
    fold = np.array([zlib.crc32(Path(r["file"]).name.encode()) % 2 for r in rows])
    return evidence, right, fold, least


def fit(evidence, right, penalty=1.0):
    """Weights of the ridge-penalised logistic regression, by Newton's method."""
    weights = np.zeros(evidence.shape[1])
    ridge = penalty * np.diag([0.0] + [1.0] * (len(weights) - 1))
    for _ in range(50):
        p = 1 / (1 + np.exp(-evidence @ weights))
        gradient = evidence.T @ (p - right) + ridge @ weights
        curvature = (evidence * (p * (1 - p))[:, None]).T @ evidence + ridge
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def calibration_error(confidence, right, bins=10):
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence - right)[at == b].sum()) for b in range(bins)]
    return sum(gaps) / len(right)


def area(confidence, right):
    """Probability that a right word is surer than a wrong one."""
    order = np.argsort(confidence, kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    positive = right.sum()
    return (ranks[right > 0].sum() - positive * (positive + 1) / 2) / max(1, positive * (len(right) - positive))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    evidence, right, fold, plain = read(args.words)
    held_out = np.zeros(len(right))
    for part in (0, 1):
        weights = fit(evidence[fold != part], right[fold != part])
        held_out[fold == part] = 1 / (1 + np.exp(-evidence[fold == part] @ weights))
    print(f"{len(right)} words, {100 * right.mean():.1f} % right")
    for name, confidence in (("least posterior", plain), ("calibrated, other fold", held_out)):
        print(f"{name}: calibration error {calibration_error(confidence, right):.3f}, area under the curve {area(confidence, right):.3f}")
    weights = fit(evidence, right)
    args.out.write_text(json.dumps({name: round(float(w), 4) for name, w in zip(WEIGHTS, weights)}, indent=1) + "\n")
    print(args.out.read_text(), end="")


if __name__ == "__main__":
    main()
