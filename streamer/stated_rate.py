"""Whether a device samples at the rate that it states, by the stamps of a second or two of its signal."""

import numpy as np
from numpy.typing import NDArray

WRONG = 0.05
"""Share by which a rate may be off and still be the stated one: a clock of its own, or jitter."""
FEWEST = 16
"""Stamps before which nothing can be said."""
_ALIKE = 0.2
"""Distances between packets that vary by a larger share are losses or stalls, and no rate."""
_STEADY = 6
_USUAL_HZ = (100, 125, 128, 130, 200, 240, 250, 256, 300, 360, 400, 500, 512, 1000, 1024, 2000, 2048, 4096)
_NEAR = 0.015


def other_rate(stamps: NDArray[np.float64], stated_hz: float) -> float | None:
    """The rate at which a device really samples, Hz; None where that is the stated one, or cannot be told.

    Two readings must agree: the usual distance of two samples, and all samples over all the time that
    they take. Where samples stand in packets, stamped inside by the stated rate, the packets must come as
    regularly as a device sends them; loss and stalls do not.

    Parameters
    ----------
    stamps
        Of consecutive samples as they came, seconds of the sender's clock.
    """
    stamps = stamps[np.isfinite(stamps)]
    distances = np.diff(stamps)
    forwards = distances[distances > 0]
    if len(stamps) < FEWEST or len(forwards) < FEWEST / 2:
        return None
    usual = 1 / float(np.median(forwards))
    # Packets may come twice, or in the wrong order.
    once = np.unique(stamps)
    whole = (len(once) - 1) / float(once[-1] - once[0])
    if _alike(whole, stated_hz):
        return None
    if _alike(usual, whole):
        return whole
    if _alike(usual, stated_hz):
        between = distances[np.abs(distances * stated_hz - 1) > WRONG]
        if len(between) >= _STEADY and between.std() <= _ALIKE * between.mean():
            return whole
    return None


def plain_rate(hz: float) -> float:
    """A measured rate as a device would state it: the nearest usual one, or the nearest half hertz."""
    nearest = min(_USUAL_HZ, key=lambda usual: abs(hz / usual - 1))
    return float(nearest) if abs(hz / nearest - 1) <= _NEAR else round(2 * hz) / 2


def _alike(one: float, other: float) -> bool:
    return abs(one / other - 1) <= WRONG
