"""What the engine costs beside the bare runtime call, in one run on the same windows."""

import gc
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.ledger import Ledger
from engine.messages import Gap
from engine.pipeline import clean
from engine.scorer import Scorer
from models.registry import load_card
from streamer.open_source import SourceSettings, open_source

_PERCENTILES = (50, 95, 99, 99.9)
_TURN = 100


@dataclass(frozen=True)
class ProfileSettings:
    """What to profile; one synthetic lead, as fast as possible."""

    model: str
    backend: str
    lookahead_ms: float = 300.0
    hop_ms: float = 40.0
    hops: int = 2000
    threads: int = 1


def profile(settings: ProfileSettings) -> dict[str, Any]:
    """Time hops back to back; returns microseconds per hop, as percentiles.

    ``call`` is the runtime call inside the engine, ``overhead`` everything else of a hop: cutting
    windows, overlap-add, guard, ledger and scoring, for all chunks that make up the hop. ``bare`` is
    the same call on the same windows without any engine. Both take turns, `_TURN` hops each, so that
    a busy machine hits both alike and neither finds the caches as the other left them.
    """
    card = load_card(settings.model)
    spec = card.spec
    config = EngineConfig.from_ms(spec.fs, spec.window, settings.lookahead_ms, settings.hop_ms)
    backend = open_backend(settings.backend, card, settings.threads)
    seconds = (settings.hops + 100) * config.hop / config.fs
    source = open_source(SourceSettings(noise="em", seconds=seconds, speed=0))
    chunks = [[chunk] for chunk in source.chunks()]
    ledger = Ledger(1e9 * config.hop / config.fs)
    scorer = Scorer(config.fs, 1)
    bare: list[int] = []
    call: list[int] = []
    overhead: list[int] = []
    windows: list[NDArray[np.float32]] = []
    gc.collect()
    gc.freeze()
    begun = time.perf_counter_ns()
    for message in clean(chunks, config, backend):
        if isinstance(message, Gap):
            raise RuntimeError("the synthetic patient has no gaps")
        scorer.push(message)
        handed = time.perf_counter_ns()
        ledger.note(message, handed)
        ended = time.perf_counter_ns()
        in_call = message.hop.finished_ns - message.hop.started_ns
        call.append(in_call)
        overhead.append(ended - begun - in_call)
        windows.append(message.hop.window[None])
        if len(windows) == _TURN:
            for window in windows:
                started = time.perf_counter_ns()
                backend.infer(window)
                bare.append(time.perf_counter_ns() - started)
            windows.clear()
        begun = time.perf_counter_ns()
    gc.unfreeze()
    backend.close()
    ledger.settle()
    figures = {
        # The first hops fill caches, the last ones are the flush.
        name: {f"p{p:g}": float(np.percentile(np.array(ns[50:-50]) / 1e3, p)) for p in _PERCENTILES}
        for name, ns in (("bare", bare), ("call", call), ("overhead", overhead))
    }
    return {
        "model": settings.model,
        "backend": backend.name,
        "threads": settings.threads,
        "lookahead_ms": 1000 * config.lookahead / config.fs,
        "hop_ms": 1000 * config.hop / config.fs,
        "hops": len(bare) - 100,
        "us": figures,
        "overhead_percent_of_bare": 100 * figures["overhead"]["p50"] / figures["bare"]["p50"],
    }
