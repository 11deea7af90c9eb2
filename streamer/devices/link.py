"""What every device hands over: `Packet`, and `Link`, one connection to it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.console.installed import why_missing

EXTRA = "devices"
"""What pip installs for them."""


def why_not(*modules: str) -> str | None:
    """What is missing of the modules that a device is reached by, in words; None where nothing is."""
    return why_missing(modules, EXTRA)


@dataclass(frozen=True, eq=False)
class Packet:
    """Samples that came together.

    Parameters
    ----------
    rows
        Millivolts, shape (samples, leads); NaN where a sample came that cannot be read.
    numbers
        The device's own count of its samples, shape (samples,), which wraps; None where it has none.
    stamps
        Seconds of the device's clock, shape (samples,); None where it has none.
    times
        When they were sampled, seconds of `time.perf_counter`, shape (samples,); None where unknown.
    """

    rows: NDArray[np.float64]
    numbers: NDArray[np.int64] | None = None
    stamps: NDArray[np.float64] | None = None
    times: NDArray[np.float64] | None = None


class Link(Protocol):
    """One connection to one device."""

    @property
    def ended(self) -> bool:
        """Whether all that there is has come: a recording that a driver plays; a device never ends."""
        ...

    @property
    def problem(self) -> str:
        """Why what comes cannot be used, in a sentence; empty where it can."""
        ...

    @property
    def reopens(self) -> bool:
        """Whether a new connection may help where this one is silent."""
        ...

    def start(self) -> None:
        """Ask for samples: those that come from now on.

        Raises
        ------
        InputError
            If the device refuses.
        """
        ...

    def pull(self, wait_s: float) -> Packet | None:
        """Wait for samples, so long at most, and hand over what has come; None when the device has gone."""
        ...

    def close(self) -> None:
        """Let the device go; again does no harm."""
        ...
