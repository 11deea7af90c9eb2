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
IRREGULAR, IRREGULAR_FEWEST = 0.1, 5
"""A rhythm of so many intervals or more is irregular where the median of their changes from one to the next
is more than this share of their mean. One early beat in ten seconds does not make it, fibrillation does."""
PAUSE_S, PAUSE_TIMES = 2.0, 1.5
"""An interval is a pause that is so long, and so many times as long as usual: 28 bpm have none."""
APART_BPM, APART = 5.0, 0.05
"""Cleaned has no rate where raw has another one: further from it than the larger of so many bpm and such a
share. With electrode motion at 6 dB that took 11 wrong rates of 35 from cleaned, and 5 right ones of 821."""
UNEVEN_BPM = 3.0
"""Nor where raw has none, and one beat that was missed or invented may have moved the mean of cleaned: so far
from the rate of its median interval. That took 9 of the wrong rates, and 25 of the right ones."""
ALONE_FEWEST = 4
"""Nor where raw has none and cleaned has fewer intervals than these, whose evenness would say nothing: three
beats that a network made of electrode motion in its first four seconds were the last rate without a heart."""
UNSURE_BEATS = "cleaned is unsure of its beats"
"""What a screen says where cleaned has no rate because the network is unsure of a beat of it."""
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
    intervals = _intervals_s(beats, trace, fs)[-AVERAGED:]
    if intervals.size == 0 or silence_s(beats, trace, fs) > SILENT_S:
        return None
    rate = 60 / float(intervals.mean())
    return rate if LOWEST_BPM <= rate <= HIGHEST_BPM else None


def confirmed_rate(
    raw_bpm: float | None,
    beats: NDArray[np.int64],
    cleaned: NDArray[np.float32],
    fs: float,
    unsure: NDArray[np.bool_] | None = None,
) -> float | None:
    """The heart rate of what a network made, where raw gives no reason to doubt it; else None.

    Parameters
    ----------
    raw_bpm
        Heart rate of the same stretch as it came.
    beats, cleaned
        As `heart_rate` takes them, (beats,) and (samples,) mV.
    unsure
        Which of the beats are smaller than the network's uncertainty of them, (beats,); None where it
        states none. A rate that would rest on one is not said.
    """
    rate = heart_rate(beats, cleaned, fs)
    if rate is None or (unsure is not None and unsure[-AVERAGED - 1 :].any()):
        return None
    if raw_bpm is not None:
        return rate if abs(rate - raw_bpm) <= max(APART_BPM, APART * rate) else None
    intervals = _intervals_s(beats, cleaned, fs)[-AVERAGED:]
    if intervals.size < ALONE_FEWEST:
        return None
    usual = 60 / float(np.median(intervals))
    return rate if abs(rate - usual) <= UNEVEN_BPM else None


def rhythm(beats: NDArray[np.int64], trace: NDArray[np.float32], fs: float) -> str:
    """What the mean of a heart rate hides: a pause, else an irregular rhythm; empty where it hides nothing.

    Said where a rate is. Irregular are atrial fibrillation, and bigeminy, of which every beat counts: the
    slowest and the fastest rate from beat to beat are named.
    """
    intervals = _intervals_s(beats, trace, fs)
    if heart_rate(beats, trace, fs) is None:
        return ""
    longest, mean = float(intervals.max()), float(intervals.mean())
    if longest >= PAUSE_S and longest >= PAUSE_TIMES * float(np.median(intervals)):
        return f"pause of {longest:.1f} s"
    if intervals.size >= IRREGULAR_FEWEST and np.median(np.abs(np.diff(intervals))) > IRREGULAR * mean:
        return f"irregular, {60 / longest:.0f} to {60 / float(intervals.min()):.0f} bpm"
    return ""


def _intervals_s(beats: NDArray[np.int64], trace: NDArray[np.float32], fs: float) -> NDArray[np.float64]:
    """Seconds from beat to beat, without those in which samples are missing in a row."""
    lost = np.cumsum(holes(np.isnan(trace), _LOST_S * fs))[beats]
    intervals: NDArray[np.float64] = np.diff(beats)[np.diff(lost) == 0] / fs
    return intervals


def silence_s(beats: NDArray[np.int64], trace: NDArray[np.float32], fs: float) -> float:
    """Seconds since the last beat, or all that was searched where there is none."""
    last = int(beats[-1]) if beats.size else 0
    return (trace.size - last) / fs
