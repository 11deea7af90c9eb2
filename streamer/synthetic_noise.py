"""Synthetic noise, used with the synthetic patient in place of the Noise Stress Test records."""

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError
from streamer.noise import KINDS

TAPE_S = 300.0
"""Length of a noise tape in seconds."""

Floats = NDArray[np.float64]


def synthetic_tape(kind: str, fs: float, seed: int) -> NDArray[np.float32]:
    """Five minutes of synthetic noise in mV as an endless tape, shape (2, samples).

    It replaces the MIT-BIH Noise Stress Test records (NSTDB), so that the product can be tried without
    them; figures measured with it cannot be compared with published ones. Its filters are
    circular, so that the tape's end runs into its beginning without a joint.

    Parameters
    ----------
    kind
        ``bw``: drift of 0.05-0.5 Hz. ``em``: steps that recover exponentially, and wander of
        0.5-10 Hz that swells and fades, both in the bands of the ECG. ``ma``: 20-150 Hz
        (at most 0.45 fs) in bursts.
    fs
        Sampling rate, 100 to 10000 Hz.
    seed
        A whole number ≥ 0. Kinds differ under the same seed.

    Raises
    ------
    InputError
        If a value is not allowed.
    """
    if kind not in KINDS:
        raise InputError(f"noise {kind!r} is unknown; allowed: {', '.join(KINDS)}")
    rng = generator(fs, seed, KINDS.index(kind))
    if kind == "bw":
        return (0.3 * _band(rng, fs, 0.05, 0.5, slope=1.0)).astype(np.float32)
    swell = np.exp(0.7 * _band(rng, fs, 0.05, 0.5))
    if kind == "ma":
        return (0.05 * swell * _band(rng, fs, 20.0, min(150.0, 0.45 * fs))).astype(np.float32)

    samples = round(TAPE_S * fs)
    time = np.arange(samples) / fs
    steps = np.zeros((2, samples))
    when = rng.integers(samples, size=round(TAPE_S / 4))
    steps[:, when] = rng.standard_normal((2, when.size))
    recovery = np.exp(-time / 0.8) - np.exp(-time / 0.02)
    jolts = np.fft.irfft(np.fft.rfft(steps) * np.fft.rfft(recovery), samples)
    wander = swell * _band(rng, fs, 0.5, 10.0, slope=1.0)
    return (0.1 * wander + 0.6 * jolts).astype(np.float32)


def _band(rng: np.random.Generator, fs: float, low: float, high: float, slope: float = 0.0) -> Floats:
    """Noise of unit power between two frequencies, amplitude ∝ f^-slope, (2, samples)."""
    samples = round(TAPE_S * fs)
    frequency = np.fft.rfftfreq(samples, 1 / fs)
    inside = (frequency >= low) & (frequency <= high)
    gain = np.where(inside, np.maximum(frequency, low) ** -slope, 0.0)
    noise = np.fft.irfft(gain * np.fft.rfft(rng.standard_normal((2, samples))), samples)
    noise[1] = 0.6 * noise[0] + 0.8 * noise[1]  # two electrodes on one body
    unit: Floats = noise / noise.std(axis=1, keepdims=True)
    return unit


def generator(fs: float, seed: int, *more: int) -> np.random.Generator:
    """Random generator of a seed; raises `InputError` for a rate or seed out of range."""
    if not 100 <= fs <= 10_000:
        raise InputError(f"sampling rate must be 100 to 10000 Hz, got {fs}")
    if seed < 0:
        raise InputError(f"seed must be a whole number ≥ 0, got {seed}")
    return np.random.default_rng([seed, *more])
