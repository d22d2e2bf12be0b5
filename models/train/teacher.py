#!/usr/bin/env python3
"""Run a large encoder over the training recordings and keep its output as targets for the small one.

    teacher.py --data DATA --corpus CORPUS --whisper FOLDER [--split train]

FOLDER as in pseudo_label.py. Recordings are packed into windows of Whisper's log-mel; every 40 ms of encoder output (the
mean of two frames of 512) is standardised, rotated onto its PARTS largest principal components and these are scaled by
the fourth root of their variance, so that the small ones count, too. Writes DATA/SPLIT.teacher.f16: ceil(frames / 4) rows
of each recording of DATA/SPLIT.json, one recording after the other; rows of zeros are not computed yet. A second run goes on.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from prepare import open_split
from pseudo_label import RATE, log_mel

WINDOW_S = 18  # attention takes as long as all else at 30 s
GAP_S = 0.32
ROW_FRAMES = 4  # mel frames of 10 ms
PARTS = 192
SAMPLES_A_ROW = RATE * ROW_FRAMES // 100
LEVEL = 0.05  # root mean square: Whisper's features are cut 80 dB below the loudest of the window
FIRST_WINDOWS = 80  # that the components are found in


def rows_of(frames):
    return -(-frames // ROW_FRAMES)


def offsets(index):
    """First teacher row of every recording of an index, and of the end."""
    return np.cumsum([0] + [rows_of(row["frames"]) for row in index])


def plan_windows(index, seed=1):
    """Lists of (recording, first row in the window): shuffled recordings, as many as fit."""
    order = list(range(len(index)))
    random.Random(seed).shuffle(order)
    gap, most = int(GAP_S * 100 / ROW_FRAMES), int(WINDOW_S * 100 / ROW_FRAMES)
    open_windows, full = [], []
    for number in order:
        need = rows_of(index[number]["frames"]) + gap
        for window in open_windows:
            if window[1] + need <= most:
                break
        else:
            window = [[], gap]
            open_windows.append(window)
        window[0].append((number, window[1]))
        window[1] += need
        if len(open_windows) > 20:  # the fullest of those begun is closed
            open_windows.sort(key=lambda w: w[1])
            full.append(open_windows.pop()[0])
    return full + [window for window, _ in open_windows]


def total_rows(folder, split):
    return int(offsets(open_split(folder, split)[0])[-1])


def open_outputs(folder, splits):
    """(rows, PARTS) of all splits, one after the other; zeros where a split has none. Raises where no split has any."""
    found = []
    for name in splits:
        shape = (total_rows(folder, name), PARTS)
        path = Path(folder) / f"{name}.teacher.f16"
        found.append(np.memmap(path, np.float16, "r", shape=shape) if path.exists() else np.zeros(shape, np.float16))
    if not any(isinstance(one, np.memmap) for one in found):
        raise FileNotFoundError(f"{folder} has no teacher's output of {', '.join(splits)}: run teacher.py first")
    return found[0] if len(found) == 1 else Joined(found)


class Joined:
    """Arrays of rows as if they were one."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.edges = np.cumsum([0] + [len(array) for array in arrays])
        self.shape = (int(self.edges[-1]), arrays[0].shape[1])

    def __getitem__(self, rows):
        out = np.zeros((*rows.shape, self.shape[1]), np.float16)
        for array, start, end in zip(self.arrays, self.edges, self.edges[1:]):
            here = (rows >= start) & (rows < end)
            out[here] = array[rows[here] - start]
        return out


class Teacher:
    def __init__(self, folder):
        import ctranslate2

        self.storage = ctranslate2.StorageView.from_array
        self.model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)

    def encode(self, samples):
        """(rows of 40 ms, 512) of a window."""
        encoded = np.array(self.model.encode(self.storage(log_mel(samples, WINDOW_S)[None])))[0]
        return encoded[: len(encoded) // 2 * 2].reshape(-1, 2, encoded.shape[1]).mean(1)


def window_samples(corpus, index, window):
    samples = np.zeros(WINDOW_S * RATE, np.float32)
    for number, row in window:
        clip, _ = sf.read(corpus / index[number]["path"], dtype="float32")
        clip = clip[: index[number]["frames"] * RATE // 100]
        clip = clip * (LEVEL / max(1e-6, float(np.sqrt(np.mean(clip**2)))))
        at = row * SAMPLES_A_ROW
        samples[at : at + len(clip)] = clip[: len(samples) - at]
    return samples


def components(rows):
    """{mean, scale, rotation} of a sample of rows (n, 512)."""
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    values, vectors = np.linalg.eigh(np.cov(((rows - mean) / scale).T))
    values, vectors = values[::-1][:PARTS], vectors[:, ::-1][:, :PARTS]
    rotation = vectors / values**0.25
    rotation /= np.sqrt((values**0.5).mean())  # unit variance in the mean
    return {"mean": mean, "scale": scale, "rotation": rotation, "kept": values.sum() / rows.shape[1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--whisper", type=Path, required=True)
    parser.add_argument("--split", default="train")
    args = parser.parse_args()
    index, _ = open_split(args.data, args.split)
    starts, windows = offsets(index), plan_windows(index)
    teacher = Teacher(args.whisper)
    basis, path = args.data / "teacher.npz", args.data / f"{args.split}.teacher.f16"
    if not basis.exists():
        sample = [teacher.encode(window_samples(args.corpus, index, window)) for window in windows[:FIRST_WINDOWS]]
        spoken = [rows[: window[-1][1] + rows_of(index[window[-1][0]]["frames"])] for rows, window in zip(sample, windows)]
        np.savez(basis, **components(np.concatenate(spoken)))
    basis = np.load(basis)
    print(f"{len(windows)} windows; {100 * basis['kept']:.1f} % of the variance kept", flush=True)
    rotation = (basis["rotation"] / basis["scale"][:, None]).astype(np.float32)
    shift = (basis["mean"] @ rotation).astype(np.float32)
    out = np.memmap(path, np.float16, "r+" if path.exists() else "w+", shape=(int(starts[-1]), PARTS))
    begun, done = time.time(), 0
    for position, window in enumerate(windows):
        if out[starts[window[-1][0]]].any():
            continue
        rows = teacher.encode(window_samples(args.corpus, index, window)) @ rotation - shift
        for number, row in window:
            count = min(rows_of(index[number]["frames"]), len(rows) - row)
            out[starts[number] : starts[number] + count] = rows[row : row + count]
            done += count
        if position % 100 == 0:
            hours = done * ROW_FRAMES / 360_000
            print(f"window {position} of {len(windows)}, {3600 * hours / (time.time() - begun):.0f} h/h", flush=True)
    out.flush()


if __name__ == "__main__":
    main()
