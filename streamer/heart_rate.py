"""The heart rate that a screen shows, from the beats in the newest seconds of a lead."""

import numpy as np
from numpy.typing import NDArray

from streamer.qrs import holes

AVERAGED = 12
"""RR intervals in a heart rate."""
LOWEST_BPM, HIGHEST_BPM = 20.0, 303.0
"""A rate is said from 20 to 300; beats found to a sample are some per cent apart."""
LISTENED_S = 10.0
"""A screen looks for beats in so many of the newest seconds."""
DOUBTED_S = 0.5
"""Cleaned has no rate while the newest of it, so much, is not all the network's: the guard doubts."""
SILENT_S = 3.2
"""After so long without a beat there is no rate, and it is said that none is found: 20 bpm are 3 s apart."""
_LOST_S = 0.1


def heart_rate(beats: NDArray[np.int64], trace: NDArray[np.float32], fs: float) -> float | None:
    """Beats per minute from the mean of the last `AVERAGED` intervals.

    Intervals in which samples are missing in a row are left out. None where there is no interval,
    where no beat came for `SILENT_S`, and outside 20 to 300.

    Parameters
    ----------
    beats
        Where in the trace the beats are, oldest first.
    trace
        What was searched, (samples,) mV.
    """
    if beats.size < 2 or silence_s(beats, trace, fs) > SILENT_S:
        return None
    lost = np.cumsum(holes(np.isnan(trace), _LOST_S * fs))[beats]
    intervals = np.diff(beats)[np.diff(lost) == 0][-AVERAGED:]
    if intervals.size == 0:
        return None
    rate = 60 * fs / float(intervals.mean())
    return rate if LOWEST_BPM <= rate <= HIGHEST_BPM else None


def silence_s(beats: NDArray[np.int64], trace: NDArray[np.float32], fs: float) -> float:
    """Seconds since the last beat, or all that was searched where there is none."""
    last = int(beats[-1]) if beats.size else 0
    return (trace.size - last) / fs
