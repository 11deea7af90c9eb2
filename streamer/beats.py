"""A causal detector of QRS complexes: beats of one lead as they come, with a stated delay.

A filter of the shape of a QRS (a Gabor pair around 16 Hz) gives an envelope in mV; its peaks count as
beats by the lead's own history and by a floor in mV, so that noise alone has none. A beat lies where the
lead itself is furthest from what surrounds it, near the peak of the envelope.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FLOOR_MV = 0.12
"""Least envelope of a beat, in mV of a narrow QRS (σ 12 ms) of that height."""
_RATE_HZ = 150.0
"""Detection runs at this rate or up to twice as much, whatever the lead's."""
_CENTRE_HZ, _WIDTH_S, _REACH_WIDTHS = 16.0, 0.025, 2.7
_NARROW_S = 0.012
_SMOOTHED_S = 0.015  # a broad complex has a hump for its rise and one for its fall: one beat, in the middle
_DESPIKED = 4
_NEAR_S, _FINE_S, _AROUND_S = 0.05, 0.006, 0.045  # how near, and widths of a wave and of its surroundings
_PEAK_S = 0.09
_REFRACTORY_S = 0.18
_P_WAVE_S, _P_SHARE = 0.26, 0.75
_T_WAVE_S, _T_SHARE = 0.36, 0.5
_LEARN_S = 2.0
_OF_LEVEL = 0.35
_LOOK_BACK, _LOOK_BACK_SHARE = 1.5, 0.5
_FADES_S = 2.0
_REMEMBERED = 8
_HOLE_S = 0.04


class _Peak(NamedTuple):
    """A peak of the envelope: its place at the slower rate, its height in mV, and its sample of the lead."""

    at: int
    height: float
    sample: int


class BeatDetector:
    """Finds beats in a lead that comes in chunks; any cut into chunks finds the same ones.

    A beat is given once nothing that follows can replace it. One that is found by
    looking back, because the next one is overdue, comes later. The first `_LEARN_S` are learnt from.

    Parameters
    ----------
    fs
        Sampling rate of the lead, Hz; 100 and more.
    step_mv
        Step of the lead's ADC where it is known: noise of one step is no beat.
    located
        False leaves a beat at the peak of the envelope, which lies the less evenly the less it is a beat.

    Attributes
    ----------
    delay_s
        A beat is given no later than this after it, 0.55 s at most.

    Raises
    ------
    ValueError
        Where `fs` is less than 100 Hz.
    """

    def __init__(self, fs: float, step_mv: float = 0.0, *, located: bool = True) -> None:
        if fs < 100:
            raise ValueError(f"beats are found at 100 Hz and more, got {fs:g}")
        self._every = max(1, int(fs / _RATE_HZ))
        self._fs = fs / self._every
        self._hole = max(1, round(_HOLE_S * fs))
        self._floor = max(FLOOR_MV, 1.5 * step_mv)
        self._kernels = _kernels(self._fs)
        self._peak = max(1, round(_PEAK_S * self._fs))
        self._smooth = _bell(_SMOOTHED_S, self._fs)
        self._margin = (len(self._kernels[0]) + len(self._smooth)) // 2 - 1 + _DESPIKED
        self._locates = located
        self._near = round(_NEAR_S * fs)
        # What has come when a peak is judged.
        self._around = (self._peak + self._margin) * self._every - self._near
        self._locator = _bell(_FINE_S, fs, self._around) - _bell(_AROUND_S, fs, self._around)
        self.delay_s = _P_WAVE_S + (self._peak + self._margin + 2) / self._fs + self._near / fs
        self._source = np.empty(0, np.float64)  # of the lead itself, as much as beats are located in
        self._source_at = 0
        self._rest = np.empty(0, np.float64)  # too few samples for one of the slower rate
        self._tail = np.zeros(self._margin)  # slower samples that the filter still needs
        self._envelope = np.zeros(self._peak)  # not yet looked through for peaks, and what is before
        self._at = -self._peak  # slower index of its first sample
        self._held, self._lost, self._shift = 0.0, self._hole + 1, 0.0
        self._learnt = False
        self._waiting: list[_Peak] = []  # before anything was learnt
        self._passed: list[_Peak] = []  # since the last beat, and none themselves
        self._level: deque[float] = deque(maxlen=_REMEMBERED)
        self._noise: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._intervals: deque[int] = deque(maxlen=_REMEMBERED)
        self._beats: list[_Peak] = []  # those that may still be replaced, after the one before
        self._told = -1
        self._came = 0

    def push(self, lead: NDArray[np.float32]) -> NDArray[np.int64]:
        """Take the next samples, (samples,) mV with NaN where missing; the beats that are certain now."""
        self._came += len(lead)
        bridged = self._bridged(lead)
        self._source = np.concatenate([self._source, bridged])
        samples = np.concatenate([self._rest, bridged])
        whole = len(samples) // self._every
        self._rest = samples[whole * self._every :]
        slow = samples[: whole * self._every].reshape(whole, self._every).mean(axis=1)
        return self._take(slow)

    def finish(self) -> NDArray[np.int64]:
        """End the lead; the beats that were not certain yet."""
        ahead = self._margin + self._peak + round(_P_WAVE_S * self._fs) + 1
        found = self._take(np.full(ahead, self._tail[-1]))
        if not self._learnt:
            self._learn()
            found = self._certain(self._at + len(self._envelope))
        return found[found < self._came]

    def _bridged(self, lead: NDArray[np.float32]) -> NDArray[np.float64]:
        """Missing samples held; after more than `_HOLE_S` of them the lead goes on at that level."""
        known = np.isfinite(lead)
        samples = np.where(known, lead, 0).astype(np.float64)
        edges = np.flatnonzero(np.diff(np.concatenate([[self._lost == 0], known]).astype(np.int8)))
        start = 0
        for edge in [*edges.tolist(), len(lead)]:
            if edge > start:
                part = samples[start:edge]
                if known[start]:
                    if self._lost > self._hole:
                        self._shift = self._held - part[0]
                    self._lost = 0
                    part += self._shift
                    self._held = float(part[-1])
                else:
                    part[:] = self._held
                    self._lost += edge - start
            start = edge
        return samples

    def _take(self, slow: NDArray[np.float64]) -> NDArray[np.int64]:
        """Samples of the slower rate."""
        samples = np.concatenate([self._tail, slow])
        self._tail = samples[max(0, len(samples) - 2 * self._margin) :]
        if len(samples) <= 2 * self._margin:
            return np.empty(0, np.int64)
        smooth = _without_pulses(samples)
        even, odd = (np.convolve(smooth, kernel, "valid") for kernel in self._kernels)
        heights = np.convolve(np.hypot(even, odd), self._smooth, "valid")
        envelope = self._envelope = np.concatenate([self._envelope, heights])
        size = 2 * self._peak + 1
        if len(envelope) < size:
            return np.empty(0, np.int64)
        middle = envelope[self._peak : -self._peak]
        highest = sliding_window_view(envelope, size).max(axis=-1)
        peaks = np.flatnonzero((middle == highest) & (middle > 0))
        first = self._at + self._peak
        for peak in peaks.tolist():
            self._judge(self._located(first + peak, float(middle[peak])))
        self._envelope = envelope[len(middle) :]
        self._at += len(middle)
        old = (self._at + self._peak) * self._every - self._near - self._around - self._source_at
        if old > 0:
            self._source, self._source_at = self._source[old:], self._source_at + old
        return self._certain(first + len(middle))

    def _located(self, at: int, height: float) -> _Peak:
        """A peak of the envelope, and the sample near it that is furthest from what surrounds it."""
        sample = at * self._every + self._every // 2
        if not self._locates or height < self._floor / 2:
            return _Peak(at, height, sample)
        reach = self._near + self._around
        first, stop = sample - reach - self._source_at, sample + reach + 1 - self._source_at
        part = self._source[max(0, first) : stop]
        if first < 0 or stop > len(self._source):
            # The lead begins or ends here: as if it had stood still before, or stood still from then on.
            part = np.pad(part, (max(0, -first), max(0, stop - len(self._source))), "edge")
        away = np.abs(np.convolve(part, self._locator, "valid"))
        return _Peak(at, height, sample - self._near + int(away.argmax()))

    def _learn(self) -> None:
        self._learnt = True
        self._level.extend(3 * [max((peak.height for peak in self._waiting), default=0.0)])
        for peak in self._waiting:
            self._judge(peak)

    def _judge(self, peak: _Peak) -> None:
        """Whether a peak of the envelope is a beat."""
        at, height, _ = peak
        if not self._learnt:
            if at < _LEARN_S * self._fs:
                self._waiting.append(peak)
                return
            self._learn()
        level = sorted(self._level)[len(self._level) * 2 // 5]
        noise = sorted(self._noise)[len(self._noise) // 2]
        needed = max(self._floor, noise + _OF_LEVEL * (level - noise))
        self._look_back(at, needed)
        last, last_height, _ = self._beats[-1] if self._beats else _Peak(-round(1e9), 0.0, 0)
        since = (at - last) / self._fs
        if self._beats:
            needed = max(self._floor, needed * 0.5 ** max(0.0, since - _FADES_S))
        p_wave = since < _P_WAVE_S and last_height < _P_SHARE * height
        if p_wave or (since < _REFRACTORY_S and height > last_height):
            # What came before was a P wave, or the lesser half of this one.
            self._beats.pop()
            self._level.pop()
            if self._beats:
                self._intervals.pop()
            self._accept(peak)
        elif since >= _REFRACTORY_S:
            t_wave = since < _T_WAVE_S and height < _T_SHARE * last_height
            if height >= needed and not t_wave:
                self._accept(peak)
            else:
                self._passed.append(peak)
                self._noise.append(height)

    def _look_back(self, now: int, needed: float) -> None:
        """Take the highest of the peaks that were none, where a beat is overdue."""
        if len(self._intervals) < 3:
            return
        usual = sorted(self._intervals)[len(self._intervals) // 2]
        last = self._beats[-1].at
        if now - last <= _LOOK_BACK * usual:
            return
        enough = max(self._floor, _LOOK_BACK_SHARE * needed)
        near, late = last + _T_WAVE_S * self._fs, now - _REFRACTORY_S * self._fs
        found = [peak for peak in self._passed if near < peak.at < late and peak.height > enough]
        if found:
            highest = max(found, key=lambda peak: (peak.height, peak.at))
            later = [peak for peak in self._passed if peak.at > highest.at]
            self._accept(highest)
            self._passed = later

    def _accept(self, peak: _Peak) -> None:
        if self._beats:
            self._intervals.append(peak.at - self._beats[-1].at)
        self._beats.append(peak)
        self._level.append(peak.height)
        self._passed.clear()

    def _certain(self, seen: int) -> NDArray[np.int64]:
        """Beats that nothing can replace any more, as samples of the lead."""
        until = seen - _P_WAVE_S * self._fs
        ready = [peak for peak in self._beats if self._told < peak.at <= until]
        if ready:
            self._told = ready[-1].at
            # The newest one stays, for the interval to the next.
            self._beats = [peak for peak in self._beats if peak.at >= self._told]
        return np.array([peak.sample for peak in ready], np.int64)


def _without_pulses(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Peaks and troughs of less than three samples cut off; `_DESPIKED` fewer at either end."""

    def least(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.minimum(np.minimum(x[:-2], x[1:-1]), x[2:])

    def most(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(np.maximum(x[:-2], x[1:-1]), x[2:])

    return least(most(most(least(samples))))


def find_beats(lead: NDArray[np.float32], fs: float, *, located: bool = True) -> NDArray[np.int64]:
    """Sample index of each QRS complex of a whole lead, (samples,) mV, as `BeatDetector` finds them."""
    detector = BeatDetector(fs, located=located)
    return np.concatenate([detector.push(lead), detector.finish()])


def _bell(width_s: float, fs: float, reach: int | None = None) -> NDArray[np.float64]:
    """Weights of a Gaussian, odd in number, of sum 1."""
    reach = round(_REACH_WIDTHS * width_s * fs) if reach is None else reach
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / fs / width_s) ** 2)
    return np.asarray(bell / bell.sum())


def _kernels(fs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Even and odd filter; the smoothed envelope of both is 1 for a narrow QRS of 1 mV."""
    bell = _bell(_WIDTH_S, fs)
    t = (np.arange(len(bell)) - len(bell) // 2) / fs
    even, odd = bell * np.cos(2 * np.pi * _CENTRE_HZ * t), bell * np.sin(2 * np.pi * _CENTRE_HZ * t)
    even -= bell * even.sum() / bell.sum()
    t = (np.arange(6 * len(bell)) - 3 * len(bell)) / fs
    narrow = np.exp(-0.5 * (t / _NARROW_S) ** 2)
    envelope = np.hypot(np.convolve(narrow, even, "same"), np.convolve(narrow, odd, "same"))
    gain = float(np.convolve(envelope, _bell(_SMOOTHED_S, fs), "same").max())
    return even / gain, odd / gain
