"""A signal with what is judged in it, and what many of them share."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.lab.evaluate.conformance.judged import Judge, last_rate
from engine.lab.evaluate.conformance.waves import Fine, ecg, every

SETTLED_S = 10.0
"""Nothing is judged before: a network's window fills, and a guard learns."""
SECONDS = 24.0


@dataclass(frozen=True)
class Stimulus:
    """A signal, and what is judged in what the engine makes of it.

    Parameters
    ----------
    test
        T1 … T18.
    make, without
        Its voltage at the electrodes, with its probe and without it.
    event_s
        Second that a picture shows.
    """

    test: str
    name: str
    make: Callable[[], Fine]
    judges: tuple[Judge, ...]
    without: Callable[[], Fine] | None = None
    event_s: float = SECONDS - 5.0


def settled_beats(seconds: float = SECONDS, bpm: float = 60.0, after_s: float = SETTLED_S) -> Fine:
    """Those that are judged."""
    beats = every(bpm, seconds)
    return beats[(beats > after_s) & (beats < seconds - 1.5)]


def rate_judge(bpm: float, limit: str, grade: str, share: float = 0.1, least: float = 5.0) -> Judge:
    """The heart rate at the end."""
    apart = max(least, share * bpm)
    return Judge("heart rate", "bpm", limit, grade, last_rate, bpm - apart, bpm + apart)


def no_rate_judge(grade: str) -> Judge:
    """No heart rate at the end."""
    return Judge("heart rate", "bpm", "none", grade, last_rate)


def normal(r_mv: float = 1.0, seconds: float = SECONDS) -> Fine:
    """Beats at 60 bpm."""
    return ecg(every(60, seconds), seconds, r_mv)
