"""What the lanes have room for: the automatic gain, and traces that run off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gui.calibration import STANDARD_GAIN, Calibration, fitting_gain
from gui.lanes import ZERO, Lane
from gui.trace_buffer import TraceBuffer

_LOOKED_BACK_S, _NEEDED_S = 10.0, 2.0
_LEAST_MV = 0.5  # a flat lead is not blown up to its noise


def gain_for(
    buffer: TraceBuffer | None, lanes: Sequence[Lane], px_per_mm: float, margin: float = 1.0
) -> float:
    """The gain at which the last seconds of the cleaned leads fill their lanes, mm/mV.

    Parameters
    ----------
    margin
        How many times as high as it is the signal is taken to be.
    """
    lane_px = min(lane.height for lane in lanes)
    known = np.empty(0, np.float32)
    if buffer is not None and not buffer.empty:
        last = buffer.last("cleaned", _LOOKED_BACK_S)[sorted({lane.lead for lane in lanes})]
        known = last[np.isfinite(last)]
    if buffer is None or known.size < _NEEDED_S * buffer.fs:
        # Of a signal that is not known yet a millivolt is expected.
        return min(STANDARD_GAIN, fitting_gain(px_per_mm, lane_px, 1.0))
    low, high = np.percentile(known, [0.05, 99.95])
    height_mv = max(_LEAST_MV, high / ZERO, -low / (1 - ZERO))
    return fitting_gain(px_per_mm, lane_px, margin * height_mv)


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
    return bool(known.max() * scale.px_per_mv > above or -known.min() * scale.px_per_mv > below)
