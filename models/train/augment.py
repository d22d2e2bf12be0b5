"""Cheap augmentation on log-mel features: everything a room, a microphone and a line do, without touching samples."""

import numpy as np
import torch

import mixing
from features import LOG_FLOOR


def interpolate(x, positions, axis):
    """Linear interpolation of `x` at fractional `positions` along an axis."""
    low = np.clip(np.floor(positions).astype(np.int64), 0, x.shape[axis] - 1)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (positions - low).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None]
    return x.take(low, axis) * (1 - share) + x.take(high, axis) * share


def reverberate(mel, rng):
    """Exponential energy decay (reverberation time 0.15 to 0.6 s) added to the direct sound."""
    decay = np.exp(-13.8 * 0.01 / rng.uniform(0.15, 0.6))
    tail = rng.uniform(0.02, 0.12)
    power = np.exp(mel)
    kernel = tail * decay ** np.arange(1, 25)
    wet = power.copy()
    for delay, weight in enumerate(kernel[::2], 1):
        wet[2 * delay :] += 2 * weight * power[: -2 * delay] if 2 * delay < len(power) else 0
    return np.log(wet + 2.0**-24)


def add_noise(mel, noises, rng):
    """Mix in a random stretch of noise at 3 to 25 dB below the speech's mean power."""
    noise = noises[rng.integers(len(noises))]
    start = rng.integers(max(1, len(noise) - len(mel)))
    piece = noise[start : start + len(mel)].astype(np.float32)
    while len(piece) < len(mel):
        piece = np.concatenate([piece, piece])[: len(mel)]
    speech_level = np.log(np.mean(np.exp(mel)) + 1e-9)
    noise_level = np.log(np.mean(np.exp(piece)) + 1e-9)
    below = rng.uniform(3, 25) * np.log(10) / 10
    piece = piece + (speech_level - noise_level - below)
    return mixing.add(torch.from_numpy(mel), torch.from_numpy(piece.astype(np.float32)), rng).numpy()


def smooth(mel, width):
    """Running mean over `width` bands (odd)."""
    padded = np.pad(mel, ((0, 0), (width // 2 + 1, width // 2)), mode="edge").cumsum(1, dtype=np.float64)
    return ((padded[:, width:] - padded[:, :-width]) / width).astype(np.float32)


def encode(mel, rng):
    """What a speech codec at a low rate leaves of a recording: noise that follows the spectrum 10 to 30 dB below it, as
    noise shaping has it (RFC 6716, section 5.2.3), weak bands left out, and lost packets of 20 ms concealed by fading
    repetition."""
    nats = np.log(10) / 10
    envelope = smooth(mel, 9)
    grain = rng.gumbel(-0.3, 0.45, mel.shape).astype(np.float32)
    mel = np.logaddexp(mel, envelope - np.float32(nats * rng.uniform(10, 30)) + grain)
    if rng.random() < 0.5:
        loudest = mel.max(1, keepdims=True)
        mel = np.where(mel < loudest - nats * rng.uniform(25, 45), mel - np.float32(rng.uniform(1, 4)), mel)
    if rng.random() < 0.5:
        packets = (len(mel) + 1) // 2
        lost = rng.random(packets) < rng.uniform(0, 0.06)
        lost[0] = False
        kept = np.maximum.accumulate(np.where(lost, 0, np.arange(packets)))
        age = (np.arange(packets) - kept).repeat(2)[: len(mel)]
        source = np.minimum(2 * kept.repeat(2)[: len(mel)] + np.arange(len(mel)) % 2, len(mel) - 1)
        mel = mel[source] - 1.2 * age[:, None].astype(np.float32)
    return mel


def augment(item, noises, rng):
    """Speed, vocal tract length, channel, room, noise, codec, telephone band, level and masks, each mild or rare."""
    mel, phones = item.mel, item.phones
    speed = rng.uniform(0.93, 1.08)
    positions = np.arange(int(len(mel) / speed)) * speed
    mel = interpolate(mel, positions, 0)
    nearest = np.minimum(np.rint(positions).astype(np.int64), len(phones) - 1)
    item.phones, item.rows = phones[nearest], item.rows[nearest]
    item.ends = item.ends / speed
    bands = mel.shape[1]
    if rng.random() < 0.5:
        mel = interpolate(mel, np.clip(np.arange(bands) * rng.uniform(0.93, 1.07), 0, bands - 1), 1)
    if rng.random() < 0.5:
        x = np.linspace(0, 1, bands)
        curve = rng.normal(0, 0.6) * (x - 0.5) + rng.normal(0, 0.4) * np.cos(np.pi * (x * rng.uniform(1, 4) + rng.random()))
        mel = mel + curve.astype(np.float32)
    if rng.random() < 0.12:
        mel = reverberate(mel, rng)
    if noises and rng.random() < 0.3:
        mel = add_noise(mel, noises, rng)
    mel = mel + rng.uniform(-2.5, 1.5)
    coded = rng.random() < 0.2
    if coded:
        mel = encode(mel, rng)
    if rng.random() < (0.5 if coded else 0.04):
        # Above 3.9 kHz, as telephones have it, or above what coders leave out at low rates.
        mel[:, 58 if rng.random() < 0.6 else rng.integers(58, 76) :] = LOG_FLOOR + rng.uniform(0, 3)
    if rng.random() < 0.03:
        mel[:, :7] -= rng.uniform(2, 6)  # below about 300 Hz
    mel = np.maximum(mel, LOG_FLOOR).astype(np.float32)
    fill = mel.mean()
    for _ in range(2):
        width = rng.integers(0, 15)
        start = rng.integers(bands - width)
        mel[:, start : start + width] = fill
    for _ in range(len(mel) // 170 + 1):
        width = rng.integers(0, 20)
        start = rng.integers(max(1, len(mel) - width))
        mel[start : start + width] = fill
    item.mel = mel
    return item
