"""Samples that say which they are: what a device of a scenario sends, and how that is read again."""

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Samples

PERIOD = 4001
"""Prime, so that the values of as many samples in a row are all different."""
WRAP = 499 * PERIOD
"""The counter begins again after so many samples: more are not exact in single precision."""
LEADS = ("II", "counter")

Numbers = NDArray[np.int64]


def value_of(sample: Numbers) -> NDArray[np.float64]:
    """Millivolts of a sample, -2 … 2, without a pattern that a filter could take for a beat."""
    value: NDArray[np.float64] = (sample * 1709 % PERIOD - PERIOD // 2) / 1000.0
    return value


def frames_of(sample: NDArray[np.integer]) -> Samples:
    """Both leads of samples, (samples, 2) mV; the counter goes on by 1 µV."""
    number = sample.astype(np.int64)  # the products do not fit in 32 bits
    return np.stack([value_of(number), number % WRAP / 1000.0], axis=1).astype(np.float32)


def numbers_of(leads: NDArray[np.floating]) -> Numbers:
    """Numbers of samples from their leads, (2, samples) mV, modulo `WRAP`; -1 where the two disagree."""
    number = np.rint(leads[1].astype(np.float64) * 1000).astype(np.int64)
    return np.where(np.abs(value_of(number) - leads[0]) < 0.0006, number, -1)


def misplaced(leads: NDArray[np.floating], start: int, first: int) -> int:
    """How many samples are not the one of their place, where index 0 is number `first` of the device."""
    places = (start + np.arange(leads.shape[1]) + first) % WRAP
    return int((numbers_of(leads) != places).sum())
