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
from engine.guard.stage import StandIn, guard_rounds
from engine.infer import infer
from engine.messages import Emitted, Gap
from engine.overlap_add import overlap_add
from engine.ready_windows import Clock, ready_windows
from engine.stateful import initial_state, step_rounds
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

    Yields
    ------
    Emitted or Gap
        Every sample of every stream exactly once, in order within its stream, and the gaps
        between them.
    """
    together = _unguarded_rounds(rounds, config, backend, clock, batcher)
    left = guard_rounds(together, config, limits, enabled=guarded, stand_in=stand_in)
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
    return chain.from_iterable(_unguarded_rounds(rounds, config, backend, clock, batcher))


def _unguarded_rounds(
    rounds: Iterable[Sequence[Chunk]],
    config: EngineConfig,
    backend: AnyBackend,
    clock: Clock,
    batcher: Gathers | None,
) -> Iterator[list[Emitted | Gap]]:
    """What leaves the network together."""
    windows = ready_windows(rounds, config, clock)
    if batcher:
        windows = batcher.gather(windows)
    if keeps_state(backend):
        return step_rounds(windows, backend, config, clock)
    return ([message] for message in overlap_add(infer(windows, backend, clock), config, clock))
