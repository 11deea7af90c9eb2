"""An engine at real speed on a live stream that goes wrong all the time, and the account of every sample.

The device is a process of its own behind the real LSL, on this machine's loopback; so is the engine, which
may be retuned, starved, killed and stopped. The judge is neither: it reads what was recorded, and what the
device says that it never sent.
"""

import multiprocessing
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine.lab.soak import counted_device
from engine.lab.soak.counted_device import Span
from engine.lab.soak.recorded import Verdict, judge
from engine.lab.soak.trouble import Trouble, troubles
from engine.run.ctrl_c import ctrl_c_noted
from engine.run.failure import EngineFailure
from engine.run.protocol import CleanSettings, Job, Outcome, Status
from engine.run.summary import Summary
from engine.run.supervised import SupervisedEngine
from streamer.errors import InputError
from streamer.lsl.network import keep_to_this_machine
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

NAME = "soak"
HOP_MS = 44.0
_FLOWS = 200
"""Samples that leave behind a change before something else goes wrong, or the run ends."""
_NOTHING_S = 180.0
"""An engine of which so long nothing leaves will not come back."""
_STOPPED_S, _RUNS_S = 0.08, 0.02
_ANSWERS_S = 60.0
_LOOK_S = 0.05


@dataclass(frozen=True)
class LiveSoakSettings:
    """How long, and which trouble.

    Parameters
    ----------
    minutes
        Of real time.
    seed
        Decides what goes wrong, and when.
    record
        Folder that the recordings stay in; None deletes them when they have been judged.
    """

    minutes: float = 60.0
    seed: int = 0
    record: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 90:
            # The samples' count begins anew after that.
            raise InputError(
                f"minutes of a soak at real speed must lie above 0 and up to 90, got {self.minutes}"
            )


def soak(
    settings: LiveSoakSettings,
    show: Callable[[str], None] = lambda text: None,
    plan: Iterable[Trouble] | None = None,
) -> dict[str, Any]:
    """Play until the time is over, the plan is, or Ctrl-C, and account for every sample.

    LSL must not have been used in this process before.

    Parameters
    ----------
    show
        Told of everything that is about to go wrong.
    plan
        What goes wrong; None is `troubles` of the seed.
    """
    plan = troubles(settings.seed) if plan is None else plan
    with tempfile.TemporaryDirectory(prefix="soak-live-") as folder:
        keep_to_this_machine(Path(folder))
        into = settings.record or Path(folder, "recordings")
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise InputError(f"{into} is not empty; a soak is judged by all that lies in its folder")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        device = context.Process(target=counted_device.serve, args=(NAME, there), daemon=True)
        device.start()
        try:
            _answer(here)
            run = _Run(here, into, 60 * settings.minutes, show)
            run.play(plan)
            here.send(("end", None))
            unsent: list[Span] = _answer(here)
        finally:
            device.kill()
            device.join()
        return run.figures(settings, judge(into, unsent))


def _answer(device: Connection) -> Any:
    if not device.poll(_ANSWERS_S):
        raise RuntimeError(f"the device of the soak has said nothing for {_ANSWERS_S:g} s")
    return device.recv()


class _Run:
    """The engine, what is done to it and to its device, and what became of it."""

    def __init__(self, device: Connection, into: Path, seconds: float, show: Callable[[str], None]) -> None:
        self._device, self._seconds, self._show = device, seconds, show
        source = SourceSettings(kind="lsl", lsl=LslSettings(NAME, wait=True))
        self._job = Job(
            (source,), _clean(100.0), save=into, lsl_out=f"{NAME} cleaned", restart=True, logs=False,
            traces=False,
        )  # fmt: skip
        self._next = 0
        self._outcome: Outcome | None = None
        self._failure = ""
        self._done: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()

    def play(self, plan: Iterable[Trouble]) -> None:
        """From the first sample to the end."""
        try:
            with SupervisedEngine(self._job) as engine, ctrl_c_noted() as pressed:
                self._engine, self._pressed = engine, pressed
                engine.wait_started()
                self._flows()
                self._ends = time.monotonic() + self._seconds
                for trouble in plan:
                    if not self._calm(trouble.calm_s):
                        break
                    self._show(f"{trouble.kind} {trouble.lasts_s:.1f} s")
                    self._make(trouble)
                    self._flows()
                    self._done[trouble.kind] += 1
                engine.stop()
                while self._outcome is None:
                    self._look()
        except EngineFailure as failure:
            self._outcome, self._failure = failure.outcome, str(failure)

    def _look(self) -> None:
        """Take in what the engine tells; it is started again here where it died."""
        outcome = self._engine.finished(_LOOK_S)
        self._outcome = outcome or self._outcome
        for frame in self._engine.frames():
            if isinstance(frame, Status):
                self._next = max(self._next, frame.next)
                if frame.setup.step:
                    self._steps[frame.setup.step] += 1

    def _calm(self, seconds: float) -> bool:
        """Wait; whether there is time for more."""
        until = min(time.monotonic() + seconds, self._ends)
        while time.monotonic() < until and not self._pressed():
            self._look()
        return time.monotonic() < self._ends and not self._pressed()

    def _flows(self) -> None:
        """Wait until samples leave again."""
        self._look()
        aim, until = self._next + _FLOWS, time.monotonic() + _NOTHING_S
        while self._next < aim or self._engine.restarting:
            if time.monotonic() > until:
                self._engine.end(f"nothing has left for {_NOTHING_S:g} s")
            self._look()

    def _make(self, trouble: Trouble) -> None:
        """Have something go wrong, until it is over."""
        match trouble.kind:
            case "silence" | "burst":
                self._tell("holds", True)
                self._pass(trouble.lasts_s)
                self._tell("holds", False)
            case "retune in a silence":
                self._tell("holds", True)
                self._pass(trouble.lasts_s / 2)
                self._engine.retune(_clean(trouble.lookahead_ms))
                self._pass(trouble.lasts_s / 2)
                self._tell("holds", False)
            case "gone":
                self._tell("there", False)
                self._pass(trouble.lasts_s)
                self._tell("there", True)
            case "loss":
                self._tell("lose", trouble.samples)
            case "retune":
                self._engine.retune(_clean(trouble.lookahead_ms))
            case "starvation":
                self._starve(trouble.lasts_s)
            case "kill":
                self._die(signal.SIGKILL)
            case "hang":
                self._die(signal.SIGSTOP)

    def _tell(self, what: str, value: bool | int) -> None:
        self._device.send((what, value))

    def _pass(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look()

    def _starve(self, seconds: float) -> None:
        """Have the engine stand still four fifths of the time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._engine.restarting:
            self._signal(signal.SIGSTOP)
            time.sleep(_STOPPED_S)
            self._signal(signal.SIGCONT)
            time.sleep(_RUNS_S)
            self._look()

    def _die(self, number: signal.Signals) -> None:
        before = len(self._engine.deaths)
        self._signal(number)
        while len(self._engine.deaths) == before or self._engine.restarting:
            self._look()

    def _signal(self, number: signal.Signals) -> None:
        pid = self._engine.pid
        if pid is None:
            raise RuntimeError("an engine that plays has no process")
        os.kill(pid, number)

    def figures(self, settings: LiveSoakSettings, verdict: Verdict) -> dict[str, Any]:
        """The account, ready for JSON; ``exact`` says that it closes in every sink."""
        if self._outcome is None:
            raise RuntimeError(self._failure or "the engine said nothing of its run")
        summary: Summary = self._outcome.summary
        (stream,) = summary.streams
        return {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "minutes": settings.minutes,
            "seed": settings.seed,
            "done": dict(sorted(self._done.items())),
            "statuses_on_the_ladder": dict(self._steps),
            "restarts": summary.restarts,
            "deaths": list(summary.deaths),
            "out": stream.samples_out,
            "gaps": stream.gaps,
            "gap_samples": stream.gap_samples,
            "recorded": vars(verdict),
            "unaccounted": stream.unaccounted,
            "failure": self._failure or summary.failure or stream.failure,
            "exact": verdict.misplaced == 0
            and verdict.out == stream.samples_out
            and verdict.in_gaps == stream.gap_samples
            and verdict.unexplained_gaps <= summary.restarts
            and not stream.unaccounted
            and not (self._failure or summary.failure or stream.failure),
        }


def _clean(lookahead_ms: float) -> CleanSettings:
    return CleanSettings("identity", "auto", lookahead_ms, HOP_MS)
