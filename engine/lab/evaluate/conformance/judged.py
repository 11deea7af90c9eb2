"""What is measured in a trace, and what passes: the rows of the report are made of these."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Samples
from streamer.heart_rate import LISTENED_S, heart_rate
from streamer.qrs import find_qrs

Seconds = NDArray[np.float64]
QRS_S = 0.08
"""A QRS lies within so much of its middle, the amplifier's delay included."""
_LEARNT_S = 5.0
_LATE_S = 1.0
"""The last second is not judged: what never came stands in for its look-ahead."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A trace, (samples,) mV at `fs` Hz, and what belongs to it.

    Parameters
    ----------
    raw
        What the device sampled.
    without
        The same trace had the signal lacked its probe; None where it has none.
    raw_without
        The same of raw.
    """

    trace: Samples
    raw: Samples
    fs: int
    without: Samples | None = None
    raw_without: Samples | None = None


@dataclass(frozen=True)
class Judge:
    """One figure of a trace, and from where to where it may lie.

    Parameters
    ----------
    limit
        In words.
    grade
        Of the limit's source, a key of `GRADES`.
    low, high
        Both None: there must be no figure, as of a heart rate where there is no heart.
    """

    what: str
    unit: str
    limit: str
    grade: str
    measure: Callable[[Shown], float | None]
    low: float | None = None
    high: float | None = None

    def passes(self, value: float | None) -> bool:
        """Whether a figure lies within the limits."""
        if self.low is None and self.high is None:
            return value is None
        if value is None or not np.isfinite(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


GRADES = {
    "S1": "a third party that holds the standard confirms the value",
    "S2": "as makers of monitors state it in their manuals, with the clause",
    "S4": "as it is commonly quoted; not confirmed",
    "goal": "our own goal",
}


def cut(trace: Samples, fs: int, start_s: float, stop_s: float) -> Samples:
    """A stretch of a trace."""
    stretch: Samples = trace[max(0, round(start_s * fs)) : round(stop_s * fs)]
    return stretch


def heights(trace: Samples, fs: int, beats_s: Seconds, reach_s: float = QRS_S) -> NDArray[np.float64]:
    """Height from peak to trough around each beat, without its slope, mV."""
    pieces = [cut(trace, fs, at - reach_s, at + reach_s).astype(np.float64) for at in beats_s]
    return np.array([np.ptp(x - np.linspace(x[0], x[-1], len(x))) for x in pieces])


def rate_at(shown: Shown, second: float) -> float | None:
    """The heart rate that a screen says at a second."""
    seen, heard = (cut(each, shown.fs, second - LISTENED_S, second) for each in (shown.trace, shown.raw))
    return heart_rate(find_qrs(seen, shown.fs, heard), seen, shown.fs)


def last_rate(shown: Shown) -> float | None:
    """The heart rate at the end."""
    return rate_at(shown, len(shown.trace) / shown.fs - _LATE_S)


def height_error(beats_s: Seconds, reach_s: float = QRS_S) -> Callable[[Shown], float]:
    """Median height of beats against that of raw, %."""

    def measure(shown: Shown) -> float:
        ours, raw = (np.median(heights(x, shown.fs, beats_s, reach_s)) for x in (shown.trace, shown.raw))
        return float(100 * (ours / raw - 1))

    return measure


def height_change(before_s: Seconds, after_s: Seconds) -> Callable[[Shown], float]:
    """Height of beats after something against that before it, %."""

    def measure(shown: Shown) -> float:
        before, after = (np.median(heights(shown.trace, shown.fs, at)) for at in (before_s, after_s))
        return float(100 * (after / before - 1))

    return measure


def peak_error(beats_s: Seconds, base_s: float) -> Callable[[Shown], float]:
    """Peak above the level before it against that of raw, median over beats, %."""

    def peaks(trace: Samples, fs: int) -> float:
        found = []
        for at in beats_s:
            level = np.median(cut(trace, fs, at - base_s / 2 - 0.15, at - base_s / 2 - 0.03))
            found.append(cut(trace, fs, at - base_s / 2, at + base_s / 2 + 0.02).max() - level)
        return float(np.median(found))

    return lambda shown: 100 * (peaks(shown.trace, shown.fs) / peaks(shown.raw, shown.fs) - 1)


def ratio_error(beats_s: Seconds, t_after_s: float) -> Callable[[Shown], float]:
    """Height of the T wave in that of the QRS, against the same of raw, %."""

    def ratio(trace: Samples, fs: int) -> float:
        found = []
        for at in beats_s:
            level = np.median(cut(trace, fs, at - 0.15, at - 0.07))
            r = cut(trace, fs, at - QRS_S, at + QRS_S).max() - level
            found.append((cut(trace, fs, at + t_after_s - 0.04, at + t_after_s + 0.04).max() - level) / r)
        return float(np.median(found))

    return lambda shown: 100 * (ratio(shown.trace, shown.fs) / ratio(shown.raw, shown.fs) - 1)


def gain(hertz: float, start_s: float) -> Callable[[Shown], float]:
    """How much of a sine comes out, %: of what the signal with it has more than without it."""

    def measure(shown: Shown) -> float:
        out, heard = (_tone(x, shown.fs, hertz, start_s) for x in _apart(shown))
        return float(100 * abs(out) / abs(heard))

    return measure


def _apart(shown: Shown) -> tuple[Samples, Samples]:
    """What the probe changed in the trace, and in raw."""
    if shown.without is None or shown.raw_without is None:
        raise ValueError("this figure needs the signal without its probe")
    return shown.trace - shown.without, shown.raw - shown.raw_without


def _tone(trace: Samples, fs: int, hertz: float, start_s: float) -> complex:
    stop_s = len(trace) / fs - _LATE_S
    periods = int((stop_s - start_s) * hertz)
    part = cut(trace, fs, start_s, start_s + periods / hertz)
    return complex(np.vdot(np.exp(2j * np.pi * hertz * np.arange(len(part)) / fs), part))


def left_of(start_s: float) -> Callable[[Shown], float]:
    """Root mean square of what a probe leaves, in that of raw, %."""

    def measure(shown: Shown) -> float:
        stop_s = len(shown.trace) / shown.fs - _LATE_S
        out, heard = (np.std(cut(x, shown.fs, start_s, stop_s)) for x in _apart(shown))
        return float(100 * out / heard)

    return measure


def displaced(start_s: float, stop_s: float) -> Callable[[Shown], float]:
    """Greatest distance from the trace without the probe, mV."""
    return lambda shown: float(np.abs(cut(_apart(shown)[0], shown.fs, start_s, stop_s)).max())


def slope(start_s: float, stop_s: float, over_s: float = 0.1) -> Callable[[Shown], float]:
    """Steepest change of what the probe changed, mV/s, over a tenth of a second."""

    def measure(shown: Shown) -> float:
        apart, lag = cut(_apart(shown)[0], shown.fs, start_s, stop_s), round(over_s * shown.fs)
        return float(np.abs(apart[lag:] - apart[:-lag]).max() / over_s)

    return measure


def recovered(beats_s: Seconds, before_s: float, ended_s: float) -> Callable[[Shown], float]:
    """Seconds from the end of an event until every QRS has its height, ±20 %, and its level, ±1 mV, again."""

    def measure(shown: Shown) -> float:
        usual = beats_s[(beats_s > _LEARNT_S) & (beats_s < before_s)]
        after = beats_s[(beats_s > ended_s) & (beats_s < len(shown.trace) / shown.fs - _LATE_S)]
        height, level = (np.median(x) for x in (heights(shown.trace, shown.fs, usual), _levels(shown, usual)))
        wrong = np.abs(heights(shown.trace, shown.fs, after) / height - 1) > 0.2
        wrong |= np.abs(_levels(shown, after) - level) > 1.0
        if not wrong.any():
            return float(max(0.0, after[0] - QRS_S - ended_s))
        last = int(np.flatnonzero(wrong)[-1])
        return float(after[last + 1] - ended_s) if last + 1 < len(after) else float("inf")

    return measure


def _levels(shown: Shown, beats_s: Seconds) -> NDArray[np.float64]:
    """Median voltage around each beat, mV."""
    return np.array([np.median(cut(shown.trace, shown.fs, at - QRS_S, at + QRS_S)) for at in beats_s])


def followed(step_s: float, bpm: float) -> Callable[[Shown], float]:
    """Seconds from a step of the rate until what is said stays within 10 % or 5 bpm of the new one."""

    def measure(shown: Shown) -> float:
        looks = np.arange(step_s, len(shown.trace) / shown.fs - _LATE_S, 0.5)
        rates = [rate_at(shown, second) for second in looks]
        wrong = [rate is None or abs(rate - bpm) > max(5.0, 0.1 * bpm) for rate in rates]
        if not any(wrong):
            return 0.0
        last = int(np.flatnonzero(wrong)[-1])
        return float(looks[last + 1] - step_s) if last + 1 < len(looks) else float("inf")

    return measure


def rings(beats_s: Seconds) -> Callable[[Shown], float]:
    """Greatest voltage 60 to 140 ms after a QRS, against the level before it, mV; median over beats."""

    def measure(shown: Shown) -> float:
        found = []
        for at in beats_s:
            level = np.median(cut(shown.trace, shown.fs, at - 0.2, at - 0.06))
            found.append(np.abs(cut(shown.trace, shown.fs, at + 0.06, at + 0.14) - level).max())
        return float(np.median(found))

    return measure


def span(start_s: float) -> Callable[[Shown], float]:
    """Highest less lowest, µV."""

    def measure(shown: Shown) -> float:
        part = cut(shown.trace, shown.fs, start_s, len(shown.trace) / shown.fs - _LATE_S)
        return float(1000 * np.ptp(part))

    return measure
