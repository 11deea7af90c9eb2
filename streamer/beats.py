"""A causal detector of QRS complexes: beats of one lead as they come, with a stated delay.

A filter of the shape of a QRS (a Gabor pair around 16 Hz) gives an envelope in mV; its peaks count as
beats by the lead's own history and by a floor in mV, so that noise alone has none. A beat lies where the
lead itself is furthest from what surrounds it, near the peak of the envelope.
"""

from collections import deque
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.beat_envelope import DESPIKED, SMOOTHED_S, bell, filtered, gabor_pair, without_pulses

FLOOR_MV = 0.12
"""Least envelope of a beat, in mV of a narrow QRS (σ 12 ms) of that height."""
_RATE_HZ = 150.0
"""Detection runs at this rate or up to twice as much, whatever the lead's."""
_NEAR_S, _FINE_S, _AROUND_S = 0.05, 0.006, 0.045  # how near, and widths of a wave and of its surroundings
_PEAK_S = 0.09
_REFRACTORY_S = 0.18
_P_WAVE_S, _P_SHARE = 0.26, 0.75
_T_WAVE_S, _T_SHARE = 0.36, 0.5
_LEARN_S = 2.0
_OF_LEVEL = 0.35
_LOOK_BACK, _LOOK_BACK_SHARE, _LOOK_BACK_FEWEST = 1.5, 0.5, 3
_FADES_S = 2.0
_REMEMBERED = 8
_AT_ONCE = 1 << 16  # samples
_HOLE_S = 0.04


class _Peak(NamedTuple):
    """A peak of the envelope: its place at the slower rate, and its height in mV."""

    at: int
    height: float


_NEVER = _Peak(-round(1e9), 0.0)


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
        self._kernels = gabor_pair(self._fs)
        self._peak = max(1, round(_PEAK_S * self._fs))
        self._smooth = bell(SMOOTHED_S, self._fs)
        self._margin = (len(self._kernels[0]) + len(self._smooth)) // 2 - 1 + DESPIKED
        self._locates = located
        self._near = round(_NEAR_S * fs)
        # What has come when a peak is judged.
        self._around = (self._peak + self._margin) * self._every - self._near
        self._locator = bell(_FINE_S, fs, self._around) - bell(_AROUND_S, fs, self._around)
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
        self._passed: list[_Peak] = []  # since the last beat, none themselves, and high enough for one
        self._level: deque[float] = deque(maxlen=_REMEMBERED)
        self._usual = 0.0  # height of a beat, by these
        self._noise: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._intervals: deque[int] = deque(maxlen=_REMEMBERED)
        self._beats: list[_Peak] = []  # those that may still be replaced, after the one before
        self._last = _NEVER  # the last of them
        self._overdue = inf  # slower index behind which the next one is
        self._told = -1
        self._came = 0

    def push(self, lead: NDArray[np.float32]) -> NDArray[np.int64]:
        """Take the next samples, (samples,) mV with NaN where missing; the beats that are certain now."""
        # What fits into a cache: a long lead takes a quarter less time.
        cuts = range(0, len(lead), _AT_ONCE) if len(lead) else (0,)
        return np.concatenate([self._push(lead[start : start + _AT_ONCE]) for start in cuts])

    def _push(self, lead: NDArray[np.float32]) -> NDArray[np.int64]:
        self._came += len(lead)
        bridged = self._bridged(lead)
        self._source = np.concatenate([self._source, bridged])
        samples = np.concatenate([self._rest, bridged])
        whole = len(samples) // self._every
        self._rest = samples[whole * self._every :]
        turns = samples[: whole * self._every].reshape(whole, self._every).T
        return self._take(sum(turns[1:], turns[0]) / self._every)

    def finish(self) -> NDArray[np.int64]:
        """End the lead; the beats that were not certain yet."""
        ahead = self._margin + self._peak + round(_P_WAVE_S * self._fs) + 1
        found = self._take(np.full(ahead, self._tail[-1]))
        if not self._learnt:
            self._learn()
            found = self._located(self._certain(self._at + len(self._envelope)))
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
        smooth = without_pulses(samples)
        even, odd = (filtered(smooth, kernel) for kernel in self._kernels)
        heights = filtered(np.sqrt(even * even + odd * odd), self._smooth)
        envelope = self._envelope = np.concatenate([self._envelope, heights])
        size = 2 * self._peak + 1
        if len(envelope) < size:
            return np.empty(0, np.int64)
        middle = envelope[self._peak : -self._peak]
        # Of all places, those not below their neighbours are few: only their surroundings are looked at.
        before, behind = envelope[self._peak - 1 : -self._peak - 1], envelope[self._peak + 1 :]
        peaks = np.flatnonzero((middle >= before) & (middle >= behind[: len(middle)]) & (middle > 0))
        peaks = peaks[envelope[peaks[:, None] + np.arange(size)].max(axis=1) == middle[peaks]]
        first = self._at + self._peak
        for at, height in zip((first + peaks).tolist(), middle[peaks].tolist(), strict=True):
            self._judge(_Peak(at, height))
        self._envelope = envelope[len(middle) :]
        self._at += len(middle)
        found = self._located(self._certain(first + len(middle)))
        undecided = [peaks[0].at for peaks in (self._waiting, self._passed, self._untold()) if peaks]
        self._forget(min([self._at + self._peak, *undecided]))
        return found

    def _forget(self, until: int) -> None:
        """Drop what no peak from this one on is located in."""
        old = until * self._every - self._near - self._around - self._source_at
        if old > 0:
            self._source, self._source_at = self._source[old:], self._source_at + old

    def _located(self, peaks: list[_Peak]) -> NDArray[np.int64]:
        """Of each peak of the envelope the sample near it that is furthest from what surrounds it."""
        samples = np.array([peak.at for peak in peaks], np.int64) * self._every + self._every // 2
        if not self._locates or not peaks:
            return samples
        reach = self._near + self._around
        first, last = int(samples[0]) - reach - self._source_at, int(samples[-1]) + reach - self._source_at
        before, behind = max(0, -first), max(0, last + 1 - len(self._source))
        # Where the lead begins or ends here: as if it had stood still before, or stood still from then on.
        source = np.pad(self._source, (before, behind), "edge") if before or behind else self._source
        starts = samples - reach - self._source_at + before
        # One by one: what a product of matrices rounds to depends on how many come at once.
        parts = source[starts[:, None] + np.arange(2 * reach + 1)]
        away = np.abs([np.convolve(part, self._locator, "valid") for part in parts])
        located: NDArray[np.int64] = samples + away.argmax(axis=1) - self._near
        return located

    def _learn(self) -> None:
        self._learnt = True
        self._level.extend(3 * [max((peak.height for peak in self._waiting), default=0.0)])
        self._usual = self._level[0]
        for peak in self._waiting:
            self._judge(peak)
        self._waiting.clear()

    def _judge(self, peak: _Peak) -> None:
        """Whether a peak of the envelope is a beat."""
        at, height = peak
        if not self._learnt:
            if at < _LEARN_S * self._fs:
                self._waiting.append(peak)
                return
            self._learn()
        last, last_height = self._last
        since = (at - last) / self._fs
        if height < self._floor and at <= self._overdue:
            # Most of what lies between beats: too low for one whatever comes.
            if since >= _REFRACTORY_S:
                self._noise.append(height)
            return
        noise = sorted(self._noise)[len(self._noise) // 2]
        needed = max(self._floor, noise + _OF_LEVEL * (self._usual - noise))
        if at > self._overdue:
            last, last_height = self._look_back(at, needed)
            since = (at - last) / self._fs
        if since > _FADES_S and self._beats:
            needed = max(self._floor, needed * 0.5 ** (since - _FADES_S))
        if (since < _P_WAVE_S and last_height < _P_SHARE * height) or (
            since < _REFRACTORY_S and last_height < height
        ):
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
                if height > self._floor:
                    self._passed.append(peak)
                self._noise.append(height)

    def _look_back(self, now: int, needed: float) -> _Peak:
        """Take the highest of the peaks that were none, a beat being overdue; the last beat then."""
        enough = max(self._floor, _LOOK_BACK_SHARE * needed)
        near, late = self._last.at + _T_WAVE_S * self._fs, now - _REFRACTORY_S * self._fs
        found = [peak for peak in self._passed if near < peak.at < late and peak.height > enough]
        if found:
            highest = max(found, key=lambda peak: (peak.height, peak.at))
            later = [peak for peak in self._passed if peak.at > highest.at]
            self._accept(highest)
            self._passed = later
        return self._last

    def _accept(self, peak: _Peak) -> None:
        if self._beats:
            self._intervals.append(peak.at - self._beats[-1].at)
        self._beats.append(peak)
        self._last = peak
        count = len(self._intervals)
        if count >= _LOOK_BACK_FEWEST:
            self._overdue = peak.at + _LOOK_BACK * sorted(self._intervals)[count // 2]
        self._level.append(peak.height)
        self._usual = sorted(self._level)[len(self._level) * 2 // 5]
        self._passed.clear()

    def _untold(self) -> list[_Peak]:
        return [peak for peak in self._beats if peak.at > self._told]

    def _certain(self, seen: int) -> list[_Peak]:
        """Beats that nothing can replace any more."""
        until = seen - _P_WAVE_S * self._fs
        ready = [peak for peak in self._untold() if peak.at <= until]
        if ready:
            self._told = ready[-1].at
            # The newest one stays, for the interval to the next.
            self._beats = [peak for peak in self._beats if peak.at >= self._told]
        return ready


def find_beats(lead: NDArray[np.float32], fs: float, *, located: bool = True) -> NDArray[np.int64]:
    """Sample index of each QRS complex of a whole lead, (samples,) mV, as `BeatDetector` finds them."""
    detector = BeatDetector(fs, located=located)
    return np.concatenate([detector.push(lead), detector.finish()])
