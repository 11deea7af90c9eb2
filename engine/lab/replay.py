"""Signals played through the engine as a device would send them, as fast as possible."""

from collections.abc import Iterator, Mapping

import numpy as np

from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.messages import Gap
from engine.pipeline import clean
from models.benches.track_f import FS
from streamer.chunk import Chunk, Samples

TOGETHER = 36
"""Samples that arrive together: 0.1 s."""

ROUNDING_MV = 5e-4
"""A spread below this is what single precision leaves where there is none."""


def play(signals: Mapping[str, Samples], together: int = TOGETHER) -> Iterator[list[Chunk]]:
    """Chunks of signals that begin together, for `engine.pipeline.clean`.

    Parameters
    ----------
    signals
        Millivolts at `FS`, (leads, samples), by the name of their stream; all end with the shortest.
    together
        Samples in a chunk.
    """
    samples = min(signal.shape[1] for signal in signals.values())
    for start in range(0, samples, together):
        stop = min(start + together, samples)
        stamps = np.arange(start, stop) / FS
        yield [Chunk(name, start, signal[:, start:stop], stamps, 0) for name, signal in signals.items()]


def stream(raw: Mapping[str, Samples], config: EngineConfig, backend: AnyBackend) -> dict[str, Samples]:
    """Clean signals side by side, without the guard; the same names and shapes come back, in mV."""
    return stream_with_spread(raw, config, backend)[0]


def stream_with_spread(
    raw: Mapping[str, Samples], config: EngineConfig, backend: AnyBackend
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """As `stream`, and the spread of every sample, of a system that states one.

    Raises
    ------
    RuntimeError
        If a gap comes out, where none went in.
    """
    cleaned: dict[str, list[Samples]] = {name: [] for name in raw}
    spread: dict[str, list[Samples]] = {name: [] for name in raw}
    for message in clean(play(raw), config, backend, guarded=False):
        if isinstance(message, Gap):
            raise RuntimeError(f"{message.stream}: a record without gaps came out with one")
        cleaned[message.stream].append(message.cleaned)
        spread[message.stream].append(message.spread)
    joined, spreads = (
        {name: np.concatenate(pieces, axis=1) for name, pieces in parts.items()}
        for parts in (cleaned, spread)
    )
    return joined, {name: spread for name, spread in spreads.items() if np.nanmedian(spread) > ROUNDING_MV}
