"""Run a network that keeps state: every hop is a step, and the state belongs to its stream.

It stands where `engine.infer` and `engine.overlap_add` stand for networks that answer windows. A
step takes the newest hop alone, and answers each sample once, so there is nothing to add up.
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
from engine.messages import Emitted, Gap, Hop
from engine.ready_windows import Clock
from models.spec import StepSpec

FAR_MV = 20.0
"""A lead that is so far from its own baseline tells of an electrode, not of a heart: it begins anew."""
LARGEST_MV = np.float32(1e4)
"""No electrode gives more, whatever a source says; single precision does not overflow at its square."""


def step_through(
    rounds: Iterable[list[Hop | Gap]],
    backend: StepBackend,
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
) -> Iterator[Emitted | Gap]:
    """Take a step with every hop that is ready, those of different streams as one batch.

    A stream's state begins anew with its segment, as after a gap, and no other's with it. A lead
    whose answer is not finite, or which is `FAR_MV` from its baseline, begins anew by itself, so
    that nothing bad is remembered.
    """
    states: dict[str, _Carried] = {}
    marks = _Marks(config)
    limit = backend.fixed_rows[-1] if backend.fixed_rows else MAX_ROWS
    for ready in rounds:
        for together in _turns(ready, limit):
            if isinstance(together, Gap):
                yield together
                continue
            for hop, answer in _step(together, states, backend, config, clock):
                count = hop.raw.shape[1]
                if count:
                    yield _emitted(hop, answer, marks.of(hop), clock())


@dataclass(frozen=True)
class _Carried:
    """What a stream's leads carry from step to step.

    Parameters
    ----------
    origin
        What is taken off their samples, (leads, 1, 1) mV: the first of them. In single precision the
        state would otherwise keep less of a small ECG the further its electrode is from zero.
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
    """Hops that can go together, of each stream one at most and in order, and the gaps between."""
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
) -> Iterator[tuple[Hop, Batch]]:
    """One call for hops of different streams; each with the answer of its leads."""
    steps = backend.steps
    held, news = [], []
    for hop in hops:
        new = np.clip(hop.window[:, None, -config.hop :], -LARGEST_MV, LARGEST_MV)
        carried = None if hop.fresh else states.get(hop.stream)
        carried = _begun_anew(carried, new, steps) if carried else _begin(new, steps)
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
    row = 0
    for hop, carried, new in zip(hops, held, news, strict=True):
        rows = slice(row, row + len(new))
        row = rows.stop
        hop.predicted = hop.window[:, :0]
        hop.started_ns, hop.finished_ns = started, finished
        hop.host_to_device_ns, hop.device_to_host_ns = backend.transfers_ns
        healed = _healed(after[rows], answer[rows], new, steps)
        states[hop.stream] = _Carried(carried.origin, healed)
        yield hop, answer[rows]


def _begin(new: Batch, steps: StepSpec) -> _Carried:
    """Before the first of these samples, (rows, 1, samples) mV."""
    origin = new[:, :, :1]
    return _Carried(origin, initial_state(new - origin, steps))


def _begun_anew(carried: _Carried, new: Batch, steps: StepSpec) -> _Carried:
    """The same, but for leads that are far from their baselines: those begin anew."""
    baseline = carried.origin + carried.state[:, None, :1]
    # What is no number is far as well.
    far = ~(np.abs(new - baseline).max(axis=(1, 2)) <= FAR_MV)
    if not far.any():
        return carried
    fresh = _begin(new, steps)
    origin = np.where(far[:, None, None], fresh.origin, carried.origin)
    return _Carried(origin, np.where(far[:, None], fresh.state, carried.state))


def _healed(state: State, answer: Batch, new: Batch, steps: StepSpec) -> State:
    """The state, that of leads begun anew whose answer is no number."""
    # A sum is the cheapest look; where it overflows, beginning anew is right as well.
    finite = np.isfinite(answer.sum(axis=(1, 2))) & np.isfinite(state.sum(axis=1))
    if finite.all():
        return state
    return np.where(finite[:, None], state, initial_state(new[:, :, -1:], steps))


def _lacking(rows: int, sizes: tuple[int, ...]) -> int:
    return next((size for size in sizes if size >= rows), rows) - rows


def _emitted(hop: Hop, answer: Batch, marks: NDArray[np.uint8], added_ns: int) -> Emitted:
    count = hop.raw.shape[1]
    emitted = slice(hop.skip, hop.skip + count)
    cleaned, spread = answer[:, 0, emitted], answer[:, 1, emitted]
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
        hop=hop,
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
