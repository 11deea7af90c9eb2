"""Ring buffers of one stream: every lead and kind of trace, addressed by absolute sample index."""

from collections import deque
from collections.abc import Collection, Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from engine.guard.wave_doubt import stretch_of
from engine.marks import Mark, Reason
from engine.messages import Cleaned, Gap, Preview
from gui.on_demand import NOT_JUDGED, UNSURE, StOnDemand, judge
from streamer.chunk import Annotation, Samples, StreamInfo

KEPT_S = 1800.0
"""Seconds that are kept, for a person who looks back."""
_LEAST_S = 90.0
_ROOM_BYTES = 1 << 29  # of all streams of a run together
KINDS = ("raw", "cleaned", "spread", "reference")
_ONLY_RELEASED = slice(2, 4)  # of `KINDS`
_KEPT_MARKS = 12_000
UNSURE_S = 2.0
"""It is said for so long that a wave was unsure: two beats or more."""
Number = TypeVar("Number", np.float32, np.uint8)


def seconds_for(infos: Sequence[StreamInfo]) -> float:
    """How far back each of several streams can be kept: `KEPT_S`, or less where memory has an end.

    Parameters
    ----------
    infos
        The streams of one run.
    """
    bytes_per_s = sum(len(info.leads) * info.fs * (4 * (len(KINDS) + 1) + 3) for info in infos)
    return min(KEPT_S, max(_LEAST_S, _ROOM_BYTES / bytes_per_s))


class TraceBuffer:
    """Rings of float32 mV, written in place: nothing is allocated or moved as time goes on.

    Cleaned samples before `final` are what the engine released; from there to `newest` they are
    its first guess. Raw samples reach to `newest`. A gap, and what the screen never got, is NaN.

    Parameters
    ----------
    info
        Stream as the engine sends it.
    seconds
        How far back it reaches.
    """

    def __init__(self, info: StreamInfo, seconds: float = KEPT_S) -> None:
        self.info = info
        self.fs = info.fs
        self.capacity = round(seconds * info.fs)
        shape = (len(info.leads), self.capacity)
        # Zeros take memory only as they are written; what was not is never read as a sample.
        self._samples = np.zeros((len(KINDS) + 1, *shape), np.float32)
        self._rings = dict(zip((*KINDS, "st"), self._samples, strict=True))
        self._marks = np.zeros(shape, np.uint8)
        self._reasons = np.zeros(shape, np.uint8)
        self._verdicts = np.full(shape, NOT_JUDGED)
        self._st: StOnDemand | None = None
        self.first = self.final = self.newest = 0
        self.empty = True
        self.final_time = float("nan")
        self.gaps: deque[tuple[int, int]] = deque(maxlen=_KEPT_MARKS)
        self.annotations: deque[Annotation] = deque(maxlen=_KEPT_MARKS)
        self._changed: int | None = None
        self._beside: WeakKeyDictionary[object, int | None] = WeakKeyDictionary()

    @property
    def oldest(self) -> int:
        """Absolute index of the oldest sample that is still there."""
        return max(self.first, self.newest - self.capacity)

    def push(self, message: Cleaned | Gap | Preview) -> None:
        """Take what the engine sent; messages that were skipped in between leave a gap."""
        if self.empty:
            self.first = self.final = self.newest = message.start
            self.empty = False
        if isinstance(message, Preview):
            self._take_preview(message)
            return
        if message.start > self.final:
            self._blank(self.final, message.start)
        if isinstance(message, Gap):
            self._blank(message.start, message.stop)
        else:
            self._reach(message.stop)
            for kind in KINDS:
                values = getattr(message, kind)
                if values is not None:
                    self._write(self._rings[kind], message.start, values)
            self._write(self._marks, message.start, message.marks)
            if message.reasons is None:
                self._write(self._reasons, message.start, np.uint8(0), message.stop - message.start)
            else:
                self._write(self._reasons, message.start, message.reasons)
            self._write(self._verdicts, message.start, NOT_JUDGED, message.stop - message.start)
            self.annotations += message.annotations
            self.final_time = float(message.source_time[-1])
        self._touch(message.start)
        self.final = message.stop

    def _take_preview(self, preview: Preview) -> None:
        if preview.stop <= self.final:
            return
        skip = max(0, self.final - preview.start)
        start = preview.start + skip
        self._reach(preview.stop)
        self._write(self._rings["raw"], start, preview.raw[:, skip:])
        self._write(self._rings["cleaned"], start, preview.cleaned[:, skip:])
        self._write(self._samples[_ONLY_RELEASED], start, np.float32(np.nan), preview.stop - start)
        self._touch(start)

    def _view_st(self) -> StOnDemand:
        """Bring the ST view up to what was released; it begins when somebody first looks at it."""
        if self._st is None:
            self._st = StOnDemand(len(self.info.leads), self.fs)
        raw, cleaned = self._rings["raw"], self._rings["cleaned"]
        for start, view in self._st.catch_up(raw, cleaned, self.gaps, self.oldest, self.final):
            if start >= self.oldest and view.shape[1]:
                self._write(self._rings["st"], start, view)
        return self._st

    def changes_from(self, changed: int, leads: Collection[int], *, st: bool) -> int:
        """From which sample on a picture changes of which samples changed from `changed` on.

        Parameters
        ----------
        changed
            As `take_changed` returned it.
        leads
            Whose cleaned traces are shown: a wave is judged as a whole, once its end is there.
        st
            Whether the ST view is shown, which is a little behind.
        """
        length = stretch_of(self.fs)
        begin = max(self.oldest, changed // length * length)
        if begin < changed and any(self.unsure(lead, begin, changed).any() for lead in leads):
            changed = begin
        return changed - self._view_st().behind if st else changed

    def _blank(self, start: int, stop: int) -> None:
        """Samples that never came."""
        self._reach(stop)
        self._write(self._samples, start, np.float32(np.nan), stop - start)
        self._write(self._marks, start, np.uint8(Mark.MISSING), stop - start)
        self._write(self._reasons, start, np.uint8(0), stop - start)
        self._write(self._verdicts, start, NOT_JUDGED, stop - start)
        self.gaps.append((start, stop))
        self._touch(start)

    def _reach(self, stop: int) -> None:
        """Move `newest` on, and blank the places that still hold samples of one lap ago."""
        if stop > self.newest:
            self._write(self._samples, self.newest, np.float32(np.nan), stop - self.newest)
            self.newest = stop

    def bypassed(self, start: int, stop: int, leads: Sequence[int]) -> float:
        """Share of released samples start … stop-1 of some leads that are not the network's output."""
        start, stop = max(start, self.oldest), min(stop, self.final)
        if start >= stop:
            return float("nan")
        passed = [
            (marks == Mark.BYPASSED) | (marks == Mark.FILTERED)
            for marks in (self.marks(lead, start, stop) for lead in leads)
        ]
        return float(np.mean(passed))

    def _write(
        self, ring: NDArray[np.generic], start: int, values: NDArray[np.generic] | np.generic, count: int = -1
    ) -> None:
        width = values.shape[1] if isinstance(values, np.ndarray) else count
        if width > self.capacity:
            start, width = start + width - self.capacity, self.capacity
            if isinstance(values, np.ndarray):
                values = values[:, -width:]
        at = start % self.capacity
        head = min(width, self.capacity - at)
        if isinstance(values, np.ndarray):
            ring[..., at : at + head] = values[:, :head]
            if head < width:
                ring[..., : width - head] = values[:, head:]
        else:
            ring[..., at : at + head] = values
            if head < width:
                ring[..., : width - head] = values

    def _touch(self, start: int) -> None:
        self._changed = start if self._changed is None else min(self._changed, start)
        for reader, changed in self._beside.items():
            self._beside[reader] = start if changed is None else min(changed, start)

    def touch(self, start: int) -> None:
        """Have everything from a sample on drawn again."""
        self._touch(max(start, self.oldest))

    def take_changed(self, reader: object | None = None) -> int | None:
        """Index from which samples changed since the last call; None where none did.

        Parameters
        ----------
        reader
            Who asks, where several draw the same samples; at its first call nothing has changed.
        """
        if reader is not None:
            changed, self._beside[reader] = self._beside.get(reader), None
            return changed
        changed, self._changed = self._changed, None
        return changed

    def read(self, kind: str, lead: int, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start … stop-1 of one lead in mV; NaN where there are none.

        Parameters
        ----------
        kind
            One of `KINDS`, ``st``: the ST view, or ``residual``: raw less cleaned.
        """
        if kind == "residual":
            return self.read("raw", lead, start, stop) - self.read("cleaned", lead, start, stop)
        if kind == "st":
            self._view_st()
        return self._cut(self._rings[kind][lead], start, stop, self.newest, np.float32(np.nan))

    def _cut(
        self, ring: NDArray[Number], start: int, stop: int, end: int, nothing: Number
    ) -> NDArray[Number]:
        """Copy of start … stop-1 of a ring; `nothing` before the oldest sample, and from `end` on.

        Slices, because it is called some hundred times a frame: indices would cost more than the drawing.
        """
        first, last = max(start, self.oldest), min(stop, end)
        at = start % self.capacity
        if first == start < stop == last <= start + self.capacity - at:
            return ring[at : at + stop - start].copy()
        values = np.full(max(0, stop - start), nothing, ring.dtype)
        if first < last:
            at, width = first % self.capacity, last - first
            head = min(width, self.capacity - at)
            into = values[first - start : last - start]
            into[:head] = ring[at : at + head]
            into[head:] = ring[: width - head]
        return values

    def marks(self, lead: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Marks of released samples start … stop-1 of one lead; see `engine.marks.Mark`."""
        return self._cut(self._marks[lead], start, stop, self.final, np.uint8(Mark.MISSING))

    def unsure(self, lead: int, start: int, stop: int) -> NDArray[np.bool_]:
        """Which released samples start … stop-1 of one lead are unsure; see `engine.guard.wave_doubt`."""
        rings = self._rings["cleaned"][lead], self._rings["spread"][lead]
        judge(self._verdicts[lead], rings, self.fs, self.gaps, (self.oldest, self.final), (start, stop))
        unsure: NDArray[np.bool_] = (
            self._cut(self._verdicts[lead], start, stop, self.final, NOT_JUDGED) == UNSURE
        )
        return unsure

    def was_unsure(self, lead: int) -> bool:
        """Whether any of the last `UNSURE_S` released seconds of a lead is."""
        return bool(self.unsure(lead, self.final - round(UNSURE_S * self.fs), self.final).any())

    def reason(self, lead: int, seconds: float) -> Reason:
        """The gravest reason why the last released seconds of a lead are not the network's output."""
        start = max(self.oldest, self.final - round(seconds * self.fs))
        reasons = self._cut(self._reasons[lead], start, self.final, self.final, np.uint8(0))
        return Reason(int(reasons.max(initial=0)))

    def last(self, kind: str, seconds: float) -> Samples:
        """Released samples of the last seconds, (leads, samples); raw reaches to the newest."""
        stop = self.newest if kind == "raw" else self.final
        start = max(self.oldest, stop - round(seconds * self.fs))
        return np.stack([self.read(kind, lead, start, stop) for lead in range(len(self.info.leads))])
