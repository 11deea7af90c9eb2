"""The log of a run as events of JSON; what each holds stands on the page "As a service"."""

import math
import time
from typing import Any

from engine.run.protocol import Frame, Outcome, Started, StartedStream, Status
from engine.run.summary import as_json
from engine.service.names import Names
from streamer.console.json_lines import JsonLines

STATUS_S = 60.0
"""Every stream says how it is doing so often."""
_NOTHING = Status(
    seconds=0.0,
    samples_in=0,
    gaps=0,
    gap_samples=0,
    snr_in_db=math.nan,
    snr_out_db=math.nan,
    delay_p50_ms=math.nan,
    delay_p99_ms=math.nan,
    deadline_misses=0,
    state="",
)


class JsonLog:
    """A `Watcher` that logs what changes at once, and how each stream is doing once a minute.

    Parameters
    ----------
    model
        Name of the network.
    """

    def __init__(self, lines: JsonLines, names: Names, model: str) -> None:
        self._lines, self._names, self._model = lines, names, model
        self._numbers: dict[str, int] = {}
        self._statuses: dict[str, Status] = {}
        self._told_at = time.monotonic()
        self._problem = ""
        self._begun = False

    def plays(self, started: Started) -> None:
        """As `Watcher.plays`."""
        if self._begun:
            self._lines.event("warning", "restarted")
            return
        self._begun = True
        for each in started.streams:
            self._stream("playing", each)

    def joins(self, stream: StartedStream) -> None:
        """As `Watcher.joins`."""
        self._stream("joined", stream)

    def _stream(self, event: str, each: StartedStream) -> None:
        number = self._numbers.setdefault(each.info.source_id, len(self._numbers) + 1)
        self._names.plays(number, each)
        clean = each.setup.clean
        named = {"name": each.info.name, "lead_names": list(each.info.leads)} if self._names.shown else {}
        self._lines.event(
            "info",
            event,
            stream=number,
            **named,
            leads=len(each.info.leads),
            fs_hz=each.info.fs,
            model=self._model,
            backend=clean.backend,
            lookahead_ms=clean.lookahead_ms,
            hop_ms=clean.hop_ms,
            algorithmic_delay_ms=each.setup.algorithmic_delay_ms,
        )
        for note in each.info.notes:
            self._lines.event("info", "note", stream=number, text=self._names.foreign(note))

    def told(self, text: str) -> None:
        """As `Watcher.told`."""
        self._lines.event("warning", "note", text=self._names.foreign(text))

    def take(self, frame: Frame) -> None:
        """As `Watcher.take`."""
        if isinstance(frame, Status):
            before = self._statuses.get(frame.stream, _NOTHING)
            self._statuses[frame.stream] = frame
            self._changes(self._numbers[frame.stream], before, frame)

    def _changes(self, number: int, before: Status, now: Status) -> None:
        told = self._lines.event
        if now.state != before.state:
            level = "info" if now.state in ("LIVE", "RECOVERED") else "warning"
            why = {"why": self._names.foreign(now.problem)} if now.problem else {}
            told(level, "state", stream=number, state=now.state, **why)
        if now.gaps != before.gaps:
            told("warning", "gap", stream=number, gaps=now.gaps, gap_samples=now.gap_samples)
        if now.setup.step != before.setup.step:
            level = "warning" if now.setup.step else "info"
            told(level, "ladder", stream=number, step=now.setup.step or "network")
        if now.setup.failure != before.setup.failure:
            told("error", "backend", stream=number, why=self._names.safe(now.setup.failure))
        if now.recording_problem and not before.recording_problem:
            told("error", "recording", stream=number, why=self._names.safe(now.recording_problem))
        if now.ended and not before.ended:
            told("info", "ended", stream=number)

    def looked(self, problem: str, restarts: int, *, restarting: bool) -> None:
        """As `Watcher.looked`."""
        if problem != self._problem:
            self._problem = problem
            if problem:
                self._lines.event("error", "engine", why=self._names.safe(problem))
            else:
                self._lines.event("info", "engine", why="it answers again")
        if problem or time.monotonic() - self._told_at < STATUS_S:
            return
        self._told_at = time.monotonic()
        for source_id, status in self._statuses.items():
            self._lines.event("info", "status", stream=self._numbers[source_id], **_figures(status))

    def ended(self, outcome: Outcome) -> None:
        """As `Watcher.ended`."""
        summary = outcome.summary
        for number, one in enumerate(summary.streams, start=1):
            failure = {"failure": self._names.foreign(one.failure)} if one.failure else {}
            self._lines.event(
                "error" if one.failure or one.unaccounted else "info",
                "summary",
                stream=number,
                samples_in=one.samples_in,
                samples_out=one.samples_out,
                samples_lost=one.samples_lost,
                gaps=one.gaps,
                gap_samples=one.gap_samples,
                marks=one.marks,
                hops=one.hops,
                hops_late=one.deadline_misses,
                delay_ms=as_json(one.delay_ms),
                unaccounted=one.unaccounted,
                **failure,
            )
        for each in summary.absent:
            text = self._names.foreign(f"absent: {each.name} ({each.why})")
            self._lines.event("warning", "note", text=text)
        level = "error" if summary.failure else "info"
        self._lines.event(level, "over", restarts=summary.restarts, wall_s=summary.wall_s)


def _figures(status: Status) -> dict[str, Any]:
    """What the log tells of a stream once a minute; what is not known is left out."""
    figures = {
        "state": status.state,
        "seconds": status.seconds,
        "marks": status.marks,
        "hops": status.hops,
        "hops_late": status.deadline_misses,
        "gaps": status.gaps,
        "gap_samples": status.gap_samples,
        "delay_p50_ms": status.delay_p50_ms,
        "delay_p99_ms": status.delay_p99_ms,
        "sample_age_s": status.sample_age_s,
        "step": status.setup.step or "network",
        "reasons": sorted(set(status.reasons.values())),
    }
    return {
        name: value for name, value in figures.items() if not (isinstance(value, float) and math.isnan(value))
    }
