"""The stateful engine over all rows at once says of each stream what it says of it alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from engine.backends.base import Batch, State
from engine.config import EngineConfig
from engine.guard.qrs_evidence import _floor
from engine.guard.uncertainty import _median
from engine.messages import Emitted
from engine.ready_windows import ready_windows
from engine.stateful import step_through
from models.registry import load_card
from streamer.chunk import Chunk

HOP = 16
SPEC = load_card("lowdelay").spec


class _Summing:
    """A network whose answer is the sum of all that a row was ever given: a state mixed up shows."""

    name, leads, fixed_rows, transfers_ns = "summing", 1, (), (0, 0)
    steps = SPEC.steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        after = state.copy()
        after[:, -1] += samples.sum(axis=(1, 2))
        total = np.broadcast_to(after[:, -1, None, None], samples.shape)
        return np.concatenate([total, total], axis=1), after


def _chunks(name: str, leads: int, hops: Sequence[int]) -> list[Chunk | None]:
    """A hop in each round named in `hops`, in order; None in the others."""
    random = np.random.default_rng(ord(name))
    chunks: list[Chunk | None] = []
    for index in range(max(hops) + 1):
        if index in hops:
            start = HOP * sum(hop < index for hop in hops)
            data = random.normal(0, 0.1, (leads, HOP)).astype(np.float32)
            chunks.append(Chunk(name, start, data, np.arange(HOP) / 360.0, 0))
        else:
            chunks.append(None)
    return chunks


def _played(*streams: list[Chunk | None]) -> dict[str, list[Emitted]]:
    def rounds() -> Iterator[list[Chunk]]:
        for index in range(max(map(len, streams))):
            yield [c for s in streams if index < len(s) and (c := s[index]) is not None]

    config = EngineConfig(SPEC.fs, SPEC.window, HOP, 0)
    left: dict[str, list[Emitted]] = {}
    for message in step_through(ready_windows(rounds(), config), _Summing(), config):  # type: ignore[arg-type]
        assert isinstance(message, Emitted)
        left.setdefault(message.stream, []).append(message)
    return left


def test_streams_that_come_and_go_keep_their_states_apart() -> None:
    a = _chunks("a", 1, range(12))
    b = _chunks("b", 2, [0, 1, 2, 5, 6, 7, 8, 11])
    c = _chunks("c", 1, [3, 4, 5, 6, 9, 10, 11])
    together = _played(a, b, c)
    assert [len(together[name]) for name in "abc"] == [12, 8, 7]
    for name, stream in zip("abc", (a, b, c), strict=True):
        alone = _played(stream)[name]
        for one, other in zip(together[name], alone, strict=True):
            np.testing.assert_allclose(one.cleaned, other.cleaned, rtol=0, atol=1e-6)
            np.testing.assert_allclose(one.mean_square, other.mean_square, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(one.raw, other.raw)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 20, 135, 136])
def test_the_floor_and_the_median_are_those_of_numpy_to_the_bit(count: int) -> None:
    seen = np.abs(np.random.default_rng(count).normal(0, 1, (count, 2, 3))).astype(np.float32)
    wanted = np.percentile(seen, 20, axis=0).astype(np.float32)
    np.testing.assert_array_equal(_floor(seen), wanted)
    looks = seen[:, 0, 0].astype(np.float64)
    unknown = np.where(np.arange(count) % 3 == 1, np.nan, looks)
    medians = [np.median(looks), np.nanmedian(unknown)]
    np.testing.assert_array_equal(_median(np.stack([looks, unknown], axis=1), 1), medians)
