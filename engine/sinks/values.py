"""The values of a record that this program wrote, in blocks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.sinks.recorder import VALUE_BYTES

_BLOCK_FRAMES = 1 << 16


def blocks_of(path: Path, signals: int) -> Iterator[NDArray[np.float32]]:
    """Frames of a record that this program wrote, (frames, signals) in its steps; NaN is missing."""
    size = VALUE_BYTES * signals
    with path.with_suffix(".dat").open("rb") as data:
        while raw := data.read(_BLOCK_FRAMES * size):
            values = np.zeros((len(raw) // size, signals, 4), np.uint8)
            values[..., 1:] = np.frombuffer(raw, np.uint8).reshape(-1, signals, VALUE_BYTES)
            numbers = values.view("<i4")[..., 0] >> 8
            # Whole numbers of 24 bits are exact in float32.
            yield np.where(numbers == -(1 << 23), np.float32(np.nan), numbers.astype(np.float32))
