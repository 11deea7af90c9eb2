"""The engines of a ward: a process for each worker, with its share of the beds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.run.failure import EngineFailure
from engine.run.process import HANGS_S
from engine.run.protocol import Answer, Job, Joined, Outcome, Started, Told
from engine.run.summary import Summary
from engine.run.supervised import SupervisedEngine
from streamer.errors import InputError
from streamer.partition import worker_of
from streamer.settings import SourceSettings
from ward.beds import Beds

_PASS_S = 0.02
_LISTEN_SHARE = 0.25
"""Of the time between two passes, for finding heart rates."""


@dataclass(frozen=True)
class WardSummary:
    """What a run of a ward comes to.

    Parameters
    ----------
    workers
        The summary of each worker that has one, in the order of their numbers.
    failures
        What workers died of for good, by their numbers from 1.
    """

    workers: tuple[Summary, ...]
    failures: dict[int, str]


def share_out(job: Job, workers: int) -> list[Job]:
    """A job for each worker: beds by `streamer.partition`, and where streams come and go, a share of them.

    Parameters
    ----------
    job
        All sources, and how they are cleaned.
    workers
        How many, 1 and more. One that gets no bed of a fixed list gets no job.

    Raises
    ------
    InputError
        If `workers` is no such number, or beds leave for LSL under one name.
    """
    if workers < 1:
        raise InputError(f"--workers {workers} cannot work; give 1 or more, one for each core")
    if job.sources[0].lsl.every:
        base = job.sources[0]
        shares = (replace(base, lsl=replace(base.lsl, share=(number, workers))) for number in range(workers))
        jobs = [replace(job, sources=(source,)) for source in shares]
    else:
        beds: list[list[SourceSettings]] = [[] for _ in range(workers)]
        for source in job.sources:
            beds[worker_of(_bed_name(source), workers)].append(source)
        jobs = [replace(job, sources=tuple(mine)) for mine in beds if mine]
    if job.lsl_out is not None:
        jobs = [replace(each, lsl_out=f"{job.lsl_out}-{number}") for number, each in enumerate(jobs, 1)]
    return jobs


def _bed_name(source: SourceSettings) -> str:
    if source.kind == "lsl":
        return f"{source.lsl.stream_name}/{source.lsl.source_id}"
    return f"{source.kind}/{source.record}/{source.seed}"


class Ward:
    """Runs the engines of a ward, and keeps what they tell in `beds`.

    Parameters
    ----------
    jobs
        What each worker does; see `share_out`.
    tell
        Given a line whenever a person should know something.
    """

    def __init__(self, jobs: Sequence[Job], tell: Callable[[str], None]) -> None:
        self.beds = Beds()
        self._jobs, self._tell = jobs, tell
        self._engines: dict[int, SupervisedEngine] = {}
        self._summaries: dict[int, Summary] = {}
        self._failures: dict[int, str] = {}
        self._playing: set[int] = set()
        self._hanging: set[int] = set()
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether every worker that is left plays, and one does."""
        return bool(self._playing) and set(self._engines) <= self._playing

    def run(self) -> WardSummary:
        """Play until every worker has ended; Ctrl-C ends the run and loses nothing.

        Raises
        ------
        InputError
            If a worker's sources cannot be used.
        EngineFailure
            If no worker plays, or has played.
        """
        try:
            for number, job in enumerate(self._jobs):
                self._engines[number] = SupervisedEngine(job)
            try:
                while self._engines:
                    self._look_at_all()
            except KeyboardInterrupt:
                self._stopping = True
                self._tell("stopping: cleaning and saving what was read …")
                for engine in self._engines.values():
                    engine.stop()
                while self._engines:
                    self._look_at_all()
        finally:
            for engine in self._engines.values():
                engine.close()
        if not self._summaries:
            raise EngineFailure("; ".join(self._failures.values()) or "no bed has been played")
        workers = tuple(self._summaries[number] for number in sorted(self._summaries))
        return WardSummary(workers, {number + 1: why for number, why in self._failures.items()})

    def _look_at_all(self) -> None:
        begun = time.monotonic()
        for number in list(self._engines):
            self._look_at(number, self._engines[number])
        self.beds.listen(_LISTEN_SHARE * _PASS_S)
        time.sleep(max(0.0, _PASS_S - (time.monotonic() - begun)))

    def _look_at(self, number: int, engine: SupervisedEngine) -> None:
        try:
            # Frames of a bed come behind the word that it plays.
            while (answer := engine.heard()) is not None:
                self._take(number, answer)
                if isinstance(answer, Outcome):
                    break
            for frame in engine.frames():
                self.beds.take(number, frame)
            self._look_whether_hanging(number, engine)
        except EngineFailure as failure:
            self._end(number, failure.outcome, str(failure).strip().splitlines()[-1])
            return
        except KeyboardInterrupt:
            # A worker that was told to stop before it played has nothing else to say.
            if not self._stopping or number in self._playing:
                raise
            self._end(number, None, "")
            return
        if isinstance(answer, Outcome):
            self._end(number, answer, answer.summary.failure)

    def _take(self, number: int, answer: Answer) -> None:
        if isinstance(answer, Started):
            self._playing.add(number)
            for each in answer.streams:
                self.beds.plays(number, each)
        elif isinstance(answer, Joined):
            self.beds.plays(number, answer.stream)
        elif isinstance(answer, Told):
            self.beds.tell(answer.text)
            self._tell(answer.text)

    def _look_whether_hanging(self, number: int, engine: SupervisedEngine) -> None:
        if engine.hangs == (number in self._hanging):
            return
        self._hanging ^= {number}
        state = f"has not answered for {HANGS_S:g} s" if engine.hangs else "answers again"
        self.beds.tell(f"worker {number + 1} {state}")
        self._tell(f"worker {number + 1} {state}")

    def _end(self, number: int, outcome: Outcome | None, failure: str) -> None:
        self._engines.pop(number).close()
        self._playing.discard(number)
        if outcome:
            self._summaries[number] = outcome.summary
        if failure:
            self._failures[number] = failure
            self.beds.died(number, failure)
            self._tell(f"worker {number + 1} has ended: {failure}; the others go on")
