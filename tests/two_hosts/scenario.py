"""Live scenarios: what goes wrong, and when, decided by a number."""

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

OUTAGES = {
    "none": (0.0, 0.0),
    "short": (1.5, 4.0),
    "lost": (6.0, 30.0),
    "long": (60.0, 300.0),
    "gone": (2.0, 12.0),
}
"""Seconds that the link is cut for (shortest, longest); ``gone``: the outlet ends and is made anew."""
ENGINES = ("plain", "retuned", "retuned in the outage", "ladder")
LOADS = ("idle", "starved")
DEVICES = ("steady", "bursts", "stalls", "losses", "jitter")
KINDS = tuple(product(OUTAGES, ENGINES, LOADS, DEVICES))
"""Every combination, 200 of them."""


@dataclass(frozen=True)
class Scenario:
    """One run; times in seconds since the device began, spans as (begin, end).

    Parameters
    ----------
    outage, engine, load, device
        Of `OUTAGES`, `ENGINES`, `LOADS` and `DEVICES`.
    cut
        Outage; None without one.
    retunes
        When, and to which look-ahead in ms.
    starved
        While the engine is, and what a call of the network then takes.
    held
        While the device sends nothing, and then everything.
    lost
        Spans of samples that the device never sends, by number.
    """

    number: int
    outage: str
    engine: str
    load: str
    device: str
    seconds: float
    cut: tuple[float, float] | None
    retunes: tuple[tuple[float, float], ...]
    starved: tuple[float, float, float] | None
    held: tuple[tuple[float, float], ...]
    lost: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.outage} × {self.engine} × {self.load} × {self.device}"

    def held_s(self, begin: float, end: float) -> float:
        """How long the device sends nothing of its own between two moments."""
        return sum(max(0.0, min(end, stop) - max(begin, start)) for start, stop in self.held)

    @property
    def kind(self) -> dict[str, str]:
        """What it is, for a table."""
        return {name: text for name, text in asdict(self).items() if isinstance(text, str)}


def scenario(
    number: int,
    fs: float,
    seed: int = 0,
    longest_s: float = 300.0,
    quiet_s: float = 20.0,
    after_s: float = 40.0,
) -> Scenario:
    """The scenario of a number; after `KINDS` are through they come again with other times.

    Parameters
    ----------
    longest_s
        Outages are cut down to this.
    quiet_s, after_s
        Before the first fault, while the rate is learnt, and after the outage.
    """
    outage, engine, load, device = KINDS[number % len(KINDS)]
    random = np.random.default_rng([seed, number])
    begin = quiet_s + random.uniform(0, 5)
    lasts = min(random.uniform(*OUTAGES[outage]), longest_s)
    end = begin + lasts
    seconds = end + after_s
    retunes = []
    if engine == "retuned":
        retunes = [(random.uniform(quiet_s, begin), 50.0), (random.uniform(end, end + 10), 200.0)]
    elif engine == "retuned in the outage":
        retunes = [(begin + share * lasts, ms) for share, ms in ((0.6, 50.0), (0.8, 200.0))]
    starved = None
    if load == "starved":
        # From before the outage on, or while the backlog drains.
        first = random.uniform(quiet_s - 5, begin) if random.integers(2) else random.uniform(end - 2, end + 2)
        starved = first, first + random.uniform(3, 10), float(random.choice([0.08, 0.16, 0.4]))
    held = lost = ()
    if device in ("bursts", "stalls"):
        least, most = (0.2, 0.9) if device == "bursts" else (1.2, 4.0)
        starts = np.sort(random.uniform(quiet_s, seconds - 0.25 * after_s, 6))
        spans = [(start, start + random.uniform(least, most)) for start in starts]
        next_ones = [*starts[1:], seconds]
        held = tuple(span for span, later in zip(spans, next_ones, strict=True) if span[1] < later)
    if device == "losses":
        starts = np.sort(random.integers(round(quiet_s * fs), round((seconds - 0.25 * after_s) * fs), 6))
        lost = tuple((int(start), int(start + random.integers(1, 400))) for start in starts)
    cut = None if outage == "none" else (begin, end)
    return Scenario(
        number, outage, engine, load, device, seconds, cut, tuple(retunes), starved, held, lost
    )  # fmt: skip
