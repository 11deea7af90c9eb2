"""Run a network that keeps state: every hop is a step, and the state belongs to its stream.

This stage takes the place of `engine.infer` and `engine.overlap_add`, which serve networks that answer
whole windows. A step takes the newest hop alone and answers each sample once, so nothing overlaps.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, State, StepBackend, keeps_places
from engine.config import EngineConfig
from engine.guard.rows import any_of
from engine.infer import MAX_ROWS
from engine.lead_state import FAR_MV, far_leads, initial_state
from engine.marks import Mark
from engine.messages import Answer, Call, Emitted, Gap, Hop
from engine.on_device import OnDevice, Stepped
from engine.ready_windows import Clock
from engine.snapshot import Tree
from models.spec import StepSpec
from streamer.chunk import Samples

__all__ = ["FAR_MV", "initial_state", "step_rounds", "step_through"]

LARGEST_MV = np.float32(1e4)
"""Samples are clipped to this: no electrode gives more, and its square fits in single precision."""


def step_through(
    rounds: Iterable[list[Hop | Gap]],
    backend: StepBackend,
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
) -> Iterator[Emitted | Gap]:
    """`step_rounds`, message by message."""
    return chain.from_iterable(step_rounds(rounds, backend, config, clock))


def step_rounds(
    rounds: Iterable[list[Hop | Gap]],
    backend: StepBackend,
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
    carried: "Carried | None" = None,
) -> Iterator[list[Emitted | Gap]]:
    """Take a step with every hop that is ready, those of different streams as one batch.

    Every segment of a stream, such as that after a gap, starts from an initial state; other streams
    are not touched. So does a single lead whose answer is not finite, or which is further than
    `FAR_MV` from its baseline, so that no bad sample stays in the state.
    """
    carried = carried or Carried()
    marks = _Marks(config)
    limit = backend.fixed_rows[-1] if backend.fixed_rows else MAX_ROWS
    for ready in rounds:
        for together in _turns(ready, limit):
            if isinstance(together, Gap):
                yield [together]
                continue
            call, answer, mean_square = _step(together, carried, backend, config, clock)
            row = 0
            added_ns = clock()
            emitted: list[Emitted | Gap] = []
            for hop in together:
                rows = slice(row, row + len(hop.window))
                row = rows.stop
                if hop.raw.shape[1]:
                    cleaned = answer[rows, 0]
                    emitted.append(_emitted(hop, call, cleaned, mean_square[rows], marks.of(hop), added_ns))
            yield emitted


class Carried:
    """What the leads of all streams carry from step to step.

    The arrays of a step are those of the next one as long as the same streams are ready together, so a
    state is copied only where that changes. Where states stay on a device, what is here are those that
    were restored or had to make room.
    """

    def __init__(self) -> None:
        self._on_device: OnDevice | None = None
        self._of: dict[str, tuple[Batch, State]] = {}
        self._together: dict[str, int] = {}
        """The streams of the step before, and how many leads each has: the newest that is known of them."""
        self._origin = self._state = np.zeros((0, 0), np.float32)

    def snapshot(self) -> Tree:
        """Origin and state of the leads of each stream."""
        self._part()
        return self._of | (self._on_device.snapshot() if self._on_device else {})

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took."""
        self._of, self._together, self._on_device = kept, {}, None

    def _part(self) -> None:
        """Hold what is known of the streams of the step before for each by itself."""
        row = 0
        for stream, leads in self._together.items():
            rows = slice(row, row + leads)
            row = rows.stop
            self._of[stream] = self._origin[rows], self._state[rows]
        self._together = {}

    def step_on_device(
        self, hops: list[Hop], new: Batch, backend: StepBackend, lookahead: int, clock: Clock
    ) -> Stepped | None:
        """Take a step where the runtime keeps states; None where it keeps none, or has no room for these.

        A runtime that took over from another one finds nothing: what the other kept is gone.
        """
        if not keeps_places(backend) or (places := backend.places) is None:
            self._on_device = None
            return None
        self._part()
        if self._on_device is None or self._on_device.places is not places:
            self._on_device = OnDevice(backend, places, self._of)
        return self._on_device.step(hops, new, lookahead, clock)

    def take(self, hops: list[Hop], new: Batch, steps: StepSpec) -> tuple[Batch, State]:
        """Origins and states of the leads of hops of different streams, before their newest samples.

        Parameters
        ----------
        new
            Newest samples, (rows, samples) mV.

        Returns
        -------
        origin
            What is subtracted from the samples, (rows, 1) mV: a lead's first sample. With a large offset
            of an electrode, single precision would otherwise keep little of a small ECG in the state.
        state
            (rows, numbers).
        """
        same = [hop.stream for hop in hops] == [*self._together]
        if same and not any(hop.fresh for hop in hops):
            return self._origin, self._state
        self._part()
        origins, states = [], []
        row = 0
        for hop in hops:
            samples = new[row : row + len(hop.window)]
            row += len(samples)
            known = None if hop.fresh else self._of.get(hop.stream)
            origin, state = known or _begin(samples, steps)
            origins.append(origin)
            states.append(state)
        return np.concatenate(origins), np.concatenate(states)

    def keep(self, hops: list[Hop], origin: Batch, state: State) -> None:
        """Hold these until the next step of the same streams."""
        self._together = {hop.stream: len(hop.window) for hop in hops}
        self._origin, self._state = origin, state


def _turns(ready: list[Hop | Gap], limit: int) -> Iterator[list[Hop] | Gap]:
    """Hops that can go into one call, at most one of each stream and in order, and the gaps between."""
    together: list[Hop] = []
    streams: set[str] = set()
    rows = 0
    for item in ready:
        full = isinstance(item, Hop) and (rows + len(item.window) > limit or item.stream in streams)
        if together and (full or isinstance(item, Gap)):
            yield together
            together, streams, rows = [], set(), 0
        if isinstance(item, Gap):
            yield item
        else:
            together.append(item)
            streams.add(item.stream)
            rows += len(item.window)
    if together:
        yield together


def _step(
    hops: list[Hop], carried: Carried, backend: StepBackend, config: EngineConfig, clock: Clock
) -> tuple[Call, Batch, Samples]:
    """One call for hops of different streams.

    Returns
    -------
    call
        Its stamps.
    answer
        What each lead got, (rows, 2, samples) mV: cleaned, and the spread of it.
    mean_square
        (rows, samples) mV².
    """
    steps = backend.steps
    new = np.concatenate([hop.window[:, -config.hop :] for hop in hops])
    if not np.maximum.reduce(np.abs(new), axis=None) <= LARGEST_MV:
        np.clip(new, -LARGEST_MV, LARGEST_MV, out=new)
    stepped = carried.step_on_device(hops, new, backend, config.lookahead, clock)
    if stepped:
        call = Call(stepped.started_ns, *backend.transfers_ns, stepped.finished_ns)
        return call, stepped.answer, _mean_square(stepped.answer)
    origin, state = _without_far_leads(*carried.take(hops, new, steps), new, steps)
    samples = (new - origin)[:, None]
    rows = len(samples)
    lacking = _lacking(rows, backend.fixed_rows)
    if lacking:
        samples = np.concatenate([samples, np.zeros((lacking, *samples.shape[1:]), np.float32)])
        state = np.concatenate([state, np.zeros((lacking, steps.state), np.float32)])
    started = clock()
    answer, after = backend.step(samples, state, config.lookahead)
    finished = clock()
    answer = answer[:rows]
    carried.keep(hops, origin, _healed(after[:rows], answer, samples[:rows], steps))
    return Call(started, *backend.transfers_ns, finished), answer, _mean_square(answer)


def _mean_square(answer: Batch) -> Samples:
    squares = answer * answer
    mean_square: Samples = squares[:, 0] + squares[:, 1]
    return mean_square


def _begin(new: Batch, steps: StepSpec) -> tuple[Batch, State]:
    """Origin and state of leads before the first of these samples, (rows, samples) mV."""
    origin = new[:, :1].copy()
    return origin, initial_state((new - origin)[:, None], steps)


def _without_far_leads(origin: Batch, state: State, new: Batch, steps: StepSpec) -> tuple[Batch, State]:
    """The same, with the leads that are far from their baselines started afresh."""
    far = far_leads(origin + state[:, :1], new)
    if not any_of(far):
        return origin, state
    fresh = _begin(new, steps)
    return np.where(far[:, None], fresh[0], origin), np.where(far[:, None], fresh[1], state)


def _healed(state: State, answer: Batch, new: Batch, steps: StepSpec) -> State:
    """The state after a step, with the leads started afresh whose answer or state is not finite."""
    # A sum is the cheapest test, that of all leads cheaper than one of each.
    if isfinite(np.add.reduce(answer, axis=None)) and isfinite(np.add.reduce(state, axis=None)):
        return state
    # Where the sum of a lead overflows, starting afresh is right as well.
    finite = np.isfinite(answer.sum(axis=(1, 2))) & np.isfinite(state.sum(axis=1))
    return np.where(finite[:, None], state, initial_state(new[:, :, -1:], steps))


def _lacking(rows: int, sizes: tuple[int, ...]) -> int:
    return next((size for size in sizes if size >= rows), rows) - rows


def _emitted(
    hop: Hop, call: Call, cleaned: Samples, mean_square: Samples, marks: NDArray[np.uint8], added_ns: int
) -> Emitted:
    count = hop.raw.shape[1]
    if count != cleaned.shape[1]:
        emitted = slice(hop.skip, hop.skip + count)
        cleaned, mean_square, marks = cleaned[:, emitted], mean_square[:, emitted], marks[:, :count]
    return Emitted(
        stream=hop.stream,
        start=hop.start,
        raw=hop.raw,
        cleaned=cleaned,
        mean_square=mean_square,
        reference=hop.reference,
        marks=marks,
        source_time=hop.source_time,
        annotations=hop.annotations,
        answer=Answer(hop, call, None),
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
