"""Small things that several engine tests need: backends without a network, and chunkings."""

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from engine.backends.adapters import check_step
from engine.backends.base import Runtime
from engine.messages import Emitted, Gap
from models.spec import StepSpec
from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError
from streamer.health import StreamHealth

FS = 360.0


class Identity:
    """Returns its input."""

    name = "identity"
    leads = 1
    transfers_ns = (0, 0)
    fixed_rows = ()

    def infer(self, batch):
        return batch.copy()

    def close(self):
        pass


class IdentityRuntime(Runtime):
    """Returns its input, below an adapter."""

    name = "identity"

    def run(self, inputs):
        return (inputs["noisy"].copy(),)


class Moving(Identity):
    """Mean over `reach` samples either side: looks ahead, but only within its window."""

    def __init__(self, reach):
        self._kernel = np.ones(2 * reach + 1, np.float32) / (2 * reach + 1)

    def infer(self, batch):
        rows = batch.reshape(-1, batch.shape[-1])
        out = [
            np.convolve(np.pad(row, len(self._kernel) // 2, "edge"), self._kernel, "valid") for row in rows
        ]
        return np.array(out, np.float32).reshape(batch.shape)


class IdentitySteps:
    """Returns its input of a look-ahead ago, sure of itself, step by step."""

    name = "identity"
    leads = 1
    transfers_ns = (0, 0)
    fixed_rows = ()
    # The first number is the baseline, which stays where the stream began.
    steps = StepSpec(multiple=4, longest=720, state=109, led_by=1, lookahead=108, context=0, learns=0)

    def step(self, samples, state, lookahead):
        check_step(samples, state, lookahead, self.steps)
        count = samples.shape[2]
        heard = np.concatenate([state[:, 1:], samples[:, 0]], axis=1)
        stop = heard.shape[1] - lookahead
        delayed = heard[:, stop - count : stop]
        answer = np.stack([delayed, np.zeros_like(delayed)], axis=1)
        return answer, np.concatenate([state[:, :1], heard[:, count:]], axis=1)

    def close(self):
        pass


def cut(
    data: np.ndarray, sizes: Sequence[int], *, stream: str = "a", start: int = 0, reference: bool = True
) -> Iterator[Chunk]:
    """Chunks of `data` (leads, samples); the sizes repeat until it is used up."""
    at, turn = 0, 0
    while at < data.shape[1]:
        piece = data[:, at : at + sizes[turn % len(sizes)]]
        stop = at + piece.shape[1]
        stamps = (start + np.arange(at, stop)) / FS
        yield Chunk(stream, start + at, piece, stamps, 0, piece if reference else None)
        at, turn = stop, turn + 1


def joined(messages: Sequence[Emitted | Gap], name: str, stream: str = "a") -> np.ndarray:
    """One array of a stream's emitted samples."""
    parts = [getattr(m, name) for m in messages if isinstance(m, Emitted) and m.stream == stream]
    return np.concatenate(parts, axis=-1)


def indices(messages: Sequence[Emitted | Gap], stream: str = "a") -> np.ndarray:
    """Absolute indices of a stream's emitted samples, in the order in which they left."""
    spans = [range(m.start, m.stop) for m in messages if isinstance(m, Emitted) and m.stream == stream]
    return np.concatenate([np.fromiter(span, int) for span in spans])


class Counted:
    """A source whose every sample is its own index, in mV; with gaps, silence, and an end."""

    def __init__(self, name, segments, *, speed=1.0, size=4, fails=False):
        self.info = StreamInfo(360.0, ("II",), name, name)
        self.speed = speed
        self.health = StreamHealth()
        self._segments, self._size, self._fails = segments, size, fails

    def chunks(self):
        begun = time.perf_counter()
        for start, stop in self._segments:
            for at in range(start, stop, self._size):
                count = min(self._size, stop - at)
                data = np.arange(at, at + count, dtype=np.float32)[None]
                if self.speed:
                    time.sleep(max(0.0, begun + (at + count) / 360 / self.speed - time.perf_counter()))
                stamps = begun + np.arange(at, at + count) / 360
                yield Chunk(self.info.name, at, data, stamps, time.perf_counter_ns())
        if self._fails:
            raise RuntimeError("the source broke")

    def set_noise(self, settings):
        raise InputError("no noise")


def assert_counted(messages, name, segments):
    expected = np.concatenate([np.arange(*segment) for segment in segments])
    np.testing.assert_array_equal(indices(messages, name), expected)
    np.testing.assert_allclose(joined(messages, "cleaned", name)[0], expected, atol=1e-3)
    gaps = [(m.start, m.stop) for m in messages if isinstance(m, Gap) and m.stream == name]
    assert gaps == [(before[1], after[0]) for before, after in pairwise(segments)]
