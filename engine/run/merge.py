"""How the chunks of several streams come together for the one thread that cleans them."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest

from streamer.chunk import Chunk

_QUEUED = 64  # chunks a stream


def in_step(streams: Sequence[Iterator[Chunk]]) -> Iterator[list[Chunk]]:
    """One chunk of each stream in turn, until all have ended: the same rounds in every run."""
    for chunks in zip_longest(*streams):
        yield list(filter(None, chunks))


@contextmanager
def as_they_come(
    streams: Sequence[Iterator[Chunk]], due_s: Callable[[], float | None] = lambda: None
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
    """
    arrived: queue.Queue[Chunk | Future[None]] = queue.Queue(_QUEUED * len(streams))
    left = threading.Event()

    def play(chunks: Iterator[Chunk]) -> None:
        for chunk in chunks:
            arrived.put(chunk)
            if left.is_set():
                return

    def rounds(playing: set[Future[None]]) -> Iterator[list[Chunk]]:
        while playing:
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

    with ThreadPoolExecutor(len(streams), "source") as threads:
        playing = {threads.submit(play, chunks) for chunks in streams}
        for each in list(playing):
            each.add_done_callback(arrived.put)
        try:
            yield rounds(playing)
        finally:
            left.set()
            while playing:
                item = arrived.get()
                if isinstance(item, Future):
                    playing.discard(item)
