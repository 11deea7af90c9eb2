"""How many streams one core, or one device, holds within the time that a hop lasts."""

import gc
import time
from collections.abc import Callable
from typing import Any

from engine.backends import choose_backend
from engine.backends.base import AnyBackend
from engine.config import EngineConfig
from engine.lab.profile.hops import ALL, MOST_STREAMS, ProfileSettings, Show, open_timed
from engine.lab.profile.lane import Lane, make_chunks
from engine.lab.profile.machine import Others, describe_machine, measure_others
from engine.lab.profile.report import distribution, lateness, needed
from engine.ready_windows import Clock
from models.registry import load_card
from streamer.chunk import Chunk
from streamer.errors import InputError

ALLOWED_LATE = 1e-6
"""Share of hops that may be late in a product."""
PERCENTILE = 99.9
_PROBE_ROUNDS = 20
_TURN_ROUNDS = 10
_RESOLUTION = 20


def sweep(settings: ProfileSettings, show: Show = lambda what, done, total: None) -> dict[str, Any]:
    """Find the largest number of streams whose hops all fit; `ProfileSettings.hops` rounds a trial.

    A round is a hop of every stream, all windows ready at once, back to back. A number of streams is
    held if the 99.9th percentile of its rounds is no longer than a hop and no more than one in a
    million was. No run of minutes sees a million rounds: `rate_at_most` says what it does show.

    Raises
    ------
    InputError
        If the settings ask for what a sweep cannot do.
    """
    check_sweep(settings)
    card = load_card(settings.model)
    choose_backend(settings.backend, card.spec)
    config = settings.config(card)
    chunks = make_chunks(card)
    machine = describe_machine()
    others_before = measure_others()
    backend = open_timed(card, settings, settings.backend).backend
    gc.collect()
    gc.freeze()
    try:
        others = Others()
        trials = find_most(backend, config, chunks, settings.hops, show, settings.clock)
        machine["others_cores"] = {"before": others_before, "during": others.cores()}
    finally:
        gc.unfreeze()
        backend.close()
    held = [trial for trial in trials if trial["holds"]]
    best = max(held, key=lambda trial: trial["streams"], default=None)
    return {
        "model": settings.model,
        "backend": backend.name,
        "threads": settings.threads,
        "leads": card.spec.leads,
        "lookahead_ms": 1000 * config.lookahead / config.fs,
        "hop_ms": 1000 * config.hop / config.fs,
        "clock": "CPU time" if settings.cpu_time else "wall time",
        "cadence": "back to back",
        "streams": best["streams"] if best else 0,
        "rate_at_most": best["rate_at_most"] if best else None,
        "trials": trials,
        "machine": machine,
    }


def check_sweep(settings: ProfileSettings) -> None:
    """Raise InputError for settings that a sweep cannot follow."""
    if settings.backend == ALL:
        raise InputError("a sweep is of one backend: name it with --backend")
    if settings.paced or settings.streams != 1:
        raise InputError("a sweep tries numbers of streams back to back: leave out --streams and --paced")
    if settings.hops < needed(PERCENTILE):
        raise InputError(
            f"a sweep needs at least {needed(PERCENTILE)} hops a trial for its p{PERCENTILE:g}, "
            f"got {settings.hops}"
        )


def find_most(
    backend: AnyBackend,
    config: EngineConfig,
    chunks: list[Chunk],
    rounds: int,
    show: Show,
    clock: Clock = time.perf_counter_ns,
) -> list[dict[str, Any]]:
    """Run trials until the largest number that holds is known to 5 %; returns those of full length."""
    hop_ns = 1e9 * config.hop / config.fs
    trials: list[dict[str, Any]] = []

    def lane(streams: int, count: int) -> Lane:
        return Lane(backend, config, chunks, hops=count, streams=streams, baseline=False, clock=clock)

    def fits(streams: int) -> bool:
        """Whether its median round does, which is enough to find the region to search."""
        show(f"{streams} streams at a glance", 0, rounds)
        probe = lane(streams, _PROBE_ROUNDS)
        probe.turn(_PROBE_ROUNDS)
        typical = distribution(probe.durations()["hop"])["p50"]
        return typical is not None and typical <= hop_ns / 1e3

    def holds(streams: int) -> bool:
        tried = lane(streams, rounds)
        late = 0
        for done in range(0, rounds, _TURN_ROUNDS):
            tried.turn(min(_TURN_ROUNDS, rounds - done))
            late = int((tried.durations()["hop"] > hop_ns).sum())
            show(f"{streams} streams", min(done + _TURN_ROUNDS, rounds), rounds)
            # More rounds cannot help: too many are late already.
            if late > rounds * (1 - PERCENTILE / 100):
                break
        took = tried.durations()
        # With so few rounds this asks for none at all, and so for the percentile too.
        held = late <= ALLOWED_LATE * rounds
        call_share = float(took["call"].sum() / took["hop"].sum())
        trials.append(
            {
                "streams": streams,
                "holds": held,
                **lateness(took["hop"], hop_ns),
                "us": distribution(took["hop"]),
                "call_share": call_share,
            }
        )
        return held

    most(fits, holds)
    return trials


def most(fits: Callable[[int], bool], holds: Callable[[int], bool]) -> int:
    """Largest number that `holds`, to 5 %: doubled while it `fits`, then by bisection; 0 if none does.

    `MOST_STREAMS` is the end of the search.
    """
    low, high = 0, 1
    while high <= MOST_STREAMS and fits(high):
        high *= 2
    high = min(high, MOST_STREAMS + 1)
    while high - low > max(1, low // _RESOLUTION):
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
