"""Generated sounds that are no speech: fans, hum, music, beeps, knocks, clatter, hiss. 16 kHz mono float arrays."""

import numpy as np

RATE = 16_000


def coloured(rng, count):
    """Noise with a random smooth spectrum."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    x = np.linspace(0, 1, len(spectrum))
    shape = np.exp(-rng.uniform(0, 9) * x + rng.uniform(-2, 2) * np.cos(np.pi * (x * rng.uniform(1, 6) + rng.random())))
    out = np.fft.irfft(spectrum * shape, count)
    return out / (out.std() + 1e-9)


def fan(rng, count):
    """Air with the hum of a motor, slowly swelling."""
    t = np.arange(count) / RATE
    base = rng.uniform(45, 130)
    hum = sum(rng.uniform(0, 1) / h * np.sin(2 * np.pi * base * h * t + rng.uniform(0, 6.3)) for h in range(1, 12))
    swell = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.05, 0.6) * t)
    return (coloured(rng, count) + rng.uniform(0, 2) * hum) * swell


def note(rng, pitch, count, attack=0.01):
    t = np.arange(count) / RATE
    tone = sum(
        rng.uniform(0.3, 1) / h ** rng.uniform(0.7, 2) * np.sin(2 * np.pi * pitch * h * (1 + 2e-4 * h) * t)
        for h in range(1, 9)
        if pitch * h < 7800
    )
    decay = np.exp(-t * rng.uniform(0.5, 8))
    return tone * np.minimum(1, t / attack) * decay * np.minimum(1, (count / RATE - t) / 0.01)


def music(rng, count):
    """Chords, a melody and drums in time."""
    out = np.zeros(count)
    beat = int(RATE * rng.uniform(0.18, 0.6))
    root = rng.uniform(55, 220)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12]) if rng.random() < 0.6 else np.array([0, 2, 3, 5, 7, 8, 10, 12])
    sustain = rng.uniform(0.8, 4)
    drums = rng.random() < 0.5
    for index, start in enumerate(range(0, count, beat)):
        length = min(int(beat * sustain), count - start)
        voices = [root * 2 ** (rng.choice(scale) / 12) * rng.choice([1, 2, 4]) for _ in range(rng.integers(1, 4))]
        for pitch in voices:
            out[start : start + length] += note(rng, pitch, length, rng.choice([0.003, 0.03, 0.1]))
        if drums:
            hit = min(int(0.12 * RATE), count - start)
            envelope = np.exp(-np.arange(hit) / RATE * rng.uniform(20, 60))
            kick = np.sin(2 * np.pi * 60 * np.arange(hit) / RATE) if index % 2 == 0 else rng.normal(size=hit)
            out[start : start + hit] += 2 * envelope * kick
    return out


def beeps(rng, count):
    """Tones of a till, a timer or a phone."""
    out = np.zeros(count)
    pitch, length, gap = rng.uniform(400, 3500), rng.uniform(0.05, 0.5), rng.uniform(0.1, 2)
    tones = [pitch, pitch * rng.choice([1, 1, 1.26, 1.5])]
    at = int(rng.uniform(0, 1) * RATE)
    while at < count:
        n = min(int(length * RATE), count - at)
        t = np.arange(n) / RATE
        out[at : at + n] += sum(np.sin(2 * np.pi * f * t) for f in tones) * np.minimum(1, np.minimum(t, n / RATE - t) / 0.004)
        at += n + int(gap * RATE * rng.uniform(0.8, 1.2))
    return out


def knocks(rng, count):
    """Door slams, dishes, steps, coughs without a voice: decaying resonances and bursts of noise."""
    out = np.zeros(count)
    at = int(rng.uniform(0, 0.8) * RATE)
    every = rng.uniform(0.15, 2.5)
    while at < count:
        n = min(int(rng.uniform(0.04, 0.5) * RATE), count - at)
        t = np.arange(n) / RATE
        ring = sum(
            rng.uniform(0.2, 1) * np.sin(2 * np.pi * rng.uniform(80, 6000) * t) * np.exp(-t * rng.uniform(8, 90))
            for _ in range(rng.integers(1, 6))
        )
        burst = coloured(rng, max(n, 64))[:n] * np.exp(-t * rng.uniform(8, 80)) * np.minimum(1, t / rng.uniform(1e-3, 0.04))
        out[at : at + n] += rng.uniform(0.2, 1) * (rng.uniform(0, 1) * ring + burst)
        at += int(every * RATE * rng.exponential() + 400)
    return out


def hiss(rng, count):
    """Steam, taps and applause: coloured noise that comes and goes."""
    t = np.arange(count) / RATE
    gate = np.clip(4 * np.sin(2 * np.pi * rng.uniform(0.05, 1.2) * t + rng.uniform(0, 6.3)) + rng.uniform(-2, 4), 0, 1)
    return coloured(rng, count) * (0.05 + gate)


def clatter(rng, count):
    """Dishes and cutlery: bursts of bright inharmonic rings in a room."""
    out = np.zeros(count)
    for _ in range(rng.poisson(count / RATE * rng.uniform(1, 7)) + 1):
        at, n = int(rng.integers(count)), int(rng.uniform(0.03, 0.4) * RATE)
        n = min(n, count - at)
        t = np.arange(n) / RATE
        modes = rng.uniform(700, 7500, rng.integers(3, 9))
        ring = sum(rng.uniform(0.1, 1) * np.sin(2 * np.pi * f * t) * np.exp(-t * rng.uniform(10, 80)) for f in modes)
        out[at : at + n] += 10 ** rng.uniform(-1.2, 0) * ring
    return reverberate(rng, out)


def reverberate(rng, sound):
    """The sound in a room of 0.2 to 0.8 s."""
    n = int(rng.uniform(0.2, 0.8) * RATE)
    tail = rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n) * rng.uniform(0.02, 0.15)
    tail[0] = 1
    size = len(sound) + n
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


KINDS = (fan, music, music, beeps, knocks, knocks, hiss, clatter)


def sound(rng, count):
    """One generated sound of unit power."""
    out = KINDS[rng.integers(len(KINDS))](rng, count) + 10 ** rng.uniform(-3, -1) * coloured(rng, count)
    return (out / (out.std() + 1e-9)).astype(np.float32)
