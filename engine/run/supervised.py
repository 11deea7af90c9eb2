"""An engine that is started again where it dies or hangs, if that is wanted, and goes on in the same run.

Nothing of the dead engine is taken over but numbers: where each stream stood (what the engine had told, and
what it had brought to disk), and what had come and left until then. The new one opens its sources anew.
Where the source is by then, its own clock says; what lies between is a gap in every sink. Live streams that
join a run one by one do so again, each behind its own gap; one that is away by then is waited for.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from engine.run.commands import UserMark
from engine.run.failure import EngineFailure
from engine.run.process import HANGS_S, EngineProcess
from engine.run.protocol import (
    Answer,
    CleanSettings,
    Frame,
    Job,
    Joined,
    Outcome,
    Started,
    StartedStream,
    Told,
)
from engine.run.roll import Roll
from streamer.noise import NoiseSettings

MOST = 3
"""Restarts within `WITHIN_S`; an engine that dies once more is left dead."""
WITHIN_S = 60.0


class SupervisedEngine:
    """An `EngineProcess`, or one after the other.

    Where `Job.restart` is set, an engine that has played and dies, or hangs while it plays, is ended and
    started again. Its answers are then a `Started` more. Use in a ``with``, from one thread.

    Parameters
    ----------
    job
        What to play.

    Attributes
    ----------
    deaths
        What each engine died of that was started again.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.deaths: tuple[str, ...] = ()
        self._engine = EngineProcess(job)
        self._roll = Roll()
        self._failure: EngineFailure | None = None
        # What is known of the run up to the last death.
        self._outcome: Outcome | None = None
        self._restarted: list[float] = []
        # Of engines that have died, not read yet.
        self._frames: deque[Frame] = deque()
        # Asked for while none plays.
        self._later: deque[Callable[[EngineProcess], None]] = deque()
        self._noise: NoiseSettings | None = None
        self._retuned = self._held = self._stopping = False

    def __enter__(self) -> "SupervisedEngine":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine and wait for its end; one that hangs is ended by force."""
        self._stopping = True
        self._engine.close()

    @property
    def pid(self) -> int | None:
        """Process id of the engine."""
        return self._engine.pid

    @property
    def restarting(self) -> bool:
        """Whether an engine has been started again and does not play yet."""
        return self._failure is not None

    @property
    def hangs(self) -> bool:
        """Whether it plays and has told nothing for `HANGS_S`; see `EngineProcess.hangs`."""
        return self._engine.hangs

    def wait_started(self) -> Started:
        """Block until the engine plays for the first time; raises what kept it from playing."""
        started = self._engine.wait_started()
        self._note(started.streams)
        return started

    def finished(self, timeout_s: float = 0.0) -> Outcome | None:
        """The outcome, once there is one; None before. Raises what ended the run."""
        answer = self.heard(timeout_s)
        return answer if isinstance(answer, Outcome) else None

    def heard(self, timeout_s: float = 0.0) -> Answer | None:
        """The engine's next answer, if one comes in time. Raises what ended the run."""
        try:
            if self._job.restart and self._engine.hangs:
                raise self._engine.failure(f"the engine did not answer for {HANGS_S:g} s")
            answer = self._engine.heard(timeout_s)
        except EngineFailure as failure:
            self._restart(failure)
            return None
        except KeyboardInterrupt:
            # An engine that waits for its sources, and is told to stop, has nothing to tell.
            if self._failure and self._stopping:
                reason = _last_line(self._failure)
                raise EngineFailure(
                    reason, self._outcome and _ended(self._outcome, reason, self.deaths)
                ) from None
            raise
        if isinstance(answer, Started):
            return self._goes_on(answer)
        if isinstance(answer, Joined):
            return self._joins(answer)
        return self._whole(answer) if isinstance(answer, Outcome) else answer

    def _restart(self, failure: EngineFailure) -> None:
        """Start the engine again, or raise what it died of."""
        # One that was started again and has not played knows nothing; what is known is what was before.
        outcome = self._whole(failure.outcome) if failure.outcome else self._outcome
        if not self._job.restart or self._stopping or outcome is None:
            raise EngineFailure(str(failure), outcome and _ended(outcome, _last_line(failure), self.deaths))
        self._outcome = outcome
        now = time.monotonic()
        if sum(now - moment < WITHIN_S for moment in self._restarted) >= MOST:
            reason = (
                f"{_last_line(failure)}; it was started again {MOST} times within {WITHIN_S:g} s and died "
                "each time, so it is left dead"
            )
            raise EngineFailure(reason, _ended(outcome, reason, self.deaths))
        self._restarted.append(now)
        self._failure = failure
        self.deaths += (_last_line(failure),)
        if failure.outcome:
            standings = list(self._engine.known.streams.values())
            if self._retuned:
                self._job = replace(self._job, clean=standings[0].setup.clean)
            self._roll.leave(standings, failure.outcome, stood=self._held)
        self._job = replace(self._roll.next_job(self._job), deaths=self.deaths)
        self._frames += self._engine.frames()
        self._engine.close()
        self._engine = EngineProcess(self._job)

    def _goes_on(self, started: Started) -> Started:
        """Tell the engine that plays again what was changed meanwhile; returns all that has played."""
        self._note(started.streams)
        self._failure = None
        if self._noise:
            self._engine.set_noise(self._noise)
        if self._held:
            self._engine.pause(True)
        while self._later:
            self._later.popleft()(self._engine)
        return Started(tuple(self._roll.streams.values()), started.awaited)

    def _joins(self, joined: Joined) -> Answer:
        """A stream that joins, or is back: a screen has that one already."""
        back = joined.stream.info.source_id in self._roll.streams
        self._note((joined.stream,))
        return Told(f"{joined.stream.info.name} is back") if back else joined

    def _note(self, streams: Sequence[StartedStream]) -> None:
        try:
            self._roll.note(streams, self._job)
        except EngineFailure as failure:
            raise EngineFailure(str(failure), self._outcome) from None

    def _whole(self, outcome: Outcome) -> Outcome:
        return self._roll.whole(outcome, self._engine.known.streams)

    def frames(self) -> Iterator[Frame]:
        """Everything that waits for the screen; returns when nothing does."""
        while self._frames:
            yield self._frames.popleft()
        yield from self._engine.frames()

    def stop(self) -> None:
        """Ask the engine to end its run; its outcome still comes."""
        self._stopping = True
        self._engine.stop()

    def end(self, reason: str) -> NoReturn:
        """End the engine at once; recordings are closed to what is on disk.

        Parameters
        ----------
        reason
            Why, for the summary.

        Raises
        ------
        EngineFailure
            Always: of what is known of the run.
        """
        self._stopping = True
        self._restart(self._engine.failure(reason))
        raise AssertionError("an engine that was told to stop is not started again")

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise while it plays."""
        self._noise = settings
        self._ask(lambda engine: engine.set_noise(settings))

    def retune(self, wanted: CleanSettings) -> None:
        """Change network, backend, look-ahead or hop while it plays."""
        self._retuned = True
        self._ask(lambda engine: engine.retune(wanted))

    def pause(self, paused: bool) -> None:
        """Hold a played signal, or let it go on; a live one goes on."""
        self._held = paused
        self._ask(lambda engine: engine.pause(paused))

    def record(self, folder: Path | None) -> None:
        """Record into a folder from now on; None ends the recording."""
        self._job = replace(self._job, save=folder)
        self._ask(lambda engine: engine.record(folder))

    def mark(self, mark: UserMark) -> None:
        """Have a person's mark recorded and published."""
        self._ask(lambda engine: engine.mark(mark))

    def _ask(self, command: Callable[[EngineProcess], None]) -> None:
        """Command the engine, or the next one once it plays."""
        if self.restarting:
            self._later.append(command)
        else:
            command(self._engine)


def _last_line(failure: EngineFailure) -> str:
    return str(failure).strip().splitlines()[-1]


def _ended(outcome: Outcome, reason: str, deaths: tuple[str, ...]) -> Outcome:
    """What is known of a run that ends here."""
    summary = replace(outcome.summary, failure=reason, restarts=len(deaths), deaths=deaths)
    return replace(outcome, summary=summary)
