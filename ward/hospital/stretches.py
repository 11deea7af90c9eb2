"""Cuts what is cleaned of a bed into stretches without a gap, each of which is one message to a hospital."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.marks import Mark, Reason
from ward.log.frames import Flag, Piece

RAW, CLEANED = 0, 1
"""Which of a piece's signals is told."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples of a bed without a gap in time.

    Parameters
    ----------
    bed, leads, fs
        As of `Piece`.
    start
        Number of the first sample.
    stamps
        When the source sampled each, seconds since 1970, (samples,).
    values
        Millivolts, (leads, samples); NaN where the lead has no value.
    marks, reasons
        `Mark` and `Reason` of each, (leads, samples).
    settling
        Whether the network had not heard enough of the bed yet.
    """

    bed: str
    leads: tuple[str, ...]
    fs: float
    start: int
    stamps: NDArray[np.float64]
    values: NDArray[np.float32]
    marks: NDArray[np.uint8]
    reasons: NDArray[np.uint8]
    settling: bool

    @property
    def stop(self) -> int:
        """Number of the first sample after these."""
        return self.start + len(self.stamps)

    @property
    def first_time(self) -> datetime:
        """When the first was sampled, UTC."""
        return datetime.fromtimestamp(float(self.stamps[0]), UTC)

    @property
    def last_time(self) -> datetime:
        """When the last was sampled, UTC."""
        return datetime.fromtimestamp(float(self.stamps[-1]), UTC)

    @cached_property
    def identifier(self) -> str:
        """Twenty letters that no other stretch has: a hash of the bed's name, and the time in ms.

        The same samples give the same, whoever cuts them: who gets them twice can tell.
        """
        name = hashlib.blake2b(self.bed.encode(), digest_size=4).hexdigest()
        return f"{name}{round(float(self.stamps[0]) * 1000):012x}"

    def remark(self, lead: int) -> str:
        """What a reader must know of a lead: which samples the network did not make; "" where it made all."""
        told = Counter(
            (Mark(int(mark)), Reason(int(reason)))
            for mark, reason in zip(self.marks[lead], self.reasons[lead], strict=True)
            if mark not in (Mark.CLEANED, Mark.MISSING)
        )
        parts = [
            f"{count} of {len(self.stamps)} samples {mark.name.lower()}" + (f" ({why.text})" if why else "")
            for (mark, why), count in told.items()
        ]
        return "; ".join([*parts, *(["settling"] if self.settling else [])])


class Stretches:
    """Cuts a bed at whole multiples of a length, at gaps and at its end.

    Where it is cut depends on the samples alone, so that one who begins anew cuts as the one before.

    Parameters
    ----------
    seconds
        Length.
    first
        Number of the first sample that is wanted; None takes what comes.
    signal
        `RAW` or `CLEANED`.

    Attributes
    ----------
    next
        Number of the sample behind the last stretch that was given; None before the first sample.
    lost
        Samples that were awaited and that the log had no more.
    """

    def __init__(self, seconds: float, first: int | None = None, signal: int = CLEANED) -> None:
        self._seconds, self._signal = seconds, signal
        self.next = first
        self.lost = 0
        self._awaited = first
        self._waiting: list[Piece] = []

    def push(self, piece: Piece) -> Iterator[Stretch]:
        """Take a piece; give the stretches that are whole with it."""
        new = piece if self._awaited is None else piece.after(self._awaited)
        if new is not None and new.flag & Flag.GAP:
            yield from self._rest()
        if new is None or not new.count:
            return
        if self._awaited is not None and new.start > self._awaited:
            yield from self._rest()
            self.lost += new.start - self._awaited
        self._awaited = new.stop
        if new.flag & Flag.GAP:
            self.next = new.stop
            return
        length = max(1, round(self._seconds * new.fs))
        while new is not None and new.stop // length > new.start // length:
            cut = (new.start // length + 1) * length
            self._waiting.append(_before(new, cut))
            yield from self._rest()
            new = new.after(cut)
        if new is not None:
            self._waiting.append(new)

    def end(self) -> Iterator[Stretch]:
        """Give what waits: the bed has ended."""
        yield from self._rest()

    def _rest(self) -> Iterator[Stretch]:
        if self._waiting:
            stretch = _stretch(self._waiting, self._signal)
            self._waiting, self.next = [], stretch.stop
            yield stretch


def _before(piece: Piece, sample: int) -> Piece:
    count = sample - piece.start
    return Piece(
        piece.bed,
        piece.leads,
        piece.fs,
        piece.start,
        count,
        piece.stamps[:count],
        piece.signals[..., :count],
        piece.words[..., :count],
        piece.flag,
    )


def _stretch(pieces: Sequence[Piece], signal: int) -> Stretch:
    first = pieces[0]
    marks, reasons = np.concatenate([piece.words for piece in pieces], axis=2)
    values = np.concatenate([piece.signals[signal] for piece in pieces], axis=1)
    return Stretch(
        first.bed,
        first.leads,
        first.fs,
        first.start,
        np.concatenate([piece.stamps for piece in pieces]),
        np.where((marks == Mark.MISSING) | ~np.isfinite(values), np.float32(np.nan), values),
        marks,
        reasons,
        any(piece.flag & Flag.SETTLING for piece in pieces),
    )
