"""Let nothing unusable out: a missing sample stays missing, an unusable output becomes raw."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import isfinite

import numpy as np

from engine.messages import Emitted, Gap, Mark


def guard(messages: Iterable[Emitted | Gap]) -> Iterator[Emitted | Gap]:
    """Replace non-finite output by raw (`Mark.BYPASSED`), and missing samples by NaN.

    A non-finite prediction heals by itself: overlap-add forgets it after look-ahead + hop.
    """
    for message in messages:
        if isinstance(message, Emitted):
            # A sum is the cheapest look for NaN and infinity.
            usable = isfinite(np.add.reduce(message.cleaned, axis=None))
            if not usable or message.hop.missing is not None:
                message = _repair(message)
        yield message


def _repair(message: Emitted) -> Emitted:
    missing = message.hop.missing
    if missing is None:
        missing = np.zeros(message.raw.shape, np.bool_)
    unusable = ~np.isfinite(message.cleaned)
    marks = np.where(unusable, np.uint8(Mark.BYPASSED), message.marks)
    nothing = np.float32(np.nan)
    return replace(
        message,
        raw=np.where(missing, nothing, message.raw),
        cleaned=np.where(missing, nothing, np.where(unusable, message.raw, message.cleaned)),
        marks=np.where(missing, np.uint8(Mark.MISSING), marks),
    )
