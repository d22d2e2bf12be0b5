"""Diarization error rate: time that is missed, falsely called speech, or given to the wrong speaker, over the time of
speech. Speakers are matched so that the overlap is largest; 0.25 s on both sides of the reference's boundaries does not
count (the collar of NIST's evaluations). Nobody speaks at once here."""

import numpy as np
from scipy.optimize import linear_sum_assignment

FRAME = 0.01
COLLAR = 0.25


def read_rttm(path):
    """[(start s, end s, speaker)]"""
    out = []
    for line in open(path):
        field = line.split()
        if field and field[0] == "SPEAKER":
            start, length = float(field[3]), float(field[4])
            out.append((start, start + length, field[7]))
    return out


def frames(segments, count):
    """The number of the speaker of each frame, -1 for none."""
    names = sorted({name for *_, name in segments})
    out = np.full(count, -1)
    for start, end, name in segments:
        out[round(start / FRAME) : round(end / FRAME)] = names.index(name)
    return out, len(names)


def errors(reference, hypothesis, collar=COLLAR):
    """Seconds: (speech, missed, false alarm, confused) and the number of speakers heard."""
    count = round(max([end for _, end, _ in reference + hypothesis] or [0]) / FRAME) + 1
    truth, speakers = frames(reference, count)
    guess, heard = frames(hypothesis, count)
    scored = np.ones(count, bool)
    # Boundaries are those between speakers, and between speech and silence.
    for at in np.flatnonzero(np.diff(truth)) + 1:
        scored[max(at - round(collar / FRAME), 0) : at + round(collar / FRAME)] = False
    truth, guess = truth[scored], guess[scored]
    overlap = np.zeros((speakers, max(heard, 1)))
    np.add.at(overlap, (truth[(truth >= 0) & (guess >= 0)], guess[(truth >= 0) & (guess >= 0)]), 1)
    matched = overlap[linear_sum_assignment(-overlap)].sum()
    both = ((truth >= 0) & (guess >= 0)).sum()
    missed, false = ((truth >= 0) & (guess < 0)).sum(), ((truth < 0) & (guess >= 0)).sum()
    return np.array([(truth >= 0).sum(), missed, false, both - matched]) * FRAME, heard
