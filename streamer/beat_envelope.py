"""What makes an envelope in mV of a lead: high where it has the shape of a QRS complex."""

import numpy as np
from numpy.typing import NDArray

DESPIKED = 4
"""Samples that `without_pulses` takes off at either end."""
SMOOTHED_S = 0.015
"""A broad complex has a hump for its rise and one for its fall: one beat, in the middle."""
_CENTRE_HZ, _WIDTH_S, _REACH_WIDTHS = 16.0, 0.025, 2.7
_NARROW_S = 0.012
_FAST_WEIGHTS = 10


def without_pulses(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peaks and troughs of less than three samples cut off; `DESPIKED` fewer at either end."""

    def least(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.minimum(np.minimum(x[:-2], x[1:-1]), x[2:])

    def most(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(np.maximum(x[:-2], x[1:-1]), x[2:])

    return least(most(most(least(samples))))


def filtered(samples: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `numpy.convolve` makes where both overlap; of ten weights at once it does so much faster."""
    size, count = len(kernel), len(samples) - len(kernel) + 1
    result = np.zeros(count)
    for start in range(0, size, _FAST_WEIGHTS):
        piece = kernel[start : start + _FAST_WEIGHTS]
        stop = size - start
        result += np.convolve(samples[stop - len(piece) : stop - 1 + count], piece, "valid")
    return result


def bell(width_s: float, fs: float, reach: int | None = None) -> NDArray[np.float64]:
    """Weights of a Gaussian, odd in number, of sum 1."""
    reach = round(_REACH_WIDTHS * width_s * fs) if reach is None else reach
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / fs / width_s) ** 2)
    return np.asarray(weights / weights.sum())


def gabor_pair(fs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Even and odd filter; the smoothed envelope of both is 1 for a narrow QRS of 1 mV."""
    weights = bell(_WIDTH_S, fs)
    t = (np.arange(len(weights)) - len(weights) // 2) / fs
    even, odd = weights * np.cos(2 * np.pi * _CENTRE_HZ * t), weights * np.sin(2 * np.pi * _CENTRE_HZ * t)
    even -= weights * even.sum() / weights.sum()
    t = (np.arange(6 * len(weights)) - 3 * len(weights)) / fs
    narrow = np.exp(-0.5 * (t / _NARROW_S) ** 2)
    envelope = np.hypot(np.convolve(narrow, even, "same"), np.convolve(narrow, odd, "same"))
    gain = float(np.convolve(envelope, bell(SMOOTHED_S, fs), "same").max())
    return even / gain, odd / gain
