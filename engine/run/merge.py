"""How the chunks of several streams come together for the one thread that cleans them."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest

from streamer.chunk import Chunk
from streamer.several import MOST

_QUEUED = 64  # chunks a stream
_JOINING = 8  # streams for which there is room at least


def in_step(streams: Sequence[Iterator[Chunk]]) -> Iterator[list[Chunk]]:
    """One chunk of each stream in turn, until all have ended: the same rounds in every run."""
    for chunks in zip_longest(*streams):
        yield list(filter(None, chunks))


@contextmanager
def as_they_come(
    streams: Sequence[Iterator[Chunk]],
    due_s: Callable[[], float | None] = lambda: None,
    newcomers: Callable[[], Sequence[Iterator[Chunk]]] = tuple,
    expects: Callable[[], bool] = lambda: False,
) -> Iterator[Iterator[list[Chunk]]]:
    """Play each stream on a thread of its own; what has come when the next round is asked for is that round.

    A stream that is silent, waits or ends holds up none of the others. Where cleaning does not keep
    up, the threads wait: a player then plays later, and a live source overflows into a gap, as they
    do alone. An error that ends a thread is raised where the next round is asked for.

    Leaving ends the threads and waits for them; a player must not be paused then.

    Parameters
    ----------
    due_s
        Asked before every round: after so many seconds it comes empty, if nothing has.
    newcomers
        Asked before every round for streams that begin now; there may be `streamer.several.MOST` in all.
    expects
        Whether rounds go on, be they empty, when all streams have ended, since others may begin.
    """
    arrived: queue.Queue[Chunk | Future[None]] = queue.Queue(_QUEUED * max(len(streams), _JOINING))
    left = threading.Event()

    def play(chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            arrived.put(chunk)
            if left.is_set():
                return

    def rounds() -> Iterator[list[Chunk]]:
        while playing or expects():
            for newcomer in newcomers():
                start(newcomer)
            chunks: list[Chunk] = []
            try:
                items = [arrived.get(timeout=due_s())]
            except queue.Empty:
                items = []
            items += [arrived.get() for _ in range(arrived.qsize())]
            for item in items:
                if isinstance(item, Chunk):
                    chunks.append(item)
                else:
                    playing.discard(item)
                    item.result()
            yield chunks

    with ThreadPoolExecutor(max(len(streams), MOST), "source") as threads:
        playing: set[Future[None]] = set()

        def start(chunks: Iterator[Chunk]) -> None:
            future = threads.submit(play, chunks)
            playing.add(future)
            future.add_done_callback(arrived.put)

        for each in streams:
            start(each)
        try:
            yield rounds()
        finally:
            left.set()
            while playing:
                item = arrived.get()
                if isinstance(item, Future):
                    playing.discard(item)
