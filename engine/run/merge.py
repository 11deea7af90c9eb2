"""How the chunks of several streams come together for the one thread that cleans them."""

import heapq
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest

from streamer.chunk import Chunk
from streamer.several import MOST
from streamer.source import Player, Source

_TOGETHER_S = 0.002
"""Chunks of several players that are due within this come as one round."""
_FEW, _GATHERED_S = 8, 0.004
"""With more threads than these, what comes within so long is one round: rounds cost more than chunks."""
_QUEUED = 64  # rounds a stream
_JOINING = 8  # streams for which there is room at least


def in_step(streams: Sequence[Iterator[Chunk]]) -> Iterator[list[Chunk]]:
    """One chunk of each stream in turn, until all have ended: the same rounds in every run."""
    for chunks in zip_longest(*streams):
        yield list(filter(None, chunks))


def parts_of(sources: Sequence[tuple[Source, Iterator[Chunk]]]) -> list[Iterator[Sequence[Chunk]]]:
    """What `as_they_come` gives a thread each: every live source, and all players together.

    Parameters
    ----------
    sources
        Each with its chunks.
    """
    # A live one is waited for, and so is a player with faults.
    parts: list[Iterator[Sequence[Chunk]]] = [
        _singly(chunks) for source, chunks in sources if not isinstance(source, Player)
    ]
    players = [(source, chunks) for source, chunks in sources if isinstance(source, Player)]
    return [*parts, in_due_order(players)] if players else parts


def _singly(chunks: Iterator[Chunk]) -> Iterator[Sequence[Chunk]]:
    for chunk in chunks:
        yield [chunk]


def in_due_order(players: Sequence[tuple[Player, Iterator[Chunk]]]) -> Iterator[list[Chunk]]:
    """Play several players at once, as a round each time that chunks are due.

    Many beds on one thread wake the machine as often as one bed does. It is not for sources that wait for
    anything but the time: the others would wait too.

    Parameters
    ----------
    players
        Each with its chunks; all of a speed.
    """
    now = time.perf_counter()
    for player, _ in players:
        player.begin(now)
    due = [(player.due_s, place) for place, (player, _) in enumerate(players)]
    while due:
        until, ready, chunks = due[0][0] + _TOGETHER_S, list[int](), list[Chunk]()
        while due and due[0][0] <= until:
            ready.append(heapq.heappop(due)[1])
        for place in ready:
            player, coming = players[place]
            chunk = next(coming, None)
            if chunk is not None:
                chunks.append(chunk)
                heapq.heappush(due, (player.due_s, place))
        if chunks:
            yield chunks


@contextmanager
def as_they_come(
    streams: Sequence[Iterator[Sequence[Chunk]]],
    due_s: Callable[[], float | None] = lambda: None,
    newcomers: Callable[[], Sequence[Iterator[Sequence[Chunk]]]] = tuple,
    expects: Callable[[], bool] = lambda: False,
) -> Iterator[Iterator[list[Chunk]]]:
    """Play each part on a thread of its own; what has come when the next round is asked for is that round.

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
    arrived: queue.Queue[Sequence[Chunk] | Future[None]] = queue.Queue(_QUEUED * max(len(streams), _JOINING))
    left = threading.Event()

    def play(part: Iterator[Sequence[Chunk]]) -> None:
        for chunks in part:
            arrived.put(chunks)
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
            if len(playing) > _FEW:
                time.sleep(_GATHERED_S)
            items += [arrived.get() for _ in range(arrived.qsize())]
            for item in items:
                if isinstance(item, Future):
                    playing.discard(item)
                    item.result()
                else:
                    chunks += item
            yield chunks

    with ThreadPoolExecutor(max(len(streams), MOST), "source") as threads:
        playing: set[Future[None]] = set()

        def start(part: Iterator[Sequence[Chunk]]) -> None:
            future = threads.submit(play, part)
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
