"""A recursive filter run forwards and backwards: no phase, and no scipy, whose import outlasts a start.

What is computed is that of ``scipy.signal.sosfiltfilt``, to rounding. Instead of sample by sample, many
stretches of a signal are filtered at once as if nothing came before them; what each had left behind then
rings on in the next one. No product of matrices: its rounding may differ from call to call.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Signals = NDArray[np.float64]
_MANY = 64


class Section(NamedTuple):
    """Coefficients of a second-order section; a0 is 1."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def highpass(corner_hz: float, fs: float) -> Section:
    """A second-order Butterworth high-pass, by the bilinear transform."""
    warped = math.tan(math.pi * corner_hz / fs)
    scale = 1 / (1 + math.sqrt(2) * warped + warped * warped)
    a1, a2 = 2 * (warped * warped - 1) * scale, (1 - math.sqrt(2) * warped + warped * warped) * scale
    return Section(scale, -2 * scale, scale, a1, a2)


def zero_phase(sections: Sequence[Section], signals: NDArray[np.floating], padding: int) -> Signals:
    """Filter signals (samples, signals) forwards and backwards.

    Parameters
    ----------
    padding
        Samples that are mirrored in a point behind both ends; fewer than there are samples.
    """
    x = signals.astype(np.float64)
    if padding:
        before = 2 * x[:1] - x[padding:0:-1]
        behind = 2 * x[-1:] - x[-2 : -padding - 2 : -1]
        x = np.concatenate([before, x, behind])
    for _ in range(2):
        for section in sections:
            x = _filtered(x, section)
        x = x[::-1]
    return x[padding : padding + len(signals)]


def _filtered(x: Signals, section: Section) -> Signals:
    """One section, from the steady state of the first value on."""
    b0, b1, b2, a1, a2 = section
    samples, signals = x.shape
    # A step costs as much for a few numbers as for one: few signals are cut up, many are not.
    count = 1 if signals >= _MANY else math.isqrt(samples)
    length = -(-samples // count)
    padded = np.zeros((count * length, signals))
    padded[:samples] = x
    stretches = np.ascontiguousarray(padded.reshape(count, length, signals).swapaxes(0, 1))
    sooner, later = np.zeros((2, count, signals))
    # A constant gives that constant times the gain, and nothing in the section changes.
    gained = x[0] * (b0 + b1 + b2) / (1 + a1 + a2)
    later[0] = b2 * x[0] - a2 * gained
    sooner[0] = b1 * x[0] - a1 * gained + later[0]
    for at, given in enumerate(stretches):
        made = b0 * given + sooner
        sooner = b1 * given - a1 * made + later
        later = b2 * given - a2 * made
        stretches[at] = made
    one, two = sooner[0], later[0]
    ring = _ringing(section, length)
    for stretch in range(1, count):
        stretches[:, stretch] += np.multiply.outer(ring[0, :-1], one) + np.multiply.outer(ring[1, :-1], two)
        # The first memory is what would come out next.
        one, two = (
            ring[0, -1] * one + ring[1, -1] * two + sooner[stretch],
            -a2 * (ring[0, -2] * one + ring[1, -2] * two) + later[stretch],
        )
    return stretches.swapaxes(0, 1).reshape(-1, signals)[:samples]


def _ringing(section: Section, length: int) -> Signals:
    """What 1 in either memory of a section brings forth when nothing more comes, (2, length + 1).

    What comes out next is the first memory itself.
    """
    ring = np.empty((2, length + 1))
    for row, (one, two) in zip(ring, ((1.0, 0.0), (0.0, 1.0)), strict=True):
        for at in range(length + 1):
            row[at] = one
            one, two = two - section.a1 * one, -section.a2 * one
    return ring
