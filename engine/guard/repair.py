"""What leaves instead of an unusable output: a fade to raw and back."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.guard.checks import ceiling_mv
from engine.guard.rows import Bank, Rows, any_of, joined
from engine.marks import Mark, Reason
from engine.messages import Emitted
from engine.snapshot import Tree
from streamer.chunk import Samples

FADE_S = 0.1
"""Length of the cross-fade between cleaned and raw, in either direction."""
HOLD_S = 1.0
"""Raw is shown for this long after the last reason for it: a trace that flickers cannot be read."""


class Repair(Bank):
    """For each lead of all streams the share of raw in what leaves, 0 to 1, and why.

    Parameters
    ----------
    holds
        Whether raw is shown for `HOLD_S` after the last reason.
    """

    def __init__(self, config: EngineConfig, *, holds: bool) -> None:
        self._fade = max(1, round(FADE_S * config.fs))
        self._hold = round(HOLD_S * config.fs) if holds else 0
        self._raw_share = np.zeros(0, np.float32)
        self._reasons = np.zeros(0, np.uint8)
        self._held = np.zeros(0, np.int64)
        """Samples for which raw is still shown."""
        self._apart = np.zeros(0, np.float32)
        """Newest known distance from raw to cleaned, mV."""
        # The same for all leads of a stream:
        self._fading = np.zeros(0, np.bool_)
        self._ceiling = np.zeros(0, np.float32)
        self._calm: tuple[Rows, float] | None = None
        """The rows that were asked for last, and what their output must stay below, mV: 0 where one fades."""

    def forget(self, rows: Rows) -> None:
        """Start these afresh, as after a gap."""
        for kept in (self._raw_share, self._reasons, self._held, self._apart, self._fading, self._ceiling):
            kept[rows] = 0
        self._calm = None

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took of as many rows."""
        super().restore(kept)
        self._calm = None

    def all_pass(self, rows: Rows, cleaned: Samples, found: NDArray[np.uint8]) -> bool:
        """Whether all these leads surely may leave as they are: `passes`, with less work."""
        if self._calm is None or self._calm[0] is not rows:
            ceiling = 0.0 if any_of(self._fading[rows]) else float(self._ceiling[rows].min())
            self._calm = rows, ceiling
        # NaN fails the comparison.
        return not any_of(found) and bool(np.maximum.reduce(np.abs(cleaned), axis=None) < self._calm[1])

    def passes(self, rows: Rows, cleaned: Samples, found: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Of which leads the output, (rows, samples) mV, may leave as it is."""
        # NaN fails the comparison.
        within = np.maximum.reduce(np.abs(cleaned), axis=1) < self._ceiling[rows]
        passes: NDArray[np.bool_] = within & (found == 0) & ~self._fading[rows]
        return passes

    def repair(self, messages: Sequence[Emitted], rows: Rows, found: NDArray[np.uint8]) -> list[Emitted]:
        """The messages with unusable leads faded towards raw, and missing samples as NaN.

        Parameters
        ----------
        messages
            Of different streams, with equally many samples each.
        rows
            Those of their leads, one stream after the other.
        found
            What is wrong with each lead, by the checks.
        """
        raw, cleaned = joined([m.raw for m in messages]), joined([m.cleaned for m in messages])
        count = raw.shape[1]
        missing = _missing(messages)
        each = _Each(messages)
        ceiling = ceiling_mv(joined([m.answer.hop.window for m in messages]), raw)
        self._ceiling[rows] = each.greatest(ceiling)
        self._calm = None
        usable = np.abs(cleaned) <= ceiling[:, None]
        self._hold_raw(rows, _reasons(found, cleaned, usable), count)
        held = self._held[rows]

        ramp = np.arange(1, count + 1, dtype=np.float32) / np.float32(self._fade)
        towards = np.where(held > 0, np.float32(1), np.float32(-1))[:, None]
        share = np.minimum(np.maximum(self._raw_share[rows][:, None] + towards * ramp, 0), 1)
        known = usable if missing is None else usable & ~missing
        apart = self._filled(rows, cleaned - raw, known)
        self._raw_share[rows], self._apart[rows] = share[:, -1], apart[:, -1]
        self._fading[rows] = each.greatest((held > 0) | (share[:, -1] > 0))

        bypassed = (share > 0) | ~usable
        reasons = np.where(bypassed, self._reasons[rows][:, None], np.uint8(Reason.NONE))
        marks = np.where(bypassed, np.uint8(Mark.BYPASSED), joined([m.marks for m in messages]))
        passed = np.where(bypassed, raw + (1 - share) * apart, cleaned)
        if missing is not None:
            nothing = np.float32(np.nan)
            raw, passed = np.where(missing, nothing, raw), np.where(missing, nothing, passed)
            marks = np.where(missing, np.uint8(Mark.MISSING), marks)
            reasons = np.where(missing, np.uint8(Reason.NO_INPUT), reasons)
        return [
            replace(message, raw=raw[of], cleaned=passed[of], marks=marks[of], reasons=reasons[of])
            for message, of in zip(messages, each.rows, strict=True)
        ]

    def _hold_raw(self, rows: Rows, reasons: NDArray[np.uint8], count: int) -> None:
        """Have raw shown from a reason on, and for some time after the last."""
        wrong = reasons > 0
        self._reasons[rows] = np.where(wrong, reasons, self._reasons[rows])
        after = np.maximum(self._held[rows] - count, 0)
        self._held[rows] = np.where(wrong, self._hold + count, after)

    def passed(self, rows: Rows, raw: Samples, cleaned: Samples) -> None:
        """Take note of what left as it was."""
        self._apart[rows] = cleaned[:, -1] - raw[:, -1]

    def _filled(self, rows: Rows, apart: Samples, known: NDArray[np.bool_]) -> Samples:
        """Distance from raw to cleaned; where it is unknown, the newest known one before it."""
        if known.all():
            return apart
        index = np.where(known, np.arange(known.shape[1]), -1)
        index = np.maximum.accumulate(index, axis=1)
        # Only known distances are taken; the others may not be finite.
        last = np.take_along_axis(apart, np.maximum(index, 0), axis=1)
        return np.where(index >= 0, last, self._apart[rows][:, None])


class _Each:
    """The rows of each of several messages that are joined."""

    def __init__(self, messages: Sequence[Emitted]) -> None:
        self._leads = [len(message.raw) for message in messages]
        stops = np.cumsum(self._leads).tolist()
        self._starts = [0, *stops[:-1]]
        self.rows = [slice(*of) for of in zip(self._starts, stops, strict=True)]

    def greatest(self, values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
        """Of each row, the greatest value of all rows of its message."""
        return np.repeat(np.maximum.reduceat(values, self._starts), self._leads)


def _missing(messages: Sequence[Emitted]) -> NDArray[np.bool_] | None:
    """Which samples are missing, (rows, samples); None where none is."""
    hops = [message.answer.hop for message in messages]
    if all(hop.missing is None for hop in hops):
        return None
    return joined([np.zeros(hop.raw.shape, np.bool_) if hop.missing is None else hop.missing for hop in hops])


def _reasons(found: NDArray[np.uint8], cleaned: Samples, usable: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What is wrong with each lead, by the checks or by its output itself."""
    all_usable = np.logical_and.reduce(usable, axis=1)
    if all_usable.all():
        return found
    # What is not finite is not usable either.
    finite = np.isfinite(cleaned).all(axis=1)
    reasons = np.where(all_usable | (found > 0), found, np.uint8(Reason.OUT_OF_RANGE))
    return np.where(finite, reasons, np.uint8(Reason.NOT_FINITE))
