"""The engine in one line: guard(overlap_add(infer(ready_windows(rounds)))).

For a network that keeps state it is guard(step_through(ready_windows(rounds))). What leaves together is
worked at together.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from engine.backends.base import AnyBackend, keeps_state
from engine.batch import Gathers
from engine.config import EngineConfig
from engine.guard.limits import UNMEASURED, Limits
from engine.guard.stage import StandIn, Streams, guard_rounds
from engine.infer import infer
from engine.messages import Emitted, Gap
from engine.overlap_add import Faders, overlap_add
from engine.ready_windows import Clock, Stream, ready_windows
from engine.snapshot import Tree
from engine.stateful import Carried, initial_state, step_rounds
from streamer.chunk import Chunk


def clean(
    rounds: Iterable[Sequence[Chunk]],
    config: EngineConfig,
    backend: AnyBackend,
    clock: Clock = time.perf_counter_ns,
    batcher: Gathers | None = None,
    *,
    limits: Limits = UNMEASURED,
    guarded: bool = True,
    stand_in: StandIn | None = None,
    memory: "Memory | None" = None,
) -> Iterator[Emitted | Gap]:
    """Clean any number of streams of chunks; a single stream is no special case.

    Parameters
    ----------
    rounds
        Chunks that arrived together, of any streams, at rate `config.fs`, in mV.
    batcher
        Joins windows of several streams in one call; None takes them as they are ready.
    limits
        From where on the guard does not believe the network: `engine.guard.limits.limits_of` its card.
    guarded
        False passes on whatever the network makes, to measure it by itself.
    stand_in
        Mark and reason of every sample where `backend` only stands in for a network.
    memory
        What is known of the streams already, and will be: made for the same `config` and `limits`; None
        knows none.

    Yields
    ------
    Emitted or Gap
        Every sample of every stream exactly once, in order within its stream, and the gaps
        between them.
    """
    together = _unguarded_rounds(rounds, config, backend, clock, batcher, memory)
    known = memory.guard if memory else None
    left = guard_rounds(together, config, limits, enabled=guarded, stand_in=stand_in, streams=known)
    return chain.from_iterable(left)


def rehearse(backend: AnyBackend, config: EngineConfig, rows: int = 1) -> None:
    """Call a backend once on zeros: the first calls of a runtime are slow."""
    if keeps_state(backend):
        silence = np.zeros((rows, 1, config.hop), np.float32)
        backend.step(silence, initial_state(silence, backend.steps), config.lookahead)
    else:
        backend.infer(np.zeros((rows, backend.leads, config.window), np.float32))


def unguarded(
    rounds: Iterable[Sequence[Chunk]],
    config: EngineConfig,
    backend: AnyBackend,
    clock: Clock = time.perf_counter_ns,
    batcher: Gathers | None = None,
) -> Iterator[Emitted | Gap]:
    """Like `clean`, before the guard: for measurements only."""
    return chain.from_iterable(_unguarded_rounds(rounds, config, backend, clock, batcher, None))


def _unguarded_rounds(
    rounds: Iterable[Sequence[Chunk]],
    config: EngineConfig,
    backend: AnyBackend,
    clock: Clock,
    batcher: Gathers | None,
    memory: "Memory | None",
) -> Iterator[list[Emitted | Gap]]:
    """What leaves the network together."""
    windows = ready_windows(rounds, config, clock, memory.windows if memory else None)
    if batcher:
        windows = batcher.gather(windows)
    if keeps_state(backend):
        return step_rounds(windows, backend, config, clock, memory.carried if memory else None)
    answers = infer(windows, backend, clock)
    added = overlap_add(answers, config, clock, memory.faders if memory else None)
    return ([message] for message in added)


class Memory:
    """What the stages of `clean` carry from round to round, to be taken between two rounds.

    Who goes on from a snapshot, with the same network, gets the very samples that would have left.

    Parameters
    ----------
    config, limits
        As those of `clean`.
    """

    def __init__(self, config: EngineConfig, limits: Limits = UNMEASURED) -> None:
        self._config = config
        self.windows: dict[str, Stream] = {}
        self.carried = Carried()
        self.faders = Faders(config)
        self.guard = Streams(config, limits)

    def snapshot(self) -> Tree:
        """All of it; the arrays are still those in use, so write them before the next round."""
        return {
            "windows": {name: stream.snapshot() for name, stream in self.windows.items()},
            "carried": self.carried.snapshot(),
            "faders": self.faders.snapshot(),
            "guard": self.guard.snapshot(),
        }

    def restore(self, kept: Tree, clock: Clock = time.perf_counter_ns) -> None:
        """Go on from what `snapshot` took; to be called before the first round."""
        for name, stream in kept["windows"].items():
            self.windows[name] = Stream.restored(stream, self._config, clock)
        self.carried.restore(kept["carried"])
        self.faders.restore(kept["faders"])
        self.guard.restore(kept["guard"])
