"""Run the network over all windows that are ready, as one batch."""

import time
from collections.abc import Iterable, Iterator

import numpy as np

from engine.backends.base import Backend
from engine.messages import Gap, Hop
from engine.ready_windows import Clock
from streamer.chunk import Samples

MAX_ROWS = 64
"""Windows in one call: more gain no speed on a CPU and cost memory."""


def infer(
    rounds: Iterable[list[Hop | Gap]], backend: Backend, clock: Clock = time.perf_counter_ns
) -> Iterator[Hop | Gap]:
    """Fill in `Hop.predicted` and when its call started and finished; gaps pass in their place.

    Each lead is a row of the batch: the network sees one lead at a time. Where the backend runs
    fixed sizes only, rows of zeros fill a batch up to the next of them, and go nowhere.
    """
    limit = backend.fixed_rows[-1] if backend.fixed_rows else MAX_ROWS
    for ready in rounds:
        waiting: list[Hop] = []
        rows = 0
        for item in ready:
            leads = 0 if isinstance(item, Gap) else len(item.window)
            if waiting and (leads == 0 or rows + leads > limit):
                yield from _run(waiting, backend, clock)
                waiting, rows = [], 0
            if isinstance(item, Gap):
                yield item
            else:
                waiting.append(item)
                rows += leads
        if waiting:
            yield from _run(waiting, backend, clock)


def _run(hops: list[Hop], backend: Backend, clock: Clock) -> list[Hop]:
    # A copy even of one window: where a batch lies in memory decides over its last bit in some kernels.
    windows = [hop.window for hop in hops]
    if backend.fixed_rows:
        windows.append(_filling(windows, backend.fixed_rows))
    batch = np.concatenate(windows)[:, None]
    started = clock()
    predicted = backend.infer(batch)
    finished = clock()
    row = 0
    for hop in hops:
        leads = len(hop.window)
        hop.predicted = predicted[row : row + leads, 0]
        row += leads
        hop.started_ns, hop.finished_ns = started, finished
        hop.host_to_device_ns, hop.device_to_host_ns = backend.transfers_ns
    return hops


def _filling(windows: list[Samples], sizes: tuple[int, ...]) -> Samples:
    """Rows of zeros that are lacking to the next size."""
    rows = sum(map(len, windows))
    size = next((size for size in sizes if size >= rows), rows)
    return np.zeros((size - rows, windows[0].shape[1]), np.float32)
