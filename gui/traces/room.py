"""What the lanes have room for: the automatic gain, and traces that run off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gui.calibration import STANDARD_GAIN, Calibration, fitting_gain
from gui.lanes import ZERO, Lane
from gui.trace_buffer import TraceBuffer

_LOOKED_BACK_S, _NEEDED_S = 10.0, 2.0
_LEAST_MV = 0.5  # a flat lead is not blown up to its noise
_ZEROS = (0.3, ZERO, 0.76)
_MUCH = 0.14
_OFFSET_MV = 0.5  # raw moves in steps of this where a device has an offset
_SETTLED_S = 2.0
_SPARE = 1.1

Reach = dict[int, tuple[float, float]]
"""Lowest and highest mV of leads; those of which too little is known are left out."""


def gain_for(reached: Reach, lanes: Sequence[Lane], px_per_mm: float, margin: float = 1.0) -> float:
    """The gain at which leads that reach so far fill their lanes, mm/mV.

    Parameters
    ----------
    margin
        How many times as high as it is the signal is taken to be.
    """
    lane_px = min(lane.height for lane in lanes)
    shares = {lane.lead: lane.zero_share for lane in lanes if lane.main == "cleaned"}
    if not any(lead in shares for lead in reached):
        # Of a signal that is not known yet a millivolt is expected.
        return min(STANDARD_GAIN, fitting_gain(px_per_mm, lane_px, 1.0))
    heights = [
        height
        for lead, (low, high) in reached.items()
        if lead in shares
        for height in (high / shares[lead], -low / (1 - shares[lead]))
    ]
    return fitting_gain(px_per_mm, lane_px, margin * max(_LEAST_MV, *heights))


def zeros_for(reached: Reach, now: dict[int, float]) -> dict[int, float]:
    """Where in its lanes 0 mV of each lead stands, so that what it reaches up and down has its room.

    Parameters
    ----------
    now
        Where it stands now; it moves only where another place is much better.
    """
    wanted = dict(now)
    for lead, (low, high) in reached.items():
        low, high = min(low, 0.0), max(high, 0.0)
        if high - low < _LEAST_MV:
            continue
        best = high / (high - low)
        if abs(best - now.get(lead, ZERO)) > _MUCH:
            wanted[lead] = min((abs(zero - best), zero) for zero in _ZEROS)[1]
    return wanted


def reach_of(buffer: TraceBuffer | None, leads: Sequence[int]) -> Reach:
    """How far cleaned reached in the last seconds, but for single spikes."""
    if buffer is None or buffer.empty:
        return {}
    last = buffer.last("cleaned", _LOOKED_BACK_S)
    known = {lead: last[lead][np.isfinite(last[lead])] for lead in leads}
    return {
        lead: (float(np.percentile(values, 0.05)), float(np.percentile(values, 99.95)))
        for lead, values in known.items()
        if values.size >= _NEEDED_S * buffer.fs
    }


def take_offsets(buffer: TraceBuffer, reach_mv: float, offsets_mv: NDArray[np.float64]) -> None:
    """Move what is taken off each lead's raw trace, in place and in steps, where the trace runs off.

    Parameters
    ----------
    reach_mv
        How far from 0 mV the lanes reach.
    """
    for lead, trace in enumerate(buffer.last("raw", _SETTLED_S)):
        known = trace[np.isfinite(trace)]
        if known.size > buffer.fs:
            middle = float(np.median(known))
            if abs(middle - offsets_mv[lead]) > 0.9 * reach_mv:
                offsets_mv[lead] = _OFFSET_MV * round(middle / _OFFSET_MV)


class Room:
    """Where a stream's traces stand in their lanes, so that they have room.

    Parameters
    ----------
    leads
        How many it has.

    Attributes
    ----------
    offsets_mv
        What is taken off each lead's raw trace.
    zeros
        `Lane.zero_share` of leads that need another than `ZERO`.
    """

    def __init__(self, leads: int) -> None:
        self.offsets_mv: NDArray[np.float64] = np.zeros(leads)
        self.zeros: dict[int, float] = {}

    def settle(
        self, buffer: TraceBuffer, lanes: Sequence[Lane], scale: Calibration, *, automatic: bool
    ) -> bool:
        """Bring back what ran off; returns whether the lanes must be arranged anew.

        A raw trace with an offset is moved, 0 mV gives room to the side on which a lead has its QRS
        complexes, and an automatic gain falls where the signal needs it.
        It rises again only where there is room to spare, so that it does not flap.
        """
        before = self.offsets_mv.copy()
        reach_mv = min(lane.height / lane.gain for lane in lanes) / 2 / scale.px_per_mv
        take_offsets(buffer, reach_mv, self.offsets_mv)
        reached = reach_of(buffer, sorted({lane.lead for lane in lanes}))
        zeros = zeros_for(reached, self.zeros)
        moved = zeros != self.zeros or bool((before != self.offsets_mv).any())
        self.zeros = zeros
        if not automatic:
            return moved
        fitting, roomy = (gain_for(reached, lanes, scale.px_per_mm, each) for each in (1.0, _SPARE))
        return moved or not fitting >= scale.gain >= roomy


def off_scale(
    buffer: TraceBuffer | None, lanes: Sequence[Lane], scale: Calibration, offsets_mv: NDArray[np.float64]
) -> list[bool]:
    """For each lane, whether a trace ran beyond it in the last second.

    Parameters
    ----------
    offsets_mv
        What is taken off each lead's raw trace.
    """
    if buffer is None or buffer.empty:
        return [False] * len(lanes)
    start = max(buffer.oldest, buffer.newest - round(buffer.fs))
    return [
        any(_beyond(buffer, lane, kind, start, scale, offsets_mv) for kind in lane.kinds) for lane in lanes
    ]


def _beyond(
    buffer: TraceBuffer,
    lane: Lane,
    kind: str,
    start: int,
    scale: Calibration,
    offsets_mv: NDArray[np.float64],
) -> bool:
    values = buffer.read(kind, lane.lead, start, buffer.newest)
    known = values[np.isfinite(values)]
    if not known.size:
        return False
    if kind in ("raw", "residual"):
        known = known - offsets_mv[lane.lead]
    above, below = lane.zero - lane.ceiling, lane.bottom - lane.zero
    px_per_mv = scale.px_per_mv * lane.gain
    return bool(known.max() * px_per_mv > above or -known.min() * px_per_mv > below)
