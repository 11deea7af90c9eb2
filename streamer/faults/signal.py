"""Faults of body, electrodes and amplifier, applied to the samples of a stream."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Samples
from streamer.faults.schedule import Event, FaultLog, Schedule

RAIL_MV = 5.0
"""Where the amplifier ends: ± this."""
MAINS_MV, MAINS_HZ = 0.5, 50.0
FACTOR = 10.0
"""Of a step in amplitude."""
_OFF_MV = 2.0  # an electrode that is off leaves a level of up to ± this

Fault = Callable[[Samples, NDArray[np.int64], Event, float], None]
"""Changes samples (leads, samples) of the given indices in place; the last argument is the rate."""


def _one(data: Samples, event: Event) -> Samples:
    """The lead that a fault of one lead has struck."""
    lead: Samples = data[int(event.luck * len(data))]
    return lead


def _level(event: Event) -> float:
    """A number of -1 … 1, from the same random draw as the lead but unrelated to it."""
    return 2 * (997 * event.luck % 1) - 1


def _mains(data: Samples, indices: NDArray[np.int64], event: Event, fs: float) -> None:
    data += np.float32(MAINS_MV) * np.sin(2 * np.pi * MAINS_HZ / fs * indices).astype(np.float32)


def _steps(data: Samples, indices: NDArray[np.int64], event: Event, fs: float) -> None:
    data *= np.float32(FACTOR)


def _saturation(data: Samples, indices: NDArray[np.int64], event: Event, fs: float) -> None:
    lead = _one(data, event)
    lead += np.float32(np.copysign(2 * RAIL_MV, _level(event)))
    np.clip(lead, -RAIL_MV, RAIL_MV, out=lead)


def _lead_off(data: Samples, indices: NDArray[np.int64], event: Event, fs: float) -> None:
    _one(data, event)[:] = _OFF_MV * _level(event)


def _nan(data: Samples, indices: NDArray[np.int64], event: Event, fs: float) -> None:
    _one(data, event)[:] = np.nan


SIGNAL_FAULTS: dict[str, Fault] = {
    "mains": _mains,
    "steps": _steps,
    "saturation": _saturation,
    "lead-off": _lead_off,
    "nan": _nan,
}
"""In the order in which they happen to a signal on its way."""


class SignalFaults:
    """Applies the chosen ones of `SIGNAL_FAULTS` to a stream that comes in order.

    Parameters
    ----------
    log
        Says which, and takes note of each.
    fs
        Rate in Hz.
    """

    def __init__(self, log: FaultLog, fs: float) -> None:
        self._log, self._fs = log, fs
        self._schedules = {
            kind: Schedule(kind, fs, log.settings) for kind in SIGNAL_FAULTS if kind in log.settings.kinds
        }

    def apply(self, data: Samples, start: int) -> Samples:
        """Data (leads, samples) from an index on, with its faults; unchanged data is not copied."""
        stop = start + data.shape[1]
        changed = data
        for kind, schedule in self._schedules.items():
            for event in schedule.within(start, stop):
                self._log.note(event, start, stop)
                if changed is data:
                    changed = data.copy()
                first, last = max(event.start, start), min(event.stop, stop)
                SIGNAL_FAULTS[kind](
                    changed[:, first - start : last - start], np.arange(first, last), event, self._fs
                )
        return changed
