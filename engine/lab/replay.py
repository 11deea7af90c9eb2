"""Signals played through the engine as a device would send them, as fast as possible."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from models.benches.track_f import FS
from streamer.chunk import Chunk, Samples

_CHUNK = 36
"""Samples that arrive together: what a stream comes to does not depend on it."""


def stream(raw: dict[str, Samples], config: EngineConfig, backend: AnyBackend) -> dict[str, Samples]:
    """Clean signals of equal length, (leads, samples) in mV, in step as beds of a ward."""
    return stream_with_spread(raw, config, backend)[0]


def stream_with_spread(
    raw: dict[str, Samples], config: EngineConfig, backend: AnyBackend
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """As `stream`; and the spread of every sample."""
    cleaned: dict[str, list[Samples]] = {name: [] for name in raw}
    spread: dict[str, list[Samples]] = {name: [] for name in raw}

    def rounds() -> Iterator[Sequence[Chunk]]:
        samples = min(signal.shape[1] for signal in raw.values())
        for start in range(0, samples, _CHUNK):
            yield [_chunk(name, start, signal) for name, signal in raw.items()]

    for message in clean(rounds(), config, backend, guarded=False):
        if isinstance(message, Gap):
            raise RuntimeError(f"{message.stream}: a record without gaps came out with one")
        cleaned[message.stream].append(message.cleaned)
        spread[message.stream].append(message.spread)
    joined, spreads = (
        {name: np.concatenate(pieces, axis=1) for name, pieces in parts.items()}
        for parts in (cleaned, spread)
    )
    return joined, spreads


def _chunk(name: str, start: int, signal: Samples) -> Chunk:
    data = signal[:, start : start + _CHUNK]
    return Chunk(name, start, data, (start + np.arange(data.shape[1])) / FS, 0)
