"""Go on with a stream whose samples another process has counted, at the index that its clock says."""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import replace

from streamer.chunk import Chunk, StreamInfo
from streamer.health import StreamHealth
from streamer.noise import NoiseSettings
from streamer.source import Player, Source


def go_on(source: Source, stop: int, stamp: float) -> Source:
    """A source that has just been opened, counting on from where another of the same stream was left.

    Parameters
    ----------
    stop
        Index behind the last sample that is known.
    stamp
        When that sample was taken, by the clock of the source's stamps, s; NaN where the source has
        stood still since.

    Returns
    -------
    Source
        Its first sample has the index that follows from its stamp, so that what was missed is a gap of
        its true length. A `Player` plays what is due now.
    """
    if math.isnan(stamp):
        # Nothing was missed: the next sample is due a moment from now.
        stamp = time.perf_counter()
    if isinstance(source, Player):
        # Sample i is stamped (i + 1) / fs after the beginning.
        source.go_on(stamp - stop / source.info.fs / source.speed)
        return source
    return _Counted(source, stop - 1, stamp)


class _Counted:
    """A live source whose first sample has another index than 0.

    Parameters
    ----------
    inner
        Where the samples come from.
    last, stamp
        Index of a sample that is known, and when it was taken.
    """

    def __init__(self, inner: Source, last: int, stamp: float) -> None:
        self.inner = inner
        self._last, self._stamp = last, stamp
        self._added: int | None = None

    @property
    def info(self) -> StreamInfo:
        """As that of `inner`."""
        return self.inner.info

    @property
    def speed(self) -> float:
        """As that of `inner`."""
        return self.inner.speed

    @property
    def health(self) -> StreamHealth:
        """As that of `inner`."""
        return self.inner.health

    def set_noise(self, settings: NoiseSettings) -> None:
        """Change the noise of `inner`."""
        self.inner.set_noise(settings)

    def chunks(self) -> Iterator[Chunk]:
        """Hand out what `inner` does, under its own indices."""
        coming = self.inner.chunks()
        try:
            for chunk in coming:
                if self._added is None and chunk.data.shape[1]:
                    since = (float(chunk.source_time[0]) - self._stamp) * self.inner.info.fs
                    # What was sampled before, and sent again, is still not before what has left.
                    self._added = math.floor(self._last + max(since, 1.0) + 0.5) - chunk.start
                added = self._last if self._added is None else self._added
                yield replace(
                    chunk,
                    start=chunk.start + added,
                    annotations=tuple(
                        mark._replace(sample=mark.sample + added) for mark in chunk.annotations
                    ),
                )
        finally:
            if isinstance(coming, Generator):
                coming.close()
