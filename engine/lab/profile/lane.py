"""One backend in an engine that is fed at a known pace, with every hop timed: the instrument of `profile`."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import AnyBackend, Backend, Batch, State, StepBackend, keeps_state
from engine.config import EngineConfig
from engine.ledger.scorer import Scorer
from engine.ledger.stages import Ledger
from engine.messages import Gap
from engine.pipeline import clean
from engine.ready_windows import Clock
from models.registry import ModelCard
from models.spec import StepSpec
from streamer.chunk import Chunk
from streamer.open_source import play
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

Nanoseconds = NDArray[np.int64]
Sleep = Callable[[float], None]
Call = Callable[[], Any]
B = TypeVar("B", bound=AnyBackend)
T = TypeVar("T")

_WARMUP_HOPS = 20
_SIGNAL_S = 60.0
_LEADS = ("II", "V1", "I", "III", "aVR", "aVL", "aVF", "V2", "V3", "V4", "V5", "V6")


def make_chunks(card: ModelCard) -> list[Chunk]:
    """A minute of the synthetic patient with electrode motion, with as many leads as the network takes."""
    patient = SyntheticPatient(fs=card.spec.fs, leads=_LEADS[: card.spec.leads])
    return list(play(patient, SourceSettings(noise="em", seconds=_SIGNAL_S, speed=0)).chunks())


class Lane:
    """One backend with an engine of its own, and how long each of its hops took.

    Parameters
    ----------
    chunks
        What every stream plays, again and again.
    hops
        How many hops there will be to time.
    streams
        All are in step: their windows are ready at the same time. A hop is that of all of them.
    paced
        Chunks arrive when they are due, not as fast as they are taken.
    baseline
        Time the bare call as well.
    """

    def __init__(
        self,
        backend: AnyBackend,
        config: EngineConfig,
        chunks: list[Chunk],
        *,
        hops: int,
        streams: int = 1,
        paced: bool = False,
        baseline: bool = True,
        clock: Clock = time.perf_counter_ns,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._paced = paced
        self._hop_s = config.hop / config.fs
        self._clock, self._sleep = clock, sleep
        self._tap = tapped(backend, clock)
        self._feed = _Feed(chunks, config.fs, streams, paced, clock, sleep)
        self._messages = clean(self._feed.rounds(), config, self._tap, clock)
        self._scorers = [Scorer(config.fs, len(chunks[0].data)) for _ in range(streams)]
        rows = ("bare", "call", "overhead") if baseline else ("call", "overhead")
        # Written to now, so that filling them later does not look like a growth of memory.
        self._took = {row: np.full(hops, -1, np.int64) for row in rows}
        self._done = 0
        self.ledger = Ledger(0, 0)
        for _ in range(_WARMUP_HOPS):
            self._hop()
        self.ledger = Ledger(1e9 * self._hop_s, 1e9 / config.fs)

    def turn(self, hops: int) -> None:
        """Time some hops, then the bare call on their windows."""
        self._feed.resume()
        first = self._done
        calls: list[list[Call]] = []
        for index in range(first, first + hops):
            self._took["call"][index], self._took["overhead"][index] = self._hop()
            calls.append(self._tap.calls)
        if "bare" in self._took:
            self._bare(first, calls)
        self._done += hops

    def _hop(self) -> tuple[int, int]:
        """Take one message of every stream; returns the time in calls, and in everything else."""
        tap, feed, clock = self._tap, self._feed, self._clock
        tap.call_ns, tap.calls = 0, []
        feed.waited_ns = 0
        begun = clock()
        for scorer in self._scorers:
            message = next(self._messages)
            if isinstance(message, Gap):
                raise RuntimeError("the synthetic patient has no gaps")
            scorer.push(message)
            # Chunks that were due during the turns of others waited for those, not for this engine.
            if message.source_time[0] >= feed.resumed_s:
                self.ledger.note(message, clock())
        return tap.call_ns, clock() - begun - tap.call_ns - feed.waited_ns

    def _bare(self, first: int, calls: list[list[Call]]) -> None:
        """Time the calls alone, at the same pace."""
        clock, took = self._clock, self._took["bare"]
        resumed_s = clock() / 1e9
        for index, hop in enumerate(calls):
            if self._paced:
                _sleep_until(resumed_s + (index + 1) * self._hop_s, clock, self._sleep)
            started = clock()
            for call in hop:
                call()
            took[first + index] = clock() - started

    def durations(self) -> dict[str, Nanoseconds]:
        """What was timed so far, ns: ``hop`` is the whole of one, call and overhead."""
        took = {row: durations[: self._done] for row, durations in self._took.items()}
        return {**took, "hop": took["call"] + took["overhead"]}


class _Tap(Generic[B]):
    """Wraps the backend of an engine: times its calls, and keeps their inputs to repeat them."""

    def __init__(self, backend: B, clock: Clock) -> None:
        self._backend, self._clock = backend, clock
        self.call_ns = 0
        self.calls: list[Call] = []

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def transfers_ns(self) -> tuple[int, int]:
        return self._backend.transfers_ns

    @property
    def leads(self) -> int:
        return self._backend.leads

    @property
    def fixed_rows(self) -> tuple[int, ...]:
        return self._backend.fixed_rows

    def _timed(self, call: Callable[[], T]) -> T:
        self.calls.append(call)
        started = self._clock()
        result = call()
        self.call_ns += self._clock() - started
        return result

    def close(self) -> None:
        self._backend.close()


class _WindowTap(_Tap[Backend]):
    def infer(self, batch: Batch) -> Batch:
        return self._timed(partial(self._backend.infer, batch))


class _StepTap(_Tap[StepBackend]):
    @property
    def steps(self) -> StepSpec:
        return self._backend.steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        return self._timed(partial(self._backend.step, samples, state, lookahead))


def tapped(backend: AnyBackend, clock: Clock) -> _StepTap | _WindowTap:
    """A backend whose calls are timed, and whose inputs are kept in `calls` until that is emptied."""
    return _StepTap(backend, clock) if keeps_state(backend) else _WindowTap(backend, clock)


class _Feed:
    """Hands out a signal in a loop, as several streams, and measures how long the engine waited for it."""

    def __init__(
        self, chunks: list[Chunk], fs: float, streams: int, paced: bool, clock: Clock, sleep: Sleep
    ) -> None:
        self._chunks, self._fs, self._paced = chunks, fs, paced
        self._names = [str(number) for number in range(streams)]
        self._clock, self._sleep = clock, sleep
        self._next = self.waited_ns = 0
        self.resume()

    def resume(self) -> None:
        """Restart the schedule now, so that no chunk is late because of another backend's turn."""
        self.resumed_s = self._clock() / 1e9
        self._began_s = self.resumed_s - self._next / self._fs

    def rounds(self) -> Iterator[list[Chunk]]:
        """One chunk of every stream, without end; when paced each at its absolute deadline."""
        for chunk in cycle(self._chunks):
            asked = self._clock()
            start, stop = self._next, self._next + chunk.data.shape[1]
            if self._paced:
                source_time = self._began_s + np.arange(start + 1, stop + 1) / self._fs
                _sleep_until(source_time[-1], self._clock, self._sleep)
            else:
                source_time = np.full(stop - start, asked / 1e9)
            arrived = self._clock()
            together = [
                Chunk(name, start, chunk.data, source_time, arrived, chunk.reference) for name in self._names
            ]
            self._next = stop
            self.waited_ns += self._clock() - asked
            yield together


def _sleep_until(due_s: float, clock: Clock, sleep: Sleep) -> None:
    """Return at an absolute time, or at once where it has passed."""
    wait = due_s - clock() / 1e9
    if wait > 0:
        sleep(wait)
