"""State of one stream as the screen shows it: samples, status, alarms; no drawing."""

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from enum import Enum

import numpy as np

from engine.ledger.delays import Delays
from engine.marks import Mark, Reason
from engine.messages import Cleaned, Passed
from engine.run.protocol import CleanSettings, Frame, Refused, Setup, StartedStream, Status
from gui.bridge import Life
from gui.clock import clock
from gui.events import EventLog
from gui.lead_names import written
from gui.screen_delay import PaintClock
from gui.trace_buffer import KEPT_S, TraceBuffer
from gui.trends import TrendLog
from gui.vitals import ALARM_S, Ticks, Vitals, alarm, disagree
from streamer.heart_rate import DOUBTED_S, SILENT_S, UNSURE_BEATS
from streamer.open_source import is_played

STALE_S = 1.0
"""Without a frame for longer, the trace on the screen is old."""
LOST_S = 5.0
RANGE_MV = 5.0
"""Input range that an ECG amplifier must have (IEC 60601-2-27: ±5 mV)."""
_MINUTE = 120  # statuses
_SCORED_S = 10.0
_RECENT_S = DOUBTED_S
_SWITCH_S = 3.0  # a status says within half a second that settings have changed


class Level(Enum):
    """Severity of a state; what a person chose, a pause or a replay, is neither good nor bad."""

    GOOD = "good"
    HELD = "held"
    WARN = "warn"
    BAD = "bad"


class Monitor:
    """One stream as a bedside monitor shows it: `take` feeds it, the widgets read it.

    Parameters
    ----------
    started
        The stream that the engine plays.
    range_mv
        The amplifier takes −range_mv … +range_mv.
    kept_s
        Seconds of the past that a person can look back at.
    """

    def __init__(self, started: StartedStream, range_mv: float = RANGE_MV, kept_s: float = KEPT_S) -> None:
        self.info, self.played = started.info, is_played(started.settings)
        self.buffer = TraceBuffer(started.info, kept_s)
        self.status: Status | None = None
        self.vitals: Vitals | None = None
        self.ticks = {"raw": Ticks(), "cleaned": Ticks()}
        self.switches: deque[tuple[int, str]] = deque(maxlen=_MINUTE)
        self.refused = ""
        self.range_mv = range_mv
        self.latest_ms: deque[tuple[float, float]] = deque(maxlen=_MINUTE)
        self.paused = False
        self._seen = time.perf_counter()
        self.painting = PaintClock()
        self.events = EventLog(started.info)
        self.trends = TrendLog()

    def take(self, frames: Iterable[Frame]) -> None:
        """Take what the bridge polled."""
        for frame in frames:
            self._seen = time.perf_counter()
            if isinstance(frame, Status):
                if self.status and self.status.setup != frame.setup:
                    self.painting.restart()
                    self._note_switch(self.status.setup.clean, frame.setup.clean)
                self.events.note_state(self.buffer.newest, frame.state)
                self.status = frame
                if np.isfinite(frame.delays.latest_p50_ms):
                    self.latest_ms.append((frame.delays.latest_p50_ms, frame.delays.latest_max_ms))
            elif isinstance(frame, Refused):
                self.refused = frame.reason
            elif not isinstance(frame, Passed):
                self.buffer.push(frame)
                self.events.take(frame)
                if isinstance(frame, Cleaned):
                    self.painting.take(frame)

    def _note_switch(self, before: CleanSettings, after: CleanSettings) -> None:
        """Note from which sample on other settings clean: their first ones are marked as warming up."""
        if (before.model, before.lookahead_ms) == (after.model, after.lookahead_ms) or self.buffer.empty:
            return
        start = max(self.buffer.oldest, self.buffer.final - round(_SWITCH_S * self.buffer.fs))
        warming = self.buffer.marks(0, start, self.buffer.final) == Mark.WARMUP
        begins = np.flatnonzero(np.diff(warming, prepend=False) & warming)
        sample = start + int(begins[-1]) if begins.size else self.buffer.final
        name = f"{after.model} {after.lookahead_ms:.0f} ms"
        self.switches.append((sample, name))
        self.events.note(sample, "settings", name)
        self.buffer.touch(sample)

    def mark(self, sample: int, note: str) -> None:
        """Remember a person's mark on a sample."""
        self.events.note(sample, "mark", note)
        self.buffer.touch(sample)

    def take_vitals(self, found: Vitals) -> None:
        """Take what the beat finder found; the ticks of new beats are drawn next time."""
        self.vitals = found
        fs = self.info.fs
        for kind, beats, newest in (
            ("raw", found.raw_beats, self.buffer.newest),
            ("cleaned", found.cleaned_beats, self.buffer.final),
        ):
            first = self.ticks[kind].add(beats, newest, fs)
            if first is not None:
                self.buffer.touch(first)

    @property
    def delays(self) -> Delays | None:
        """The engine's delays, once it has sent them."""
        return self.status.delays if self.status else None

    @property
    def age_s(self) -> float:
        """How old the newest released sample on the screen is."""
        return time.perf_counter() - self.buffer.final_time

    def state(self, life: Life, frozen: bool) -> tuple[str, Level]:
        """Text of the state chip, and its severity."""
        if life.failed:
            return str(life.value), Level.BAD
        if life is Life.ENDED or (self.status and self.status.ended):
            return "ENDED", Level.HELD
        if frozen:
            return "FROZEN", Level.HELD
        if self.paused:
            return "PAUSED", Level.HELD
        silent = self._silent_s
        if self.status and self.status.state != "LIVE":
            age, state = max(self.status.sample_age_s, silent), self.status.state
            if state == "RECOVERED":
                return state, Level.GOOD
            return f"{state} {age:.0f} s", Level.BAD if state == "LOST" else Level.WARN
        if silent > LOST_S:
            return f"LOST {silent:.0f} s", Level.BAD
        if silent > STALE_S:
            return f"STALE {silent:.0f} s", Level.WARN
        if self.status and self.status.delays.latest_p50_ms > _late_ms(self.status.setup):
            return f"LATE {self.status.delays.latest_p50_ms / 1000:.1f} s", Level.BAD
        if self._recent(Mark.BYPASSED):
            return f"BYPASS ({self._why() or 'network output unusable'})", Level.BAD
        if self._recent(Mark.FILTERED):
            return f"FILTER ({Reason.OVERLOAD.text})", Level.BAD
        if self.status and self.status.setup.step:
            return f"{self._kind()} · {self.status.setup.step} ({Reason.OVERLOAD.text})", Level.WARN
        level = Level.GOOD if self.info.origin == "live" else Level.HELD
        if self._recent(Mark.WARMUP):
            return f"{self._kind()} · warming up", level
        return self._kind(), level

    def _kind(self) -> str:
        """What plays: only a live stream is a patient at this moment."""
        info = self.info
        if info.origin == "live":
            return "LIVE"
        if info.origin == "synthetic":
            return "DEMO"
        played, length = self.buffer.newest / info.fs, info.length_s
        if length is None:
            return f"REPLAY {clock(info.start_s + played)}"
        lap = length - info.start_s
        # One that loops begins again where it began.
        at = info.start_s + (played if played <= lap else played % lap)
        return f"REPLAY {clock(at)}/{clock(length)}"

    @property
    def _silent_s(self) -> float:
        """How long nothing has come from the engine."""
        return time.perf_counter() - self._seen

    @property
    def lost_s(self) -> float | None:
        """How long the stream has been lost; None while it is not, and once it has ended or is held."""
        status = self.status
        if self.paused or (status and status.ended):
            return None
        silent = self._silent_s
        if status and status.state == "LOST":
            return max(status.sample_age_s, silent)
        return silent if silent > LOST_S else None

    def notice(self, life: Life, *, frozen: bool) -> str:
        """What is written across the traces because they are not those of now; empty where they are."""
        if life.failed:
            return str(life.value)
        lost_s = self.lost_s if life is Life.PLAYING and not frozen else None
        return "" if lost_s is None else f"LOST {lost_s:.0f} s"

    @property
    def gaps(self) -> str:
        """How many stretches of samples never came, and how long they are together."""
        status = self.status
        if status is None or not status.gaps:
            return "no gaps"
        return (
            f"{status.gaps} gap{'' if status.gaps == 1 else 's'}, {status.gap_samples / self.info.fs:.1f} s"
        )

    def _recent(self, mark: Mark) -> bool:
        """Whether any lead's last half second carries a mark."""
        buffer = self.buffer
        start = max(buffer.oldest, buffer.final - round(_RECENT_S * buffer.fs))
        leads = range(len(self.info.leads))
        return any((buffer.marks(lead, start, buffer.final) == mark).any() for lead in leads)

    def _why(self) -> str:
        """Reasons of the last half second, each with its lead where there are several."""
        leads = self.info.leads
        reasons = self.reasons()
        if len(leads) == 1:
            return reasons[0].text
        return ", ".join(
            f"{written(lead)}: {reason.text}" for lead, reason in zip(leads, reasons, strict=True) if reason
        )

    def reasons(self) -> list[Reason]:
        """For each lead, why what is shown is not the network's output at this moment."""
        return [self.buffer.reason(lead, _RECENT_S) for lead in range(len(self.info.leads))]

    def unsure(self, shown: Collection[int]) -> list[bool]:
        """For each lead that is shown, whether a wave of its last seconds is smaller than its uncertainty."""
        return [lead in shown and self.buffer.was_unsure(lead) for lead in range(len(self.info.leads))]

    def alarms(self) -> list[str]:
        """Technical alarm of each lead, empty where there is none."""
        buffer = self.buffer
        start = max(buffer.oldest, buffer.newest - round(ALARM_S * buffer.fs))
        return [
            alarm(buffer.read("raw", lead, start, buffer.newest), self.range_mv, buffer.fs)
            for lead in range(len(self.info.leads))
        ]

    def rmse_mv(self) -> float:
        """Root mean square of cleaned less reference over the last 10 s, mean removed; NaN without."""
        if not self.info.has_reference or self.buffer.empty:
            return float("nan")
        error = self.buffer.last("cleaned", _SCORED_S) - self.buffer.last("reference", _SCORED_S)
        known = np.isfinite(error).any(axis=1)
        return float(np.mean(np.nanstd(error[known], axis=1))) if known.any() else float("nan")

    @property
    def has_figures(self) -> bool:
        """Whether figures tell of now: not once the stream is lost or over."""
        return self.lost_s is None and not (self.status and self.status.ended)

    @property
    def bpm(self) -> tuple[float | None, float | None]:
        """Heart rates of raw and of cleaned; None while unknown, and once the stream is lost or over.

        Where raw is shown in place of cleaned, the guard doubts, and cleaned has no rate of its own.
        """
        if self.vitals is None or not self.has_figures:
            return None, None
        doubted = self._recent(Mark.BYPASSED)
        return self.vitals.raw_bpm, None if doubted else self.vitals.cleaned_bpm

    def rate_warning(self) -> str:
        """What is to be said of the heart rates; empty where nothing is."""
        if self.vitals is None or not self.has_figures:
            return ""
        if self.vitals.silence_s > SILENT_S:
            return f"NO BEAT FOUND for {self.vitals.silence_s:.0f} s"
        if self._recent(Mark.BYPASSED):
            return self.vitals.raw_rhythm
        words = "raw and cleaned disagree" if disagree(*self.bpm) else self.vitals.cleaned_rhythm
        return UNSURE_BEATS if self.vitals.unsure else words


def share(frames: Iterable[Frame], monitors: Sequence[Monitor]) -> None:
    """Hand each stream's frames to its monitor; those that belong to no stream go to the first."""
    own: dict[str, list[Frame]] = {monitor.info.source_id: [] for monitor in monitors}
    first = own[monitors[0].info.source_id]
    for frame in frames:
        # What a stream that joins has sent may come before the word that it has joined.
        (first if isinstance(frame, Refused) else own.get(frame.stream, [])).append(frame)
    for monitor in monitors:
        monitor.take(own[monitor.info.source_id])


def _late_ms(setup: Setup) -> float:
    """Delay beyond which the machine counts as overloaded: twice what the settings imply, plus 100 ms."""
    return 2 * setup.algorithmic_delay_ms + 100
