"""Which samples have come before: devices and networks send some of them twice."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_COARSE_SHARE = 0.25  # a clock that repeats its stamp for so many samples is coarser than the rate
_TELLING = 32  # stamps that it takes to tell so


class Duplicates:
    """Remembers the newest samples of one connection, to tell those that come again.

    Parameters
    ----------
    memory
        How many samples are remembered.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._stamps: NDArray[np.float64] = np.empty(0)
        self._was_coarse: bool | None = None
        self.forget()

    def forget(self) -> None:
        """Forget the samples, since the next ones are another connection's; the clock is the same."""
        if len(self._stamps) >= _TELLING:
            self._was_coarse = _is_coarse(self._stamps)
        self._stamps = np.empty(0)
        self._rows: NDArray[Any] | None = None
        self._newest = -np.inf

    def fresh(self, stamps: NDArray[np.float64], rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Remember samples, and tell which have not come before, with the same stamp and values.

        Parameters
        ----------
        stamps, rows
            At least one sample: stamps (samples,) in seconds, values (samples, channels).
        """
        fresh = np.ones(len(stamps), np.bool_)
        earlier = len(self._stamps)
        all_stamps = np.concatenate([self._stamps, stamps])
        all_rows = rows if self._rows is None else np.concatenate([self._rows, rows])
        rising = stamps[0] > self._newest and (np.diff(stamps) > 0).all()
        # A clock coarser than the rate repeats its stamps all the time; that proves nothing then.
        few = len(all_stamps) < _TELLING and self._was_coarse is not None
        coarse = self._was_coarse if few else _is_coarse(all_stamps)
        if not rising and not coarse:
            for place in np.flatnonzero(np.isin(stamps, all_stamps[:earlier]) | _repeated(stamps)):
                twins = np.flatnonzero(all_stamps[: earlier + place] == stamps[place])
                fresh[place] = not any(_same(all_rows[twin], rows[place]) for twin in twins)
        self._stamps = all_stamps[-self._memory :].astype(np.float64)
        self._rows = all_rows[-self._memory :]
        self._newest = max(self._newest, float(stamps.max()))
        return fresh


def _is_coarse(stamps: NDArray[np.float64]) -> bool:
    """Whether a clock gives many samples the stamp of the one before."""
    return len(stamps) > 1 and bool(np.mean(np.diff(stamps) == 0) >= _COARSE_SHARE)


def _repeated(stamps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which stamps stand further in front as well."""
    repeated = np.ones(len(stamps), np.bool_)
    repeated[np.unique(stamps, return_index=True)[1]] = False
    return repeated


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Equal values; NaN equals NaN."""
    return bool(((one == other) | ((one != one) & (other != other))).all())
