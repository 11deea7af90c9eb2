"""Voltages at the electrodes, finely sampled, and what the amplifier of a device hands on of them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from streamer.chunk import Samples

FINE_HZ = 18_000
"""Voltages are made at this rate, a multiple of 250, 360, 500 and 1000 Hz: a pacemaker's pulse of 0.1 ms
has its area, wherever it falls."""
_WIDEST_HZ, _OF_RATE, _ORDER = 150.0, 0.4, 4
_NOISE_MV = 0.002

Fine = NDArray[np.float64]
"""(samples,) mV at `FINE_HZ`."""


def amplifier(fine: Fine, fs: int, seed: int = 0) -> Samples:
    """What a device of this rate samples, (samples,) mV: band-limited, with noise of 2 µV rms.

    The band ends at 150 Hz or 0.4 of the rate (Bessel filter of fourth order, which does not ring). There
    is no high-pass and no limit: a monitor's input takes ±300 mV of offset.

    Raises
    ------
    ValueError
        If `FINE_HZ` is no multiple of the rate.
    """
    if FINE_HZ % fs:
        raise ValueError(f"the rate must divide {FINE_HZ} Hz, got {fs}")
    sos = signal.bessel(_ORDER, min(_WIDEST_HZ, _OF_RATE * fs), fs=FINE_HZ, norm="mag", output="sos")
    start = signal.sosfilt_zi(sos) * fine[0]
    slow = signal.sosfilt(sos, fine, zi=start)[0][:: FINE_HZ // fs]
    noise = _NOISE_MV * np.random.default_rng(seed).standard_normal(len(slow))
    return np.asarray(slow + noise, np.float32)


def nothing(seconds: float) -> Fine:
    """No voltage."""
    return np.zeros(round(seconds * FINE_HZ))


def time_of(fine: Fine) -> Fine:
    """Seconds of each sample."""
    return np.arange(len(fine)) / FINE_HZ


def every(bpm: float, seconds: float, first_s: float = 0.5) -> Fine:
    """Times of beats, s."""
    return np.arange(first_s, seconds, 60 / bpm)


def triangle(height_mv: float, base_s: float) -> Fine:
    """One wave that rises and falls in straight lines."""
    half = max(1, round(base_s * FINE_HZ / 2))
    return height_mv * np.concatenate([np.arange(half), np.arange(half, -1, -1)]) / half


def bell(height_mv: float, sigma_s: float) -> Fine:
    """One Gaussian wave."""
    reach = round(4 * sigma_s * FINE_HZ)
    return height_mv * np.exp(-0.5 * (np.arange(-reach, reach + 1) / FINE_HZ / sigma_s) ** 2)


def put(into: Fine, wave: Fine, middles_s: Iterable[float], scale: float = 1.0) -> None:
    """Add a wave in place, its middle at each of some times; what sticks out is cut off."""
    for middle_s in middles_s:
        start = round(middle_s * FINE_HZ) - len(wave) // 2
        first, last = max(0, start), min(len(into), start + len(wave))
        if first < last:
            into[first:last] += scale * wave[first - start : last - start]


def put_pulses(into: Fine, height_mv: float, width_s: float, starts_s: Iterable[float]) -> None:
    """Add rectangular pulses in place, which may be shorter than a sample: their area is kept."""
    for start_s in starts_s:
        start, stop = start_s * FINE_HZ, (start_s + width_s) * FINE_HZ
        at = np.arange(int(start), min(int(stop) + 1, len(into)))
        into[at] += height_mv * np.clip(np.minimum(at + 1, stop) - np.maximum(at, start), 0, 1)


def ecg(beats_s: Fine, seconds: float, r_mv: float = 1.0) -> Fine:
    """P, Q, R, S and T of normal beats at some times; P and T follow `r_mv` up to 1 mV."""
    lead = nothing(seconds)
    small = np.sign(r_mv) * min(abs(r_mv), 1.0)
    for height_mv, sigma_s, after_s in (
        (0.12 * small, 0.022, -0.16),
        (-0.1 * r_mv, 0.008, -0.022),
        (r_mv, 0.011, 0.0),
        (-0.2 * r_mv, 0.009, 0.025),
        (0.28 * small, 0.045, 0.28),
    ):
        put(lead, bell(height_mv, sigma_s), beats_s + after_s)
    return lead


def qrs_train(bpm: float, seconds: float, height_mv: float, base_s: float) -> Fine:
    """Triangular QRS complexes and nothing else, as counters of heart rate are tested with."""
    lead = nothing(seconds)
    put(lead, triangle(height_mv, base_s), every(bpm, seconds))
    return lead
