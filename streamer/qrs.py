"""Beats in the newest seconds of a lead, for a heart rate on a screen: they need evidence.

A detector that learns its threshold from whatever it hears finds beats in loud noise. Here more is asked
of what it found: millivolts, a rise and a fall that both last longer than a pacemaker's pulse, and
complexes that stand out from what lies between them and are alike. Otherwise there are no beats, and no
heart rate.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.beats import find_beats
from streamer.chunk import Samples

BEAT_MV = 0.13
"""The lesser of the steepest rise and the steepest fall of a beat, over `SLOPE_S`: weaker is none. A P wave
of 0.2 mV reaches 0.11; a QRS of 0.15 mV from peak to peak, which no monitor is required to count, less."""
SLOPE_S = 0.022
"""A rise or fall is measured over this: half of a narrow QRS."""
PULSE_S = 0.006
"""What is shorter is a pacemaker's pulse, or a spark."""
JUMP_S, JUMP_SHARE = 0.006, 0.95
"""A step that takes no longer, and is so much of all that lies within `_REACH_S` of it, is a jump: a pulse
leaves its electrode charged, which then fades. Flanks of QRS complexes reach 0.75, and seldom more: of 2 208
heart rates of MIT-BIH three are missed or too low by a beat (at 0.9 twelve)."""
FAST_MV = 0.116
"""Enough where beats are fast, even and alike: a ventricular tachycardia of 0.5 mV and 206 a minute reaches
0.122, a QRS of 0.15 mV at any rate 0.11."""
STANDS_OUT, STANDS_OUT_FAST, STANDS_OUT_FEW = 7.6, 2.6, 15.0
"""Beats are so many times as steep as the quiet quarter of the stretch, where their intervals are even;
where they are also shorter than `FAST_S`, so that little is quiet; and where they are three or fewer.
Electrode motion with even intervals reaches 7.5, Gaussian noise 2.3."""
STANDS_OUT_UNEVEN = 9.0
"""Where intervals are not even, beats are so many times as steep as the quiet half: electrode motion reaches
8.5. It costs two hundredths of the right heart rates of MIT-BIH, and half of the wrong ones."""
EVEN, EVEN_FEWEST = 0.25, 5
"""Intervals of so many beats are even where their standard deviation is a smaller share of their mean."""
FAST_S = 0.42
FAST_BEATS, FAST_STANDS_OUT, FAST_ALIKE, FAST_SCATTER = 15, 1.3, 0.95, 0.06
"""A fast ventricular rhythm has no quiet quarter at all: so many fast beats that stand out so much are enough
if they are as alike and as even as this. Of sines from 1.5 to 12 Hz and of noise in a narrow band, intervals
scatter by 0.12 and more of their mean, or they stand out by 1.0."""
HOLE_S = 0.02
"""Fewer samples that are missing are bridged; over more no beat is looked for."""
ALIKE = 0.8
"""Median over beats of the correlation with the third most similar one: muscle noise reaches 0.6, the least
similar beats of MIT-BIH 0.88."""
ALIKE_FEW = 0.9
"""The same of three beats or fewer, with the most similar one: any two noises may be a little alike."""
_LOWPASS_HZ = 30.0
_ENERGY_S = 0.09
_REACH_S = 0.1
_SHAPE_S, _SHIFT_S = 0.15, 0.04
_SHORTEST_S = 1.0
_FEW = 3


def find_qrs(lead: Samples, fs: float, heard: Samples | None = None) -> NDArray[np.int64]:
    """Sample index of each QRS complex, in order; none where nothing proves that there is a heart.

    They are those of `streamer.beats.BeatDetector`; what is asked of them is evidence in mV as the guard's,
    and that their slope's energy over 90 ms stands out from the rest.

    Parameters
    ----------
    lead
        (samples,) mV; NaN is missing, and no beat lies there.
    fs
        Hz, 100 and more.
    heard
        What a cleaned lead was made of, of the same length: where that only jumps there is no beat, be the
        jump as round as a network makes it. None where the lead is raw.
    """
    from scipy import ndimage

    none = np.empty(0, np.int64)
    missing = ~np.isfinite(lead)
    if len(lead) < _SHORTEST_S * fs or missing.mean() > 0.5:
        return none
    steady = _steady(lead, missing, fs)
    trace, slope = _sloping(steady, fs)
    lag = max(1, round(SLOPE_S * fs))
    slope[ndimage.binary_dilation(holes(missing, HOLE_S * fs), iterations=lag)] = 0.0
    # Not located: a sine has even intervals as soon as its crests are found, and would have a rate.
    beats = find_beats(lead, fs, located=False)
    strength = _strength(slope, fs)
    beats = beats[(strength[beats] >= FAST_MV) & ~_only_jumps(steady, fs)[beats]]
    if heard is not None:
        beats = beats[~_only_jumps(_steady(heard, ~np.isfinite(heard), fs), fs)[beats]]
    if beats.size == 0:
        return none
    power = ndimage.uniform_filter1d(slope**2, max(3, round(_ENERGY_S * fs)), mode="constant")
    # A running sum may end a little below zero.
    energy = np.sqrt(np.maximum(power, 0.0))
    quarter, half = np.maximum(np.percentile(energy[~missing], [25, 50]), 1e-12)
    for weakest, proved in ((BEAT_MV, _is_heart), (FAST_MV, _is_fast_heart)):
        found = beats[strength[beats] >= weakest]
        steep = float(np.median(energy[found])) if found.size else 0.0
        alike = partial(_alike, trace, found, fs)
        if proved(_Evidence(found / fs, steep / quarter, steep / half, alike)):
            return found
    return none


class _Evidence(NamedTuple):
    """When beats are, s; how far they stand out from the quiet quarter and half; how alike they are."""

    at_s: NDArray[np.float64]
    over_quarter: float
    over_half: float
    alike: Callable[[], float]


def _is_heart(beats: _Evidence) -> bool:
    """Whether they prove a heart.

    Noise that looks like beats comes at any time: where these are not even, or few, more is asked of them.
    """
    count, intervals = beats.at_s.size, np.diff(beats.at_s)
    if count <= _FEW:
        return beats.over_quarter >= STANDS_OUT_FEW and beats.alike() >= ALIKE_FEW
    if count < EVEN_FEWEST or intervals.std() >= EVEN * intervals.mean():
        return beats.over_half >= STANDS_OUT_UNEVEN and beats.alike() >= ALIKE
    enough = STANDS_OUT_FAST if float(np.median(intervals)) < FAST_S else STANDS_OUT
    return (beats.over_quarter >= enough and beats.alike() >= ALIKE) or _is_fast_heart(beats)


def _is_fast_heart(beats: _Evidence) -> bool:
    """Whether they are a fast rhythm that has no quiet quarter: so many, even and alike as no noise is."""
    count, intervals = beats.at_s.size, np.diff(beats.at_s)
    if count < FAST_BEATS or np.median(intervals) >= FAST_S:
        return False
    even = bool(intervals.std() <= FAST_SCATTER * intervals.mean())
    return even and beats.over_quarter >= FAST_STANDS_OUT and beats.alike() >= FAST_ALIKE


def holes(missing: NDArray[np.bool_], longest: float) -> NDArray[np.bool_]:
    """Those of the missing samples that stand in a row of more than `longest`."""
    from scipy import ndimage

    rows: NDArray[np.bool_] = ndimage.binary_opening(missing, np.ones(int(longest) + 1, np.bool_))
    return rows


def _steady(lead: Samples, missing: NDArray[np.bool_], fs: float) -> NDArray[np.float64]:
    """A lead with its holes bridged, and peaks and troughs shorter than `PULSE_S` cut off."""
    return _without_pulses(_bridged(lead.astype(np.float64), missing), fs)


def _bridged(lead: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not missing.any():
        return lead
    known = np.flatnonzero(~missing)
    return np.interp(np.arange(len(lead)), known, lead[known])


def _without_pulses(trace: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Peaks and troughs shorter than `PULSE_S` cut off."""
    from scipy import ndimage

    size = round(PULSE_S * fs) + 1
    if size < 2:
        return trace
    opened = ndimage.grey_opening(trace, (size,))
    closed: NDArray[np.float64] = ndimage.grey_closing(opened, (size,))
    return closed


def _only_jumps(steady: NDArray[np.float64], fs: float) -> NDArray[np.bool_]:
    """Where a trace rises and falls by a beat, but has no such rise or fall without its jumps."""
    calm = _without_jumps(steady, fs)
    if calm is steady:
        return np.zeros(len(steady), np.bool_)
    whole, rest = (_strength(_sloping(each, fs)[1], fs) >= BEAT_MV for each in (steady, calm))
    only: NDArray[np.bool_] = whole & ~rest
    return only


def _without_jumps(trace: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Jumps taken out, and as much to both sides: a resampler spreads them. The same array where none is."""
    from scipy import ndimage

    span, size = max(1, round(JUMP_S * fs)), 2 * round(_REACH_S * fs) + 1
    reached = ndimage.maximum_filter1d(trace, size) - ndimage.minimum_filter1d(trace, size)
    step = np.abs(trace[span:] - trace[:-span])
    begun = np.flatnonzero((step > JUMP_SHARE * reached[:-span]) & (step > BEAT_MV))
    if not begun.size:
        return trace
    moves = np.diff(trace, prepend=trace[0])
    moves[(begun[:, None] + np.arange(1 - span, 2 * span + 1)).clip(0, len(trace) - 1)] = 0.0
    return np.asarray(trace[0] + np.cumsum(moves))


def _sloping(trace: NDArray[np.float64], fs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A trace without what is faster than a QRS complex, and its slope in mV over `SLOPE_S`."""
    from scipy import signal

    smooth = signal.sosfiltfilt(signal.butter(2, _LOWPASS_HZ, "lowpass", fs=fs, output="sos"), trace)
    lag = max(1, round(SLOPE_S * fs))
    slope = np.zeros_like(smooth)
    slope[lag // 2 : len(smooth) - lag + lag // 2] = smooth[lag:] - smooth[:-lag]
    return smooth, slope


def _strength(slope: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """The lesser of the steepest rise and the steepest fall around each sample, mV."""
    from scipy import ndimage

    size = 2 * round(_REACH_S * fs) + 1
    rise = ndimage.maximum_filter1d(slope, size, mode="constant")
    fall = ndimage.maximum_filter1d(-slope, size, mode="constant")
    lesser: NDArray[np.float64] = np.minimum(rise, fall)
    return lesser


def _alike(trace: NDArray[np.float64], beats: NDArray[np.int64], fs: float) -> float:
    """How similar the complexes are to their likes; 1 of a single one, 0 where the others are cut off.

    The third most similar counts, so that two kinds of beats in turn are as good as one; of three beats or
    fewer the most similar.
    """
    half, shift = round(_SHAPE_S * fs), max(1, round(_SHIFT_S * fs))
    inside = beats[(beats >= half + shift) & (beats < len(trace) - half - shift)]
    if inside.size < 2:
        return float(beats.size < 2)
    pieces = trace[inside[:, None] + np.arange(-half - shift, half + shift)]
    fixed = _normed(pieces[:, shift:-shift])
    found = np.full((inside.size, inside.size), -1.0)
    for at in range(0, 2 * shift + 1, max(1, shift // 7)):
        np.maximum(found, fixed @ _normed(pieces[:, at : at + 2 * half]).T, out=found)
    np.fill_diagonal(found, -1.0)
    ranked = np.sort(found, axis=1)
    return float(np.median(ranked[:, -3 if inside.size > _FEW else -1]))


def _normed(pieces: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = pieces - pieces.mean(axis=1, keepdims=True)
    normed: NDArray[np.float64] = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-12)
    return normed
