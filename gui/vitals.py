"""Heart rate, beats and technical alarms, computed from the traces."""

import queue
import threading
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.guard.wave_doubt import unsure_beats
from gui.trace_buffer import TraceBuffer
from streamer.heart_rate import AVERAGED, LISTENED_S, confirmed_rate, heart_rate, rhythm, silence_s
from streamer.qrs import find_qrs

WARN, ERROR = 0.75, 0.9
"""Shares of the input range at which a lead is called near its limit, and saturated."""
_EDGE_S = 0.3
_REFRACTORY_S = 0.2
_FLAT_MV = 1e-3
ALARM_S = 4.0
"""Seconds of raw that an alarm is judged by: no beat is further from the next one."""
_HELD_S = 0.1
_RAILED_S, _RAILED_MV = 0.05, 1.0
_KEPT = 8  # results that were not taken yet
_KEPT_BEATS = 9000  # half an hour at the highest rate


def disagree(first: float | None, second: float | None) -> bool:
    """Whether two heart rates differ by more than 5 bpm or 10 %, whichever is more."""
    if first is None or second is None:
        return first is not second
    return abs(first - second) > max(5.0, 0.1 * max(first, second))


def alarm(raw: NDArray[np.float32], range_mv: float, fs: float) -> str:
    """What is technically wrong with a lead; empty where nothing is.

    What moves freely on a stable electrode offset is not saturated, however large the offset: an
    amplifier takes it away. A lead with a coarse ADC stands on its steps between two beats; it is flat
    where it does not move in all of `raw`.

    Parameters
    ----------
    raw
        Its last `ALARM_S` seconds or less, mV; the last second is judged.
    range_mv
        The amplifier takes −range_mv … +range_mv.
    """
    last = raw[-round(fs) :]
    if last.size == 0:
        return ""
    known = last[np.isfinite(last)]
    if known.size < last.size / 2:
        return "LEAD OFF"
    if float(np.ptp(known)) < _FLAT_MV:
        if float(np.abs(known).max()) >= ERROR * range_mv:
            return "SATURATED"
        return "" if _is_coarse(raw, fs) else "FLAT: electrode?"
    middle = float(np.median(raw[np.isfinite(raw)]))
    highest = float(np.abs(known - middle).max())
    if highest >= ERROR * range_mv or _is_clipped(known, middle, range_mv, fs):
        return "SATURATED"
    return "near its limit" if highest >= WARN * range_mv else ""


def _is_coarse(raw: NDArray[np.float32], fs: float) -> bool:
    """Whether a lead stood still, moved, and stood still again."""
    held = max(2, round(_HELD_S * fs))
    if raw.size < held:
        return False
    views = np.lib.stride_tricks.sliding_window_view(raw, held)
    still = np.ptp(views, axis=1) < _FLAT_MV
    return int((still[1:] & ~still[:-1]).sum()) + int(still[0]) > 1


def _is_clipped(known: NDArray[np.float32], middle: float, range_mv: float, fs: float) -> bool:
    """Whether a lead beyond the range stands still at its outer extreme, far from its middle."""
    outward = known if middle > 0 else -known
    top = float(outward.max())
    if top < ERROR * range_mv or top - abs(middle) < _RAILED_MV:
        return False
    at_top = np.concatenate([[False], outward > top - _FLAT_MV, [False]])
    edges = np.flatnonzero(np.diff(at_top))
    return int((edges[1::2] - edges[::2]).max()) >= _RAILED_S * fs


@dataclass(frozen=True)
class Vitals:
    """Beats (sample indices) in raw and in cleaned of a buffer, and the heart rates, bpm.

    Parameters
    ----------
    silence_s
        Since the last beat that was found in either.
    raw_rhythm, cleaned_rhythm
        What is to be said of the rhythm beside its rate, if anything.
    unsure
        The network is unsure of a beat that the rate of cleaned would rest on.
    """

    buffer: TraceBuffer
    raw_beats: NDArray[np.int64]
    cleaned_beats: NDArray[np.int64]
    raw_bpm: float | None
    cleaned_bpm: float | None
    silence_s: float
    raw_rhythm: str = ""
    cleaned_rhythm: str = ""
    unsure: bool = False


@dataclass(frozen=True)
class _Stretch:
    raw: NDArray[np.float32]
    cleaned: NDArray[np.float32]
    cleaned_from: NDArray[np.float32]
    unsure: NDArray[np.bool_]
    start: int
    raw_start: int
    buffer: TraceBuffer


class BeatFinder:
    """Finds beats on a thread of its own: a search takes 30 ms and more, a frame has 16.

    The thread blocks on the next stretch; while it searches, newer stretches replace each other,
    so that it never falls behind. An exception on the thread is raised by the next `take`.
    """

    def __init__(self) -> None:
        self._asked: queue.Queue[_Stretch | None] = queue.Queue(1)
        self._found: deque[Vitals | Exception] = deque(maxlen=_KEPT)
        self._thread = threading.Thread(target=self._search, name="beat finder", daemon=True)
        self._thread.start()

    def ask(self, buffer: TraceBuffer, lead: int) -> None:
        """Search the last seconds of a lead; returns at once."""
        reach = round(LISTENED_S * buffer.fs)
        raw_start = max(buffer.oldest, buffer.newest - reach)
        start = max(buffer.oldest, buffer.final - reach)
        if self._asked.empty():
            self._asked.put(
                _Stretch(
                    buffer.read("raw", lead, raw_start, buffer.newest),
                    buffer.read("cleaned", lead, start, buffer.final),
                    buffer.read("raw", lead, start, buffer.final),
                    buffer.unsure(lead, start, buffer.final),
                    start,
                    raw_start,
                    buffer,
                )
            )

    def take(self) -> Vitals | None:
        """The oldest result that was not taken yet, if any."""
        if not self._found:
            return None
        found = self._found.popleft()
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._asked.put(None)
            self._thread.join()

    def _search(self) -> None:
        while (stretch := self._asked.get()) is not None:
            try:
                self._found.append(_vitals(stretch))
            except Exception as error:  # noqa: BLE001 - handed over to the thread that asked
                self._found.append(error)


def _vitals(stretch: _Stretch) -> Vitals:
    fs = stretch.buffer.fs
    heard = find_qrs(stretch.raw, fs)
    made = find_qrs(stretch.cleaned, fs, stretch.cleaned_from)
    raw_bpm = heart_rate(heard, stretch.raw, fs)
    unsure = unsure_beats(made, stretch.unsure, fs)
    cleaned_bpm = confirmed_rate(raw_bpm, made, stretch.cleaned, fs, unsure)
    return Vitals(
        stretch.buffer,
        heard + stretch.raw_start,
        made + stretch.start,
        raw_bpm,
        cleaned_bpm,
        min(silence_s(heard, stretch.raw, fs), silence_s(made, stretch.cleaned, fs)),
        rhythm(heard, stretch.raw, fs),
        "" if cleaned_bpm is None else rhythm(made, stretch.cleaned, fs),
        bool(unsure[-AVERAGED - 1 :].any()),
    )


@dataclass
class Ticks:
    """New beats, each reported once although successive searches overlap."""

    found: deque[int] = field(default_factory=lambda: deque(maxlen=_KEPT_BEATS))
    _until: int = 0

    def add(self, beats: NDArray[np.int64], newest: int, fs: float) -> int | None:
        """Take beats of one search; returns the first new one. Those at the edge wait for the next."""
        stop = newest - round(_EDGE_S * fs)
        new = beats[(beats >= self._until) & (beats < stop)]
        if new.size:
            self._until = int(new[-1]) + round(_REFRACTORY_S * fs)
            self.found += new.tolist()
        return int(new[0]) if new.size else None
