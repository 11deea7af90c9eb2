"""The guard over all rows at once decides of each stream what it decides of it alone, to the bit."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from engine.backends.base import AnyBackend, Batch, State
from engine.config import EngineConfig
from engine.guard.rows import index_of, rows_at
from engine.marks import Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean
from models.registry import load_card
from streamer.chunk import Chunk, Samples
from streamer.synthetic import SyntheticPatient

HOP = 16
SPEC = load_card("lowdelay").spec
CONFIG = EngineConfig(SPEC.fs, SPEC.window, HOP, 0)
HOPS = 16 * 22


class _Steps:
    """A network that passes on what it gets, but nothing of a lead that lies far above zero."""

    name, leads, fixed_rows, transfers_ns = "steps", 1, (), (0, 0)
    steps = SPEC.steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        erased = samples.max(axis=2, keepdims=True) > 4
        cleaned = np.where(erased, np.float32(0), samples)
        return np.concatenate([cleaned, 0 * cleaned], axis=1), state

    def close(self) -> None:
        pass


class _Windows:
    """The same of a network that answers whole windows."""

    name, leads, fixed_rows, transfers_ns = "windows", 1, (), (0, 0)

    def infer(self, batch: Batch) -> Batch:
        return np.where(batch > 4, np.float32(0), batch)

    def close(self) -> None:
        pass


def _patient(seed: int, leads: int = 1) -> Samples:
    names = ("II", "V1", "I")[:leads]
    data = SyntheticPatient(seed=seed, leads=names).read(0, HOPS * HOP).data
    hiss = np.random.default_rng(seed).normal(0, 0.008, data.shape)
    return (data + hiss).astype(np.float32)


def _streams() -> dict[str, tuple[int, Samples]]:
    """In which round each begins, and its signal."""
    loses, off, erased, two = _patient(1), _patient(2, 2), _patient(3), _patient(4, 3)
    loses[0, 1500:1530] = np.nan
    off[1, 1200:3000] = off[1, 1200]
    erased[0, 2000:2400] += 5
    two[2, 3000:] += np.random.default_rng(1).normal(0, 3, two.shape[1] - 3000).astype(np.float32)
    return {
        "loses": (0, loses),
        "off": (0, off),
        "erased": (3, erased),
        "two": (7, two),
        "good": (9, _patient(5)),
    }


def _chunks(name: str, begins: int, data: Samples) -> Iterator[Chunk | None]:
    """A hop in each round; of some streams now and then none, and then two, and a gap in one."""
    yield from [None] * begins
    held: Chunk | None = None
    for at in range(0, data.shape[1], HOP):
        if name == "good" and 2000 <= at < 2400:
            yield None
            continue
        part = data[:, at : at + HOP]
        chunk = Chunk(name, at, part, at + np.arange(HOP) / SPEC.fs, 0)
        if name == "off" and at % 800 == 0 and held is None:
            held = chunk
            yield None
            continue
        if held:
            both = np.concatenate([held.data, part], axis=1)
            chunk, held = Chunk(name, held.start, both, held.start + np.arange(2 * HOP) / SPEC.fs, 0), None
        yield chunk
    if held:
        yield held


def _left(
    make: Callable[[], AnyBackend], *names: str, in_step: bool = False
) -> dict[str, list[Emitted | Gap]]:
    """What leaves of each stream. In step they begin at once, and are ready in one order or another."""

    def rounds() -> Iterator[list[Chunk]]:
        streams = _streams()
        playing = [_chunks(name, 0 if in_step else streams[name][0], streams[name][1]) for name in names]
        for number in range(HOPS + 20):
            ready = [chunk for each in playing if (chunk := next(each, None)) is not None]
            yield ready[::-1] if in_step and number % 3 else ready

    left: dict[str, list[Emitted | Gap]] = {}
    for message in clean(rounds(), CONFIG, make(), lambda: 0):
        left.setdefault(message.stream, []).append(message)
    return left


@pytest.mark.parametrize("in_step", [False, True])
@pytest.mark.parametrize("make", [_Steps, _Windows])
def test_the_guard_decides_of_each_stream_as_of_it_alone(
    make: Callable[[], AnyBackend], in_step: bool
) -> None:
    together = _left(make, *_streams(), in_step=in_step)
    reasons = set()
    for name in _streams():
        alone = _left(make, name, in_step=in_step)[name]
        assert len(alone) == len(together[name]) > HOPS - 40
        for one, other in zip(alone, together[name], strict=True):
            assert (one.start, one.stop, type(one)) == (other.start, other.stop, type(other))
            if isinstance(one, Emitted) and isinstance(other, Emitted):
                for field in ("raw", "cleaned", "marks", "reasons"):
                    np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
                if one.reasons is not None:
                    reasons |= {Reason(int(reason)) for reason in np.unique(one.reasons)}
    assert {Reason.NO_INPUT, Reason.FLAT} < reasons
    assert reasons & {Reason.BEAT_ERASED, Reason.CONSTANT, Reason.OUT_OF_RANGE, Reason.RATE}


def test_a_hop_in_which_nothing_is_unusual_is_read_twice_and_a_look_is_few_reductions() -> None:
    reductions, each = [0], []

    def note(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ == "reduce":
            reductions[0] += Path(frame.f_code.co_filename).parent.name == "guard"

    rounds = ([chunk] for chunk in _chunks("good", 0, _patient(5)[:, : 118 * HOP]) if chunk)
    sys.setprofile(note)
    try:
        for _ in clean(rounds, CONFIG, _Steps(), lambda: 0):
            each.append(reductions[0])
            reductions[0] = 0
    finally:
        sys.setprofile(None)
    # The first hops are of a lead of which nothing is known; the flush at the end is not judged.
    hops = np.array(each[80:-1])
    assert np.median(hops) == 2
    assert hops.max() <= 16


def test_rows_that_lie_side_by_side_are_a_slice() -> None:
    for index in ([3], [0, 1, 2], [5, 6]):
        assert isinstance(rows_at(np.array(index)), slice)
        assert index_of(rows_at(np.array(index))).tolist() == index
    for index in ([1, 3], [2, 1], [0, 0]):
        assert index_of(rows_at(np.array(index))).tolist() == index
