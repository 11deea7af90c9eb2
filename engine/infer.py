"""Run the network over all windows that are ready, as one batch."""

import time
from collections.abc import Iterable, Iterator

import numpy as np

from engine.backends.base import Backend, Batch
from engine.lead_groups import group_leads, rows_of, ungroup_leads
from engine.messages import Answer, Call, Gap, Hop
from engine.ready_windows import Clock

MAX_ROWS = 64
"""Windows in one call: more gain no speed on a CPU and cost memory."""


def infer(
    rounds: Iterable[list[Hop | Gap]], backend: Backend, clock: Clock = time.perf_counter_ns
) -> Iterator[Answer | Gap]:
    """Answer every hop, those that are ready together in one call; gaps pass in their place.

    A row of the batch holds the leads that the network takes together, as `engine.lead_groups` says.
    Where the backend runs fixed sizes only, rows of zeros fill a batch up to the next of them, and
    their output is dropped.
    """
    limit = backend.fixed_rows[-1] if backend.fixed_rows else MAX_ROWS
    for ready in rounds:
        waiting: list[Hop] = []
        rows = 0
        for item in ready:
            new = 0 if isinstance(item, Gap) else rows_of(len(item.window), backend.leads)
            if waiting and (new == 0 or rows + new > limit):
                yield from _run(waiting, backend, clock)
                waiting, rows = [], 0
            if isinstance(item, Gap):
                yield item
            else:
                waiting.append(item)
                rows += new
        if waiting:
            yield from _run(waiting, backend, clock)


def _run(hops: list[Hop], backend: Backend, clock: Clock) -> list[Answer]:
    """Answer hops with one call of the backend."""
    # Even one window is copied: the result of some kernels depends, in the last bit, on the alignment.
    windows = [group_leads(hop.window, backend.leads) for hop in hops]
    if backend.fixed_rows:
        windows.append(_filling(windows, backend.fixed_rows))
    batch = np.concatenate(windows)
    started = clock()
    predicted = backend.infer(batch)
    finished = clock()
    call = Call(started, *backend.transfers_ns, finished)
    answers = []
    row = 0
    for hop in hops:
        rows = rows_of(len(hop.window), backend.leads)
        answers.append(Answer(hop, call, ungroup_leads(predicted[row : row + rows], hop.window)))
        row += rows
    return answers


def _filling(windows: list[Batch], sizes: tuple[int, ...]) -> Batch:
    """Rows of zeros that fill the batch up to the next size."""
    rows = sum(map(len, windows))
    size = next((size for size in sizes if size >= rows), rows)
    return np.zeros((size - rows, *windows[0].shape[1:]), np.float32)
