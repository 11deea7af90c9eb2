"""From stamped samples as a device sends them to samples in order, each with its index.

Numpy only: no clock is read and no network is known here.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOLD_S = 0.15
"""How long samples after a jump of the stamps wait for what may prove the jump wrong."""
OUTRUN_S = 1.0
"""Indices may not run ahead of the arrivals by more than this: then a jump is the clock's own."""

_FOLLOW_S = 10.0  # the line of stamps is followed with this time constant, once it is known
_LEARNT_S = 0.25
_UNSURE_S = 0.001  # an unknown rate may take the line off by this much before it is learnt
_JITTER = 8  # mean deviations: 6.4 standard deviations of Gaussian jitter
_WORST_S = 0.05  # mean deviation; a clock that strays more is not listened to
_REMEMBERED_HOLES = 16
_COARSE_SHARE = 0.25  # a clock that repeats its stamp for so many samples is coarser than the rate
_TELLING = 32  # stamps that it takes to tell so


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive samples: `rows` as they came, (samples, channels), the first one's index, stamps."""

    start: int
    rows: NDArray[Any]
    stamps: NDArray[np.float64]
    arrived_ns: int

    @property
    def stop(self) -> int:
        """Index of the first sample after these."""
        return self.start + len(self.rows)


@dataclass
class Counts:
    """What was not as it should be, in samples (jumps and gaps: in events)."""

    gaps: int = 0
    gap_samples: int = 0
    duplicates: int = 0
    """Came again, with the same stamp and the same values: dropped."""
    reordered: int = 0
    """Came after younger ones, and were put back in their place."""
    late: int = 0
    """Came when their place had been reported as a gap: dropped, the gap stands."""
    clock_jumps: int = 0
    """The source's clock was set; the count of samples goes on."""


class Regulariser:
    """Gives every sample its index, by counting; a gap is left only where the stamps prove one.

    It follows the line of the stamps (offset and rate, a second-order loop on the median of each
    run, so that a device's true rate is learnt) and how much they scatter about it. A run of
    samples off that line by more than eight times the scatter, and half a sample, is held for
    `HOLD_S`, and then is one of: samples that lack their place in front of them, which come later
    (order restored); a stamp that was wrong (the next samples are where counting expects them);
    a gap, whose size is the median over what was held; or a clock that was set. Losses smaller
    than the scatter cannot be seen, nor, above 500 Hz, those of two samples in the first quarter
    of a second, when the rate is not known yet.

    Parameters
    ----------
    fs
        Nominal rate in Hz.
    """

    def __init__(self, fs: float) -> None:
        self.next = 0
        """Index of the sample that is expected next."""
        self.counts = Counts()
        self._nominal = self._period = 1 / fs
        self._memory = max(512, round(fs))
        self._scatter = self._period / 8
        self._due: float | None = None  # stamp that sample `next` should have
        self._followed_s = 0.0
        self._signal_s = 0.0
        self._begun_ns = self._arrived_ns = 0
        self._resumed = False
        self._holes: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_HOLES)
        self._held: list[Piece] = []
        self._seen_stamps: NDArray[np.float64] = np.empty(0)
        self._was_coarse: bool | None = None
        self._forget()

    def _forget(self) -> None:
        """Forget what came, as what comes next is another connection's; the clock stays what it is."""
        if len(self._seen_stamps) >= _TELLING:
            self._was_coarse = _is_coarse(self._seen_stamps)
        self._seen_stamps = np.empty(0)
        self._seen_rows: NDArray[Any] | None = None
        self._newest = -np.inf

    @property
    def tolerance_s(self) -> float:
        """How far a stamp may be off the line and still be jitter."""
        unsure = _UNSURE_S if self._followed_s < _LEARNT_S else 0.0
        return max(self._period / 2, _JITTER * self._scatter, unsure)

    @property
    def holds(self) -> bool:
        """Whether samples wait for `release`."""
        return bool(self._held)

    def push(self, stamps: NDArray[np.float64], rows: NDArray[Any], arrived_ns: int) -> list[Piece]:
        """Take samples that came together.

        Parameters
        ----------
        stamps
            Source's clock in seconds, shape (samples,).
        rows
            Values, shape (samples, channels); kept until they leave.
        arrived_ns
            When they came, `time.perf_counter_ns`.

        Returns
        -------
        list of Piece
            In order, none overlapping, never going back; may be empty.
        """
        out: list[Piece] = []
        known = np.flatnonzero(np.isfinite(stamps))
        if self._due is None:
            self._due = float(stamps[known[0]] - known[0] * self._period) if known.size else 0.0
            self._begun_ns = arrived_ns
        if known.size < len(stamps):
            # A stamp that is no number says nothing: counting stands in for it.
            stamps = np.where(np.isfinite(stamps), stamps, self._line(len(stamps)))
        if self._resumed:
            self._resume(float(stamps[0]), arrived_ns)
        fresh = self._fresh(stamps, rows)
        self.counts.duplicates += int((~fresh).sum())
        stamps, rows = stamps[fresh], rows[fresh]
        at = 0
        while at < len(stamps):
            size = self._run_length(stamps[at:])
            run = slice(at, at + size)
            self._take(Piece(0, rows[run], stamps[run], arrived_ns), out)
            at += size
        self._arrived_ns = arrived_ns
        return out + self.release(arrived_ns)

    def release(self, now_ns: int) -> list[Piece]:
        """Hand out held samples whose time has come, now that it is `now_ns`."""
        out: list[Piece] = []
        if self._held and now_ns - self._held[0].arrived_ns >= HOLD_S * 1e9:
            self._settle(out)
        return out

    def flush(self) -> list[Piece]:
        """Hand out held samples at once: nothing more is expected."""
        out: list[Piece] = []
        if self._held:
            self._settle(out)
        return out

    def resume(self) -> None:
        """Expect the next samples from a new connection: a gap of at least one lies before them."""
        self._resumed = self._due is not None

    def _fresh(self, stamps: NDArray[np.float64], rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which samples have not come before."""
        fresh = np.ones(len(stamps), np.bool_)
        earlier = len(self._seen_stamps)
        all_stamps = np.concatenate([self._seen_stamps, stamps])
        all_rows = rows if self._seen_rows is None else np.concatenate([self._seen_rows, rows])
        rising = stamps[0] > self._newest and (np.diff(stamps) > 0).all()
        # A clock coarser than the rate repeats its stamps all the time; that says nothing then.
        few = len(all_stamps) < _TELLING and self._was_coarse is not None
        coarse = self._was_coarse if few else _is_coarse(all_stamps)
        if not rising and not coarse:
            for place in np.flatnonzero(np.isin(stamps, all_stamps[:earlier]) | _repeated(stamps)):
                twins = np.flatnonzero(all_stamps[: earlier + place] == stamps[place])
                fresh[place] = not any(_same(all_rows[twin], rows[place]) for twin in twins)
        self._seen_stamps = all_stamps[-self._memory :].astype(np.float64)
        self._seen_rows = all_rows[-self._memory :]
        self._newest = max(self._newest, float(stamps.max()))
        return fresh

    def _run_length(self, stamps: NDArray[np.float64]) -> int:
        """How many samples belong together: their stamps go on from the first."""
        off = stamps - self._line(len(stamps))
        limit = self.tolerance_s
        base = 0.0 if abs(off[0]) <= limit else off[0]
        leaves = np.abs(off - base) > limit
        return int(np.argmax(leaves)) if leaves.any() else len(stamps)

    def _line(self, count: int) -> NDArray[np.float64]:
        """Stamps that the next `count` samples should have."""
        line: NDArray[np.float64] = (
            float(self._due or 0.0) + np.arange(count, dtype=np.float64) * self._period
        )
        return line

    def _off(self, stamp: float) -> float:
        return stamp - (self._due or 0.0)

    def _take(self, run: Piece, out: list[Piece]) -> None:
        """Decide what one run is."""
        first, limit = float(run.stamps[0]), self.tolerance_s
        if self._held:
            self._take_while_held(run, out)
        elif abs(self._off(first)) <= limit:
            self._accept(run, out)
        elif self._in_hole(first):
            self.counts.late += len(run.rows)
        else:
            self._held = [run]

    def _take_while_held(self, run: Piece, out: list[Piece]) -> None:
        held = sum(len(piece.rows) for piece in self._held)
        offset = self._offset()
        off = self._off(float(run.stamps[0]))
        room_s = offset - len(run.rows) * self._period
        verdicts = {
            "goes on": abs(off - offset - held * self._period),
            "counted": abs(off - held * self._period),
            "fills": abs(off) if offset > 0 and room_s > -self.tolerance_s else np.inf,
            # The held samples lie behind a gap, and these between the gap and them.
            "precedes": abs(off - room_s) if off > self.tolerance_s else np.inf,
            # In doubt a sample stays: only this verdict drops any.
            "passes": abs(off) + self._period / 4 if offset < 0 else np.inf,
        }
        verdict = min(verdicts, key=lambda name: verdicts[name])
        if verdicts[verdict] > self.tolerance_s:
            if self._in_hole(float(run.stamps[0])):
                # Old samples prove nothing of the jump.
                self.counts.late += len(run.rows)
                return
            if off > offset + held * self._period and offset > 0:
                self._settle(out)
            else:
                self._let_go(out, follow=False)
            self._take(run, out)
        elif verdict == "goes on":
            self._held.append(run)
        elif verdict == "precedes":
            self.counts.reordered += len(run.rows)
            # They have waited for as long as what came before them.
            self._held.insert(0, replace(run, arrived_ns=self._held[0].arrived_ns))
        elif verdict == "counted":
            self._let_go(out, follow=False)
            self._accept(run, out)
        elif verdict == "passes":
            # The stream goes on as if what is held had never come: it was old.
            self.counts.late += held
            self._held = []
            self._accept(run, out)
        else:
            self.counts.reordered += len(run.rows)
            self._accept(run, out)
            if abs(self._offset()) <= self.tolerance_s:
                self._let_go(out, follow=True)

    def _offset(self) -> float:
        """By how much the held samples are off the line, as a median."""
        stamps = np.concatenate([piece.stamps for piece in self._held])
        return float(np.median(stamps - self._line(len(stamps))))

    def _in_hole(self, stamp: float) -> bool:
        """Whether a sample's place is within a gap that has been reported."""
        off = self._off(stamp)
        place = self.next + round(off / self._period)
        slack = self.tolerance_s / self._period
        return off < 0 and any(start - slack <= place < stop + slack for start, stop in self._holes)

    def _settle(self, out: list[Piece]) -> None:
        """Nothing has proved the jump of the held samples wrong: a gap, or the clock was set."""
        offset = self._offset()
        arrived_ns = self._held[0].arrived_ns
        elapsed_s = (arrived_ns - self._begun_ns) / 1e9
        if 0 < offset <= elapsed_s * 1.001 + OUTRUN_S - self._signal_s:
            self._leave_gap(max(1, round(offset / self._period)))
            self._let_go(out, follow=True)
            return
        self.counts.clock_jumps += 1
        silence_s = (arrived_ns - self._arrived_ns) / 1e9
        if silence_s > OUTRUN_S:
            self._leave_gap(round(silence_s / self._period))
        self._due = float(self._held[0].stamps[0])
        self._holes.clear()
        self._let_go(out, follow=True)

    def _resume(self, stamp: float, arrived_ns: int) -> None:
        """Go on behind a break of the connection, by stamps where they agree with the arrivals."""
        self._resumed = False
        by_stamps = self._off(stamp)
        by_arrival = (arrived_ns - self._arrived_ns) / 1e9
        trusted = abs(by_stamps - by_arrival) <= OUTRUN_S
        self._leave_gap(max(1, round((by_stamps if trusted else by_arrival) / self._period)))
        self._due = stamp
        self._holes.clear()
        self._forget()

    def _leave_gap(self, missing: int) -> None:
        self._holes.append((self.next, self.next + missing))
        self.counts.gaps += 1
        self.counts.gap_samples += missing
        self._advance(missing)

    def _let_go(self, out: list[Piece], *, follow: bool) -> None:
        held, self._held = self._held, []
        for piece in held:
            self._accept(piece, out, follow=follow)

    def _accept(self, run: Piece, out: list[Piece], *, follow: bool = True) -> None:
        """Number a run by counting, and learn from its stamps: their line, or only how they stray."""
        count = len(run.rows)
        out.append(Piece(self.next, run.rows, run.stamps, run.arrived_ns))
        off = run.stamps - self._line(count)
        self._advance(count)
        span = count * self._period
        # Quick at first: with a quarter of what was followed the error falls faster than time grows.
        known_s = min(max(self._followed_s / 4, 0.1), _FOLLOW_S)
        gain = 1 - np.exp(-span / known_s)
        limit = self.tolerance_s
        strays = float(np.minimum(np.abs(off), limit).mean())
        self._scatter += gain * (min(strays, _WORST_S) - self._scatter)
        if follow:
            middle = min(max(float(np.median(off)), -limit), limit)
            self._due = (self._due or 0.0) + gain * middle
            period = self._period + gain**2 / 4 * middle / count
            self._period = min(max(period, 0.95 * self._nominal), 1.05 * self._nominal)
            self._followed_s += span

    def _advance(self, count: int) -> None:
        self.next += count
        self._due = (self._due or 0.0) + count * self._period
        self._signal_s += count * self._period


def _is_coarse(stamps: NDArray[np.float64]) -> bool:
    """Whether a clock gives many samples the stamp of the one before."""
    return len(stamps) > 1 and bool(np.mean(np.diff(stamps) == 0) >= _COARSE_SHARE)


def _repeated(stamps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which stamps have stood further in front."""
    repeated = np.ones(len(stamps), np.bool_)
    repeated[np.unique(stamps, return_index=True)[1]] = False
    return repeated


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Equal values; NaN equals NaN."""
    return bool(((one == other) | ((one != one) & (other != other))).all())
