"""Time hops of several backends, and the engine beside the bare call, on the same windows in one run."""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from engine.backends import BACKENDS, choose_backend, open_backend, why_not
from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.infer import MAX_ROWS
from engine.lab.profile.lane import Lane, Nanoseconds, make_chunks
from engine.lab.profile.machine import Others, describe_machine, measure_others
from engine.lab.profile.report import compare, distribution, lateness, stages
from engine.pipeline import rehearse
from engine.ready_windows import Clock
from models.registry import ModelCard, load_card
from streamer.errors import InputError

Show = Callable[[str, int, int], None]
"""Progress: what is being timed, how much of it is done, and of how much."""

MOST_STREAMS = 4096
ALL = "all"
_TURN_S = 1.0
_TURN_HOPS = 100
_SETTLED_TURNS = 4


@dataclass(frozen=True)
class ProfileSettings:
    """What to profile: `streams` synthetic patients whose windows are all ready at the same time.

    Parameters
    ----------
    backend
        One by name, or `ALL` that run here.
    hops
        Hops of each stream to time, after a warm-up.
    paced
        Chunks arrive when they are due, as from a device, instead of as fast as they are taken. Each hop
        then meets caches, clocks and a device that have been idle.
    baseline
        Time the bare call too, at the same pace, on the same windows.
    cpu_time
        Count the CPU time of this thread instead of wall-clock time: other load on the machine is left out,
        and so is the work of a device or of another thread.
    """

    model: str
    backend: str = "auto"
    lookahead_ms: float = 300.0
    hop_ms: float = 40.0
    hops: int = 4000
    threads: int = 1
    streams: int = 1
    paced: bool = False
    baseline: bool = True
    cpu_time: bool = False

    def __post_init__(self) -> None:
        if self.cpu_time and (self.paced or self.threads != 1):
            raise InputError(
                "--cpu-time counts what one busy thread uses: leave out --paced, and --threads above 1"
            )
        if not 1 <= self.streams <= MOST_STREAMS:
            raise InputError(f"streams must be 1 to {MOST_STREAMS}, got {self.streams}")

    def config(self, card: ModelCard) -> EngineConfig:
        """Lengths of time as samples of the network's rate."""
        return EngineConfig.of(card.spec, self.lookahead_ms, self.hop_ms)

    @property
    def clock(self) -> Clock:
        """Clock for durations, ns."""
        return time.thread_time_ns if self.cpu_time else time.perf_counter_ns

    def turn_hops(self, config: EngineConfig) -> int:
        """Hops of a turn: about a second."""
        if self.paced:
            return max(1, round(_TURN_S * config.fs / config.hop))
        return max(1, _TURN_HOPS // self.streams)


@dataclass(frozen=True)
class Profile:
    """Results of a profile.

    Parameters
    ----------
    figures
        Everything for JSON.
    durations
        Every duration in ns for a picture, by backend and by row of its table.
    """

    figures: dict[str, Any]
    durations: dict[str, dict[str, Nanoseconds]]


@dataclass(frozen=True)
class Opened:
    """A backend, and what its cold start cost in ms."""

    backend: AnyBackend
    cold_ms: dict[str, float]


def profile(settings: ProfileSettings, show: Show = lambda what, done, total: None) -> Profile:
    """Time hops of every backend that is asked for.

    They take turns of about a second, so that load on the machine affects all alike and each starts with
    caches that the others have used. ``call`` is the runtime call inside the engine; ``overhead`` is
    everything else of a hop: cutting windows, overlap-add, guard, ledger and scoring, for all chunks that
    make it up; ``hop`` is both. ``bare`` is the same call on the same windows without any engine.

    Raises
    ------
    InputError
        If the backend that is named, or with `ALL` every one, cannot run here.
    """
    card = load_card(settings.model)
    if settings.backend != ALL:
        choose_backend(settings.backend, card.spec)
    config = settings.config(card)
    chunks = make_chunks(card)
    machine = describe_machine()
    others_before = measure_others()
    opened, refused = _open(card, settings)
    turn_hops = settings.turn_hops(config)
    gc.collect()
    gc.freeze()
    try:
        lanes: dict[str, Lane] = {}
        for each in opened:
            name = each.backend.name
            show(f"{name}, warm-up", 0, settings.hops)
            lanes[name] = Lane(
                each.backend,
                config,
                chunks,
                hops=settings.hops,
                streams=settings.streams,
                paced=settings.paced,
                baseline=settings.baseline,
                clock=settings.clock,
            )
        others = Others()
        growth = _take_turns(lanes, settings.hops, turn_hops, show)
        machine["others_cores"] = {"before": others_before, "during": others.cores()}
    finally:
        gc.unfreeze()
        for each in opened:
            each.backend.close()
    hop_ns = 1e9 * config.hop / config.fs
    durations = {name: lane.durations() for name, lane in lanes.items()}
    backends = {}
    for each in opened:
        name = each.backend.name
        us = {row: distribution(took) for row, took in durations[name].items()}
        backends[name] = {
            "cold_ms": each.cold_ms,
            "us": us,
            "beside_bare": compare(us) if settings.baseline else None,
            "lateness": lateness(durations[name]["hop"], hop_ns),
            "ledger_ms": stages(lanes[name].ledger, settings.streams),
        }
    figures = {
        "model": settings.model,
        "threads": settings.threads,
        "streams": settings.streams,
        "leads": card.spec.leads,
        "lookahead_ms": 1000 * config.lookahead / config.fs,
        "hop_ms": hop_ns / 1e6,
        "clock": "CPU time" if settings.cpu_time else "wall time",
        "cadence": "paced" if settings.paced else "back to back",
        "hops": settings.hops,
        "turn_hops": turn_hops,
        "backends": backends,
        "refused": refused,
        "memory_growth": growth,
        "machine": machine,
    }
    return Profile(figures, durations)


def open_timed(card: ModelCard, settings: ProfileSettings, name: str) -> Opened:
    """Open a backend and call it twice; the imports that it needs count as opening."""
    stamps = [time.perf_counter_ns()]
    backend = open_backend(name, card, settings.threads)
    stamps.append(time.perf_counter_ns())
    for _ in range(2):
        rehearse(backend, settings.config(card), min(settings.streams, MAX_ROWS))
        stamps.append(time.perf_counter_ns())
    took: list[float] = (np.diff(stamps) / 1e6).tolist()
    return Opened(backend, dict(zip(("open", "first_call", "second_call"), took, strict=True)))


def _open(card: ModelCard, settings: ProfileSettings) -> tuple[list[Opened], dict[str, str]]:
    """Open the backends that run here; the others with the reason why not."""
    if settings.backend != ALL:
        return [open_timed(card, settings, settings.backend)], {}
    opened, refused = [], {}
    for name in BACKENDS:
        if name == "auto":
            continue
        reason = why_not(name)
        if reason is None:
            try:
                opened.append(open_timed(card, settings, name))
            except InputError as error:
                reason = str(error)
        if reason is not None:
            refused[name] = reason
    if not opened:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise InputError(f"no backend can run here: {reasons}")
    return opened, refused


def _take_turns(lanes: dict[str, Lane], hops: int, turn_hops: int, show: Show) -> dict[str, float] | None:
    """Time all hops; returns how much memory grew once all buffers were there, if the run was long enough."""
    settled = None
    for done in range(0, hops, turn_hops):
        if done == _SETTLED_TURNS * turn_hops:
            settled = _memory()
        count = min(turn_hops, hops - done)
        for name, lane in lanes.items():
            lane.turn(count)
            show(name, done + count, hops)
    return settled and {what: held - settled[what] for what, held in _memory().items()}


def _memory() -> dict[str, float]:
    """Resident memory of this process, and the number of blocks that Python has allocated."""
    return {
        "resident_kib": psutil.Process().memory_info().rss / 1024,
        "python_blocks": sys.getallocatedblocks(),
    }
