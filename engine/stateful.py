"""Run a network that keeps state: every hop is a step, and the state belongs to its stream.

This stage takes the place of `engine.infer` and `engine.overlap_add`, which serve networks that answer
whole windows. A step takes the newest hop alone and answers each sample once, so nothing overlaps.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, State, StepBackend
from engine.config import EngineConfig
from engine.infer import MAX_ROWS
from engine.marks import Mark
from engine.messages import Answer, Call, Emitted, Gap, Hop
from engine.ready_windows import Clock
from models.spec import StepSpec

FAR_MV = 20.0
"""A lead further than this from its own baseline shows a fault of an electrode, no ECG: it starts afresh."""
LARGEST_MV = np.float32(1e4)
"""Samples are clipped to this: no electrode gives more, and its square fits in single precision."""


def step_through(
    rounds: Iterable[list[Hop | Gap]],
    backend: StepBackend,
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
) -> Iterator[Emitted | Gap]:
    """Take a step with every hop that is ready, those of different streams as one batch.

    Every segment of a stream, such as that after a gap, starts from an initial state; other streams
    are not touched. So does a single lead whose answer is not finite, or which is further than
    `FAR_MV` from its baseline, so that no bad sample stays in the state.
    """
    states: dict[str, _Carried] = {}
    marks = _Marks(config)
    limit = backend.fixed_rows[-1] if backend.fixed_rows else MAX_ROWS
    for ready in rounds:
        for together in _turns(ready, limit):
            if isinstance(together, Gap):
                yield together
                continue
            for answer, samples in _step(together, states, backend, config, clock):
                if answer.hop.raw.shape[1]:
                    yield _emitted(answer, samples, marks.of(answer.hop), clock())


@dataclass(frozen=True)
class _Carried:
    """What a stream's leads carry from step to step.

    Parameters
    ----------
    origin
        What is subtracted from their samples, (leads, 1, 1) mV: the first of them. With a large offset
        of an electrode, single precision would otherwise keep little of a small ECG in the state.
    state
        (leads, numbers).
    """

    origin: Batch
    state: State


def initial_state(samples: Batch, steps: StepSpec) -> State:
    """State before the first of these samples, (rows, 1, samples) mV → (rows, numbers)."""
    state = np.zeros((len(samples), steps.state), np.float32)
    state[:, : steps.led_by] = samples[:, 0, :1]
    return state


def _turns(ready: list[Hop | Gap], limit: int) -> Iterator[list[Hop] | Gap]:
    """Hops that can go into one call, at most one of each stream and in order, and the gaps between."""
    together: list[Hop] = []
    rows = 0
    for item in ready:
        full = isinstance(item, Hop) and (
            rows + len(item.window) > limit or any(item.stream == hop.stream for hop in together)
        )
        if together and (full or isinstance(item, Gap)):
            yield together
            together, rows = [], 0
        if isinstance(item, Gap):
            yield item
        else:
            together.append(item)
            rows += len(item.window)
    if together:
        yield together


def _step(
    hops: list[Hop], states: dict[str, _Carried], backend: StepBackend, config: EngineConfig, clock: Clock
) -> Iterator[tuple[Answer, Batch]]:
    """One call for hops of different streams; for each, what its leads got, (leads, 2, samples) mV."""
    steps = backend.steps
    held, news = [], []
    for hop in hops:
        new = np.clip(hop.window[:, None, -config.hop :], -LARGEST_MV, LARGEST_MV)
        carried = None if hop.fresh else states.get(hop.stream)
        carried = _without_far_leads(carried, new, steps) if carried else _begin(new, steps)
        held.append(carried)
        news.append(new - carried.origin)
    samples, state = np.concatenate(news), np.concatenate([carried.state for carried in held])
    lacking = _lacking(len(samples), backend.fixed_rows)
    if lacking:
        samples = np.concatenate([samples, np.zeros((lacking, *samples.shape[1:]), np.float32)])
        state = np.concatenate([state, np.zeros((lacking, steps.state), np.float32)])
    started = clock()
    answer, after = backend.step(samples, state, config.lookahead)
    finished = clock()
    call = Call(started, *backend.transfers_ns, finished)
    row = 0
    for hop, carried, new in zip(hops, held, news, strict=True):
        rows = slice(row, row + len(new))
        row = rows.stop
        healed = _healed(after[rows], answer[rows], new, steps)
        states[hop.stream] = _Carried(carried.origin, healed)
        yield Answer(hop, call, None), answer[rows]


def _begin(new: Batch, steps: StepSpec) -> _Carried:
    """What leads carry before the first of these samples, (leads, 1, samples) mV."""
    origin = new[:, :, :1]
    return _Carried(origin, initial_state(new - origin, steps))


def _without_far_leads(carried: _Carried, new: Batch, steps: StepSpec) -> _Carried:
    """The same, with the leads that are far from their baselines started afresh."""
    baseline = carried.origin + carried.state[:, None, :1]
    # Written so that NaN counts as far.
    far = ~(np.abs(new - baseline).max(axis=(1, 2)) <= FAR_MV)
    if not far.any():
        return carried
    fresh = _begin(new, steps)
    origin = np.where(far[:, None, None], fresh.origin, carried.origin)
    return _Carried(origin, np.where(far[:, None], fresh.state, carried.state))


def _healed(state: State, answer: Batch, new: Batch, steps: StepSpec) -> State:
    """The state after a step, with the leads started afresh whose answer or state is not finite."""
    # A sum is the cheapest test; where it overflows, starting afresh is right as well.
    finite = np.isfinite(answer.sum(axis=(1, 2))) & np.isfinite(state.sum(axis=1))
    if finite.all():
        return state
    return np.where(finite[:, None], state, initial_state(new[:, :, -1:], steps))


def _lacking(rows: int, sizes: tuple[int, ...]) -> int:
    return next((size for size in sizes if size >= rows), rows) - rows


def _emitted(answer: Answer, samples: Batch, marks: NDArray[np.uint8], added_ns: int) -> Emitted:
    hop = answer.hop
    count = hop.raw.shape[1]
    emitted = slice(hop.skip, hop.skip + count)
    cleaned, spread = samples[:, 0, emitted], samples[:, 1, emitted]
    return Emitted(
        stream=hop.stream,
        start=hop.start,
        raw=hop.raw,
        cleaned=cleaned,
        mean_square=cleaned * cleaned + spread * spread,
        reference=hop.reference,
        marks=marks[:, :count],
        source_time=hop.source_time,
        annotations=hop.annotations,
        answer=answer,
        added_ns=added_ns,
    )


class _Marks:
    """Marks of whole hops, made once for each number of leads."""

    def __init__(self, config: EngineConfig) -> None:
        self._hop = config.hop
        self._made: dict[tuple[int, Mark], NDArray[np.uint8]] = {}

    def of(self, hop: Hop) -> NDArray[np.uint8]:
        key = len(hop.window), Mark.CLEANED if hop.warm else Mark.WARMUP
        if key not in self._made:
            self._made[key] = np.full((key[0], self._hop), key[1], np.uint8)
        return self._made[key]
