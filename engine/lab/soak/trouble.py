"""What goes wrong in a soak at real speed, and when, decided by a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal[
    "silence", "burst", "gone", "loss", "retune", "retune in a silence", "starvation", "kill", "hang"
]
LASTS_S: dict[Kind, tuple[float, float]] = {
    "silence": (2.0, 30.0),
    "burst": (0.2, 0.9),
    "gone": (2.0, 12.0),
    "loss": (0.0, 0.0),
    "retune": (0.0, 0.0),
    "retune in a silence": (6.0, 20.0),
    "starvation": (3.0, 10.0),
    "kill": (0.0, 0.0),
    "hang": (0.0, 0.0),
}
"""Seconds, shortest and longest. The device holds back what it samples in a silence and before a burst; its
outlet has gone, and is made anew; the engine has a fifth of the time in a starvation; it is killed, or
stopped until it is started again."""
LOOKAHEADS_MS = (50.0, 100.0, 200.0)
_CALM_S = 4.0, 16.0
_DEADLY: tuple[Kind, ...] = ("kill", "hang")
_AFTER_A_DEATH_S = 25.0
"""More than `MOST` deaths within a minute end a run."""


@dataclass(frozen=True)
class Trouble:
    """One of the things that go wrong.

    Parameters
    ----------
    calm_s
        How long all has been well before it.
    lasts_s
        How long it lasts; 0 where it is a moment.
    samples
        That are lost.
    lookahead_ms
        That the engine goes over to, in the middle of it.
    """

    kind: Kind
    calm_s: float = 0.0
    lasts_s: float = 0.0
    samples: int = 0
    lookahead_ms: float = 100.0


def troubles(seed: int) -> Iterator[Trouble]:
    """Trouble without end: every kind equally often, in an order of its own each time."""
    random = np.random.default_rng(seed)
    kinds = tuple(LASTS_S)
    died = False
    while True:
        for turn in random.permutation(len(kinds)):
            kind = kinds[turn]
            calm_s = random.uniform(*_CALM_S)
            deadly = kind in _DEADLY
            yield Trouble(
                kind,
                _AFTER_A_DEATH_S if deadly and died else calm_s,
                random.uniform(*LASTS_S[kind]),
                int(random.integers(1, 400)),
                float(random.choice(LOOKAHEADS_MS)),
            )
            died = deadly
