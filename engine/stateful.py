"""Run a network that keeps state: every hop is a step, and the state belongs to its stream.

This stage takes the place of `engine.infer` and `engine.overlap_add`, which serve networks that answer
whole windows. A step takes the newest hop alone and answers each sample once, so nothing overlaps.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import chain
from math import isfinite
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, State, StepBackend, keeps_places
from engine.config import EngineConfig
from engine.guard.rows import any_of, parted
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
            yield _emitted(together, call, answer[:, 0], mean_square, marks, clock())


class _Together(NamedTuple):
    """What the leads of streams carry that took their last step together.

    Parameters
    ----------
    streams, leads
        In the order of the rows; how many leads each has.
    origin, state
        As of `Carried.take`.
    """

    streams: list[str]
    leads: list[int]
    origin: Batch
    state: State


class Carried:
    """What the leads of all streams carry from step to step.

    The arrays of a step are those of the next one as long as the same streams are ready together, be it in
    several calls, so a state is copied only where that changes. Where states stay on a device, what is here
    are those that were restored or had to make room.
    """

    def __init__(self) -> None:
        self._on_device: OnDevice | None = None
        self._of: dict[str, tuple[Batch, State]] = {}
        self._together: dict[str, _Together] = {}
        """By the first of their streams: the newest that is known of them, and no stream is in two."""

    def snapshot(self) -> Tree:
        """Origin and state of the leads of each stream."""
        self._part([*self._together])
        return self._of | (self._on_device.snapshot() if self._on_device else {})

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took."""
        self._of, self._together, self._on_device = kept, {}, None

    def _part(self, streams: Iterable[str]) -> None:
        """Hold what is known of those that stepped together with one of these for each by itself."""
        parted_from = {*streams}
        for first, known in [*self._together.items()]:
            if not parted_from.isdisjoint(known.streams):
                del self._together[first]
                of_each = zip(
                    parted(known.origin, known.leads), parted(known.state, known.leads), strict=True
                )
                self._of.update(zip(known.streams, of_each, strict=True))

    def step_on_device(
        self, hops: list[Hop], new: Batch, backend: StepBackend, lookahead: int, clock: Clock
    ) -> Stepped | None:
        """Take a step where the runtime keeps states; None where it keeps none, or has no room for these.

        A runtime that took over from another one finds nothing: what the other kept is gone.
        """
        if not keeps_places(backend) or (places := backend.places) is None:
            self._on_device = None
            return None
        self._part([*self._together])
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
        streams = [hop.stream for hop in hops]
        known = self._together.get(streams[0])
        if known and known.streams == streams and not [hop for hop in hops if hop.fresh]:
            return known.origin, known.state
        self._part(streams)
        origins, states = [], []
        row = 0
        for hop in hops:
            samples = new[row : row + len(hop.window)]
            row += len(samples)
            held = None if hop.fresh else self._of.get(hop.stream)
            origin, state = held or _begin(samples, steps)
            origins.append(origin)
            states.append(state)
        return np.concatenate(origins), np.concatenate(states)

    def keep(self, hops: list[Hop], origin: Batch, state: State) -> None:
        """Hold these until the next step of the same streams."""
        streams, leads = [hop.stream for hop in hops], [hop.window.shape[0] for hop in hops]
        self._together[streams[0]] = _Together(streams, leads, origin, state)


def _turns(ready: list[Hop | Gap], limit: int) -> Iterator[list[Hop] | Gap]:
    """Hops that can go into one call, at most one of each stream and in order, and the gaps between."""
    if _are_single_hops(ready):
        first = rows = 0
        for place, hop in enumerate(ready):
            rows += hop.window.shape[0]
            if rows > limit and place > first:
                yield ready[first:place]
                first, rows = place, hop.window.shape[0]
        yield ready[first:]
        return
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


def _are_single_hops(ready: list[Hop | Gap]) -> TypeGuard[list[Hop]]:
    """Whether these are hops of different streams, as they mostly are."""
    return {*map(type, ready)} == {Hop} and len({item.stream for item in ready}) == len(ready)


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
    hops: list[Hop], call: Call, cleaned: Batch, mean_square: Samples, marks: "_Marks", added_ns: int
) -> list[Emitted | Gap]:
    """What leaves with hops of different streams; `cleaned` and `mean_square` hold the rows of all."""
    left: list[Emitted | Gap] = []
    leads = [hop.window.shape[0] for hop in hops]
    for hop, out, squares in zip(hops, parted(cleaned, leads), parted(mean_square, leads), strict=True):
        of_hop = marks[out.shape[0], hop.warm]
        count = hop.raw.shape[1]
        if count != out.shape[1]:
            if not count:
                continue
            part = slice(hop.skip, hop.skip + count)
            out, squares, of_hop = out[:, part], squares[:, part], of_hop[:, :count]
        left.append(
            Emitted(
                stream=hop.stream,
                start=hop.start,
                raw=hop.raw,
                cleaned=out,
                mean_square=squares,
                reference=hop.reference,
                marks=of_hop,
                source_time=hop.source_time,
                annotations=hop.annotations,
                answer=Answer(hop, call, None),
                added_ns=added_ns,
            )
        )
    return left


class _Marks(dict[tuple[int, bool], NDArray[np.uint8]]):
    """Marks of whole hops by number of leads and whether they are warm, each made once."""

    def __init__(self, config: EngineConfig) -> None:
        self._hop = config.hop

    def __missing__(self, key: tuple[int, bool]) -> NDArray[np.uint8]:
        leads, warm = key
        made = self[key] = np.full((leads, self._hop), Mark.CLEANED if warm else Mark.WARMUP, np.uint8)
        return made
