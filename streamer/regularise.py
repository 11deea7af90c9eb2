"""From stamped samples as a device sends them to samples in order, each with its index.

Numpy only: no clock is read and no network is known here.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.duplicates import Duplicates
from streamer.pieces import Counts, Piece
from streamer.stamp_line import StampLine

HOLD_S = 0.15
"""How long samples after a jump of the stamps wait for what may prove the jump wrong."""
YOUNG_S = 10.0
"""In so much of a stream long packets wait for the next one instead, which tells how evenly they come."""
OUTRUN_S = 1.0
"""Indices may run ahead of the arrivals by this much; a jump beyond it is the clock's own."""
DRIFT = 0.001
"""… and by this share of the time, for the device's clock is not exact."""

Moved = Callable[[], float | None]

_PACKETS = 1.5
_REMEMBERED_HOLES = 16
_COMPARED_S = 0.1  # two comparisons of a clock differ by less; one that was set, by more


class Regulariser:
    """Gives every sample its index, by counting; a gap is left only where the stamps prove one.

    It follows the line of the stamps (`StampLine`). Samples off that line by more than eight times the
    usual scatter, and half a sample, are held for `HOLD_S`. Then one of these is found:

    - other samples belong in front of them and came later: the order is restored;
    - a stamp was wrong: the next samples are where counting expects them;
    - a gap, whose size is the median over what was held;
    - the clock was set.

    Losses smaller than the scatter cannot be seen. Nor, above 500 Hz, can those of two samples in the
    first quarter of a second, when the rate is not known yet.

    Parameters
    ----------
    fs
        Nominal rate in Hz.
    drift
        See `DRIFT`.
    """

    def __init__(self, fs: float, drift: float = DRIFT) -> None:
        self._drift = drift
        self.next = 0
        """Index of the sample that is expected next."""
        self.counts = Counts()
        self._line = StampLine(fs)
        self._duplicates = Duplicates(max(512, round(fs)))
        self._begun_ns = self._arrived_ns = 0
        self._resumed = False
        self._moved: Moved = lambda: None
        self._holes: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_HOLES)
        self._held: list[Piece] = []

    @property
    def due(self) -> float:
        """Stamp by which counting expects the next sample."""
        return float(self._line.next(1)[0])

    @property
    def period(self) -> float:
        """Seconds between two samples by the device's clock, as learnt so far."""
        return self._line.period

    @property
    def holds(self) -> bool:
        """Whether samples wait for `release`."""
        return bool(self._held)

    def push(self, stamps: NDArray[np.float64], rows: NDArray[Any], arrived_ns: int) -> list[Piece]:
        """Take samples that came together.

        Parameters
        ----------
        stamps
            Source's clock in seconds, shape (samples,), at least one.
        rows
            Values, shape (samples, channels); kept until they leave.
        arrived_ns
            When they came, `time.perf_counter_ns`.

        Returns
        -------
        list of Piece
            In order, none overlapping, never going back; may be empty.
        """
        line = self._line
        known = np.flatnonzero(np.isfinite(stamps))
        if not line.begun:
            line.set(float(stamps[known[0]] - known[0] * line.period) if known.size else 0.0)
            self._begun_ns = self._arrived_ns = arrived_ns
        if known.size < len(stamps):
            # A stamp that is not finite tells nothing: counting takes its place.
            stamps = np.where(np.isfinite(stamps), stamps, line.next(len(stamps)))
        if self._resumed:
            self._resume(float(stamps[0]), arrived_ns)
        fresh = self._duplicates.fresh(stamps, rows)
        self.counts.duplicates += int((~fresh).sum())
        stamps, rows = stamps[fresh], rows[fresh]
        pieces: list[Piece] = []
        at = 0
        while at < len(stamps):
            run = slice(at, at + self._run_length(stamps[at:]))
            pieces += self._take(Piece(0, rows[run], stamps[run], arrived_ns))
            at = run.stop
        self._arrived_ns = arrived_ns
        return pieces + self.release(arrived_ns)

    def count(
        self, stamps: NDArray[np.float64], rows: NDArray[Any], arrived_ns: int, missing: int
    ) -> list[Piece]:
        """Take samples as `push` does, but place them by counting alone; none may be held.

        Parameters
        ----------
        missing
            How many samples are missing before these.
        """
        if missing:
            self._leave_gap(missing)
        self._line.set(float(stamps[0]))
        self._arrived_ns = arrived_ns
        return [self._accept(Piece(0, rows, stamps, arrived_ns), follow=False)]

    def go_by_count(self) -> list[Piece]:
        """Held samples, placed by counting: the stamps are not believed any more."""
        return self._let_go(follow=False)

    def release(self, now_ns: int) -> list[Piece]:
        """Held samples whose time has come, now that it is `now_ns`."""
        if not self._held:
            return []
        hold_s = HOLD_S
        if self._line.passed_s < YOUNG_S:
            hold_s = max(HOLD_S, _PACKETS * len(self._held[0].rows) * self._line.period)
        return self._settle() if now_ns - self._held[0].arrived_ns >= hold_s * 1e9 else []

    def flush(self) -> list[Piece]:
        """Held samples at once: nothing more is expected."""
        return self._settle() if self._held else []

    def resume(self, moved: Moved = lambda: None) -> None:
        """Expect the next samples from a new connection: a gap of at least one lies before them.

        Parameters
        ----------
        moved
            Asked when they come: by how much the source's clock is now further behind ours than on the
            old connection, in seconds; None where that is not known.
        """
        self._resumed, self._moved = self._line.begun, moved

    def _run_length(self, stamps: NDArray[np.float64]) -> int:
        """How many samples belong together: their stamps go on from the first."""
        off = stamps - self._line.next(len(stamps))
        limit = self._line.tolerance_s
        base = 0.0 if abs(off[0]) <= limit else off[0]
        leaves = np.abs(off - base) > limit
        return int(np.argmax(leaves)) if leaves.any() else len(stamps)

    def _take(self, run: Piece) -> list[Piece]:
        """Decide what one run is; what may leave because of it."""
        first = float(run.stamps[0])
        if self._held:
            return self._take_while_held(run)
        if abs(self._line.off(first)) <= self._line.tolerance_s:
            return [self._accept(run)]
        if self._in_hole(first):
            self.counts.late += len(run.rows)
        else:
            self._held = [run]
        return []

    def _take_while_held(self, run: Piece) -> list[Piece]:
        period, tolerance_s = self._line.period, self._line.tolerance_s
        held = sum(len(piece.rows) for piece in self._held)
        offset = self._offset()
        off = self._line.off(float(run.stamps[0]))
        room_s = offset - len(run.rows) * period
        verdicts = {
            "goes on": abs(off - offset - held * period),
            "counted": abs(off - held * period),
            "fills": abs(off) if offset > 0 and room_s > -tolerance_s else np.inf,
            # The held samples lie behind a gap, and these between the gap and them.
            "precedes": abs(off - room_s) if off > tolerance_s else np.inf,
            # In doubt a sample stays: only this verdict drops any.
            "passes": abs(off) + period / 4 if offset < 0 else np.inf,
        }
        verdict = min(verdicts, key=lambda name: verdicts[name])
        if verdicts[verdict] > tolerance_s:
            if self._in_hole(float(run.stamps[0])):
                # Old samples prove nothing of the jump.
                self.counts.late += len(run.rows)
                return []
            behind = off > offset + held * period and offset > 0
            settled = self._settle() if behind else self._let_go(follow=False)
            return settled + self._take(run)
        if verdict == "goes on":
            self._held.append(run)
            return []
        if verdict == "precedes":
            self.counts.reordered += len(run.rows)
            # They have waited for as long as what came before them.
            self._held.insert(0, replace(run, arrived_ns=self._held[0].arrived_ns))
            return []
        if verdict == "counted":
            return [*self._let_go(follow=False), self._accept(run)]
        if verdict == "passes":
            # The stream goes on as if what is held had never come: it was old.
            self.counts.late += held
            self._held = []
            return [self._accept(run)]
        self.counts.reordered += len(run.rows)
        filling = self._accept(run)
        filled = abs(self._offset()) <= self._line.tolerance_s
        return [filling, *self._let_go(follow=True)] if filled else [filling]

    def _offset(self) -> float:
        """By how much the held samples are off the line, as a median."""
        stamps = np.concatenate([piece.stamps for piece in self._held])
        return float(np.median(stamps - self._line.next(len(stamps))))

    def _in_hole(self, stamp: float) -> bool:
        """Whether a sample's place is within a gap that has been reported."""
        off = self._line.off(stamp)
        place = self.next + round(off / self._line.period)
        slack = self._line.tolerance_s / self._line.period
        return off < 0 and any(start - slack <= place < stop + slack for start, stop in self._holes)

    def _settle(self) -> list[Piece]:
        """Let the held samples go: nothing has proved their jump wrong, so it is a gap, or the clock's."""
        offset = self._offset()
        arrived_ns = self._held[0].arrived_ns
        elapsed_s = (arrived_ns - self._begun_ns) / 1e9
        if 0 < offset <= elapsed_s * (1 + self._drift) + OUTRUN_S - self._line.passed_s:
            self._leave_gap(max(1, round(offset / self._line.period)))
            return self._let_go(follow=True)
        self.counts.clock_jumps += 1
        silence_s = (arrived_ns - self._arrived_ns) / 1e9
        if silence_s > OUTRUN_S:
            self._leave_gap(round(silence_s / self._line.period))
        self._line.set(float(self._held[0].stamps[0]))
        self._holes.clear()
        return self._let_go(follow=True)

    def _resume(self, stamp: float, arrived_ns: int) -> None:
        """Go on behind a break of the connection, by stamps where they agree with the arrivals.

        Where the clocks have been compared on both connections, stamps hold whatever the arrivals say: what
        came last, or comes first, may have been late.
        """
        self._resumed = False
        by_stamps = self._line.off(stamp)
        by_arrival = (arrived_ns - self._arrived_ns) / 1e9
        trusted = abs(by_stamps - by_arrival) <= OUTRUN_S
        moved_s = self._moved()
        if moved_s is not None:
            if abs(moved_s) > _COMPARED_S:
                by_stamps += moved_s
            trusted = by_stamps > 0
        self._leave_gap(max(1, round((by_stamps if trusted else by_arrival) / self._line.period)))
        self._line.set(stamp)
        self._holes.clear()
        self._duplicates.forget()

    def _leave_gap(self, missing: int) -> None:
        self._holes.append((self.next, self.next + missing))
        self.counts.gaps += 1
        self.counts.gap_samples += missing
        self.next += missing
        self._line.skip(missing)

    def _let_go(self, *, follow: bool) -> list[Piece]:
        held, self._held = self._held, []
        return [self._accept(piece, follow=follow) for piece in held]

    def _accept(self, run: Piece, *, follow: bool = True) -> Piece:
        """Number a run by counting, and learn from its stamps: their line, or only their scatter."""
        piece = replace(run, start=self.next)
        self.next += len(run.rows)
        self._line.take(run.stamps, follow=follow)
        return piece
