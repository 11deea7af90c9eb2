"""Small things that several engine tests need: backends without a network, and chunkings."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.messages import Emitted, Gap
from streamer.chunk import Chunk

FS = 360.0


class Identity:
    """Returns its input."""

    name = "identity"
    leads = 1
    transfers_ns = (0, 0)

    def infer(self, batch):
        return batch.copy()

    def close(self):
        pass


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


def cut(
    data: np.ndarray, sizes: Sequence[int], *, stream: str = "a", start: int = 0, clean: bool = True
) -> Iterator[Chunk]:
    """Chunks of `data` (leads, samples); the sizes repeat until it is used up."""
    at, turn = 0, 0
    while at < data.shape[1]:
        piece = data[:, at : at + sizes[turn % len(sizes)]]
        stop = at + piece.shape[1]
        stamps = (start + np.arange(at, stop)) / FS
        yield Chunk(stream, start + at, piece, stamps, 0, piece if clean else None)
        at, turn = stop, turn + 1


def joined(messages: Sequence[Emitted | Gap], name: str, stream: str = "a") -> np.ndarray:
    """One array of a stream's emitted samples."""
    parts = [getattr(m, name) for m in messages if isinstance(m, Emitted) and m.stream == stream]
    return np.concatenate(parts, axis=-1)


def indices(messages: Sequence[Emitted | Gap], stream: str = "a") -> np.ndarray:
    """Absolute indices of a stream's emitted samples, in the order in which they left."""
    spans = [range(m.start, m.stop) for m in messages if isinstance(m, Emitted) and m.stream == stream]
    return np.concatenate([np.fromiter(span, int) for span in spans])
