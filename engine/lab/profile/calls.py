"""How often a hop calls a function, and what a stream holds in memory: figures that no other load changes."""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.lab.profile import lane as lane_of
from engine.lab.profile.hops import ProfileSettings, Show, open_timed
from engine.lab.profile.lane import Lane, make_chunks
from engine.lab.profile.several import check_several
from models.registry import load_card
from streamer.chunk import Chunk

WARM_HOPS = 100
"""Hops before those that are counted: by then every window is full, and the guard knows all leads."""


def count_calls(
    settings: ProfileSettings, counts: Sequence[int], show: Show = lambda what, done, total: None
) -> dict[str, Any]:
    """Count calls of functions, of Python and of C, in the engine that `profile_several` times.

    Raises
    ------
    InputError
        As `engine.lab.profile.several.profile_several`.
    """
    check_several(settings, counts)
    card = load_card(settings.model)
    config, chunks = settings.config(card), make_chunks(card)
    backend = open_timed(card, settings, settings.backend).backend
    runs = []
    try:
        for place, count in enumerate(counts):
            show(f"{count} streams", place, len(counts))
            runs.append(calls_of(backend, config, chunks, count, settings.hops))
    finally:
        backend.close()
    hop_ms = 1000 * config.hop / config.fs
    return {"model": settings.model, "backend": backend.name, "hop_ms": hop_ms, "runs": runs}


def calls_of(
    backend: AnyBackend, config: EngineConfig, chunks: list[Chunk], streams: int, hops: int
) -> dict[str, float]:
    """Calls a hop of so many streams in step, and the memory that a stream of them holds.

    Returns
    -------
    dict
        ``streams``; ``calls`` a hop of all of them, those that make the chunks left out; ``kb`` a stream, of
        windows, states, guard, scorer and ledger, in kB (the runtime's own memory is not seen).
    """
    gc.collect()
    tracemalloc.start()
    try:
        lane = Lane(backend, config, chunks, hops=WARM_HOPS + hops, streams=streams, baseline=False)
        lane.turn(WARM_HOPS)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    calls = _counted(lambda: lane.turn(hops))
    return {"streams": streams, "calls": calls / hops, "kb": held / 1000 / streams}


def _counted(work: Callable[[], None]) -> int:
    """Calls while this is done, on this thread."""
    calls = 0

    def note(frame: FrameType, event: str, called: Any) -> None:
        nonlocal calls
        if event == "call" and frame.f_back:
            calls += not _feeds(frame.f_back)
        elif event == "c_call":
            calls += not _feeds(frame)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def _feeds(caller: FrameType) -> bool:
    """Whether a call is one of those that stand in for a source."""
    code = caller.f_code
    return code.co_name in ("rounds", "<listcomp>") and code.co_filename == lane_of.__file__


def calls_table(figures: dict[str, Any]) -> Table:
    """A row for each number of streams."""
    columns = ("streams", "calls a hop", "of each stream", "kB a stream")
    title = f"{figures['model']} · {figures['backend']} · hop {figures['hop_ms']:.1f} ms"
    table = Table(*columns, box=SIMPLE_HEAD, title=title)
    for run in figures["runs"]:
        each = run["calls"] / run["streams"]
        table.add_row(str(run["streams"]), f"{run['calls']:.0f}", f"{each:.1f}", f"{run['kb']:.0f}")
    return table
