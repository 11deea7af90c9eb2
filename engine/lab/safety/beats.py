"""Invented and erased beats in a network's output."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.signal import medfilt

from engine.config import EngineConfig
from engine.lab.safety.cases import Case
from engine.lab.xqrs import find_beats_xqrs
from models.beat_matching import Beats, match_beats
from models.benches.track_f import FS
from streamer.beats import find_beats

SETTLED_S = 10.0
"""Detections before this second are not counted."""
VISIBLE_MV = 0.15
"""Least height of a deflection that may count as a beat; IEC 60601-2-27 forbids counting smaller ones."""
RUN_GAP_S = 2.0
"""Invented beats no further apart than this make a run …"""
_RUN_S = 3.0
"""… which counts where it is longer than this."""
MATCH_S = 0.15
_DETECTED_S = 300.0  # at once: the detector's time grows with the square of what it finds nothing in
_NEAR_S = 0.06
_SPIKE_S = 0.006  # a pacemaker's pulse lasts 2 ms; what is shown as narrow is no beat
_ERASED = 0.5
"""A beat that both detectors miss is erased where the output has less than this share of its height."""
_HALF_WIDTH_S = 0.15


def all_beats(word: NDArray[np.float32]) -> Beats:
    """Sample index of all beats that either of two detectors finds once it has settled, in order.

    The screen's own, and one that is not ours and has no floor: in a network's output for electrode
    motion the first finds more, for muscle noise the second.
    """
    settled, length = round(SETTLED_S * FS), round(_DETECTED_S * FS)
    theirs = [np.empty(0, np.int64)]
    with np.errstate(divide="ignore", invalid="ignore"):  # the detector's own, in silence
        for start in range(0, len(word), length - settled):
            beats = find_beats_xqrs(word[start : start + length], FS)
            theirs.append(start + beats[beats >= settled])
    ours = find_beats(word, FS)
    return _either(ours[ours >= settled], np.concatenate(theirs))


def _either(ours: Beats, theirs: Beats) -> Beats:
    """All of both, each beat once."""
    both = match_beats(ours, theirs, round(MATCH_S * FS))[1]
    return np.sort(np.concatenate([ours, np.delete(theirs, both)]))


def invented(case: Case, word: NDArray[np.float32], found: Beats, config: EngineConfig) -> dict[str, Any]:
    """Beats in stretches that hold none."""
    margin = round(MATCH_S * FS)
    inside = [found[(found >= a + margin) & (found < b - margin)] for a, b in case.silent]
    beats = np.concatenate(inside)
    reach = round(_NEAR_S * FS)
    lasting = medfilt(word, 2 * round(_SPIKE_S * FS) + 1)
    height = np.array([np.ptp(lasting[max(0, beat - reach) : beat + reach]) for beat in beats])
    visible = beats[height >= VISIBLE_MV] if beats.size else beats
    hours = sum(b - a for a, b in case.silent) / FS / 3600
    figures = {
        "detected_per_hour": len(beats) / hours,
        "invented_per_hour": len(visible) / hours,
        "longest_run_s": longest_run_s(visible),
        "runs_over_3_s": count_runs(visible),
    }
    if case.group == "asystole":
        late = max((int(beat) - case.silent[0][0] for beat in visible), default=0)
        figures["asystole_shown_ms"] = 1000 * (late / FS + config.delay_s)
    return figures


def against(
    beats: Beats,
    broken: tuple[tuple[int, int], ...],
    reference: NDArray[np.float32],
    word: NDArray[np.float32],
    found: Beats,
    shown: NDArray[np.bool_],
) -> dict[str, Any]:
    """Beats that were erased, and those that are neither in the record nor in a silent stretch."""
    tolerance = round(MATCH_S * FS)
    # Beats that both detectors miss even in the reference are not counted as erased.
    seen = _either(find_beats(reference, FS), find_beats_xqrs(reference, FS))
    there = beats[match_beats(beats, seen, tolerance)[0]]
    there = there[there >= SETTLED_S * FS]
    for start, stop in broken:
        # These are not visible in the input.
        there = there[(there < start) | (there >= stop)]
    said = there[whole(there, shown)]
    ours, _ = match_beats(said, found, tolerance)
    missed = np.delete(said, ours)
    kept = _heights(word, missed) >= _ERASED * _heights(reference, missed)
    _, theirs = match_beats(np.sort(np.concatenate([beats, seen])), found, tolerance)
    return {
        "beats": len(there),
        "beats_bypassed": len(there) - len(said),
        "beats_undetected": len(missed),
        "beats_erased": int((~kept).sum()),
        "beats_added": len(found) - len(theirs),
    }


def whole(beats: Beats, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which beats lie completely in samples that were shown."""
    reach = round(_HALF_WIDTH_S * FS)
    return np.array([bool(shown[max(0, b - reach) : b + reach].all()) for b in beats], np.bool_)


def _heights(trace: NDArray[np.float32], beats: Beats) -> NDArray[np.float64]:
    """Of each beat from peak to peak, mV."""
    reach = round(_HALF_WIDTH_S * FS)
    return np.array([np.ptp(trace[max(0, beat - reach) : beat + reach]) for beat in beats], np.float64)


def _runs_s(beats: Beats) -> list[float]:
    """Length in s of every run of beats."""
    if beats.size == 0:
        return []
    cuts = np.flatnonzero(np.diff(beats) > RUN_GAP_S * FS) + 1
    return [float(run[-1] - run[0]) / FS for run in np.split(beats, cuts)]


def could_run(cleaned: NDArray[np.float32], shown: NDArray[np.bool_]) -> bool:
    """Whether enough was shown for a run: a quick test that spares a slow detector."""
    visible = shown & (np.abs(cleaned) >= VISIBLE_MV / 2)
    # Where a beat is found may lie so far from where it is that high.
    near = binary_dilation(visible, iterations=round(_NEAR_S * FS))
    return any(length > _RUN_S for length in _runs_s(np.flatnonzero(near)))


def longest_run_s(beats: Beats) -> float:
    """Length of the longest run."""
    return max(_runs_s(beats), default=0.0)


def count_runs(beats: Beats) -> int:
    """Runs that last longer than 3 s."""
    return sum(length > _RUN_S for length in _runs_s(beats))
