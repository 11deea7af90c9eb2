"""Cross-fade overlapping predictions; their spread is the uncertainty of each sample."""

import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.config import EngineConfig
from engine.marks import Mark
from engine.messages import Answer, Emitted, Gap
from engine.ready_windows import Clock
from engine.snapshot import Tree
from streamer.chunk import Samples


def fade(config: EngineConfig) -> NDArray[np.float32]:
    """Weights of a window's last look-ahead + hop samples, oldest first, shape (tail,).

    They fall to zero towards the newest sample, where a network is at its worst, and rise within one
    hop at the oldest, so that no step shows where one window takes over from another. The weights
    that a sample gets from all its windows sum to one at every setting.
    """
    hop, lookahead = config.hop, config.lookahead
    joining = np.sin(np.pi / 2 * (np.arange(hop) + 0.5) / hop) ** 2
    leaving = np.cos(np.pi / 2 * (np.arange(lookahead) + 0.5) / max(lookahead, 1)) ** 2
    weights = np.concatenate([joining, leaving])
    # Samples a hop apart are the same sample seen by successive windows.
    padded = np.zeros(-(-config.tail // hop) * hop)
    padded[: config.tail] = weights
    total = padded.reshape(-1, hop).sum(axis=0)
    normalised: NDArray[np.float32] = (weights / total[np.arange(config.tail) % hop]).astype(np.float32)
    return normalised


def overlap_add(
    answers: Iterable[Answer | Gap],
    config: EngineConfig,
    clock: Clock = time.perf_counter_ns,
    faders: "Faders | None" = None,
) -> Iterator[Emitted | Gap]:
    """Turn predicted windows into samples, each leaving when its look-ahead has passed.

    With look-ahead = window − hop this is ordinary overlap-add; with look-ahead 0 each sample
    comes from one window, and its spread is 0.
    """
    faders = faders or Faders(config)
    for answer in answers:
        if isinstance(answer, Gap):
            yield answer
            continue
        hop = answer.hop
        if answer.predicted is None:
            raise ValueError("overlap-add takes predicted windows, not the answers of a stateful network")
        fader = faders.of(hop.stream, len(hop.window))
        mean, mean_square = fader.add(answer.predicted, fresh=hop.fresh)
        count = hop.raw.shape[1]
        if count == 0:
            continue
        emitted = slice(hop.skip, hop.skip + count)
        marks = fader.cleaned if hop.warm else fader.warmup
        yield Emitted(
            stream=hop.stream,
            start=hop.start,
            raw=hop.raw,
            cleaned=mean[:, emitted],
            mean_square=mean_square[:, emitted],
            reference=hop.reference,
            marks=marks[:, :count],
            source_time=hop.source_time,
            annotations=hop.annotations,
            answer=answer,
            added_ns=clock(),
        )


class Faders:
    """The sums of all streams."""

    def __init__(self, config: EngineConfig) -> None:
        self._weights, self._config = fade(config), config
        self._of: dict[str, _Fader] = {}

    def snapshot(self) -> Tree:
        """The sums of each stream."""
        return {name: fader.sums for name, fader in self._of.items()}

    def restore(self, kept: Tree) -> None:
        """Go on from what `snapshot` took."""
        for name, sums in kept.items():
            self.of(name, sums.shape[1]).sums[:] = sums

    def of(self, stream: str, leads: int) -> "_Fader":
        """The sums of a stream, zero where there are none."""
        fader = self._of.get(stream)
        if fader is None:
            fader = self._of[stream] = _Fader(self._weights, self._config, leads)
        return fader


class _Fader:
    """Weighted sums of the predictions of one stream's newest samples, and of their squares.

    Two buffers take turns: adding the newest predictions to the old sums, a hop further on, moves
    them into the other buffer. The last hop of both stays zero, and the first is never read. `cleaned`
    and `warmup` are the marks of a whole hop, made once.
    """

    def __init__(self, weights: NDArray[np.float32], config: EngineConfig, leads: int) -> None:
        self._weights = weights
        self._hop, self._tail = config.hop, config.tail
        self._old, self._new = np.zeros((2, 2, leads, config.tail + config.hop), np.float32)
        self._parts = np.empty((2, leads, config.tail), np.float32)
        self.cleaned = np.full((leads, config.hop), Mark.CLEANED, np.uint8)
        self.warmup = np.full((leads, config.hop), Mark.WARMUP, np.uint8)

    @property
    def sums(self) -> NDArray[np.float32]:
        """What the next window adds to, (2, leads, look-ahead + 2 hops)."""
        return self._old

    def add(self, predicted: Samples, *, fresh: bool) -> tuple[Samples, Samples]:
        """Mean and mean square of the oldest `hop` samples, which no later window will see.

        `fresh` forgets the sums of the segment before.
        """
        parts, old, step, tail = self._parts, self._old, self._hop, self._tail
        if fresh:
            old[:] = 0
        newest = predicted[:, -tail:]
        np.multiply(newest, self._weights, out=parts[0])
        np.multiply(parts[0], newest, out=parts[1])
        # With the caches empty a second addition costs less than a copy of what is ready.
        ready = np.add(old[:, :, step : 2 * step], parts[:, :, :step])
        np.add(old[:, :, 2 * step :], parts[:, :, step:], out=self._new[:, :, step:tail])
        self._old, self._new = self._new, old
        return ready[0], ready[1]
