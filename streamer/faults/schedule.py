"""Kinds of faults of an ECG, and when each happens, decided by one seed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

import numpy as np

from streamer.errors import InputError

DRIFT_PPM = 100.0
"""By how much the device's clock, and so its stamps, runs fast beside ours."""
RATE_ERROR = 0.005
"""By how much the device samples faster than the rate that it states."""
FIRST_S = 5.0
"""No fault happens earlier by default: the regulariser must first learn the rate of the stamps."""
LISTED = 50
"""Faults of each kind that are listed with their place; all are counted."""


class Kind(NamedTuple):
    """A kind of fault: a mean `every_s` seconds between two, each of `lasts_s` (shortest, longest).

    The others, with `every_s` 0, last from the first sample to the last.
    """

    title: str
    every_s: float = 0.0
    lasts_s: tuple[float, float] = (0.0, 0.0)


KINDS = {
    "gaps": Kind("samples that never come", 20.0, (0.05, 2.0)),
    "bursts": Kind("samples that are held back, and then come together", 20.0, (0.2, 1.0)),
    "duplicates": Kind("samples that come twice", 15.0, (0.03, 0.1)),
    "reordered": Kind("samples that come after younger ones", 15.0, (0.04, 0.1)),
    "drift": Kind(f"a device clock that is {DRIFT_PPM:g} ppm fast"),
    "rate": Kind(f"a device that samples {RATE_ERROR:.1%} faster than it states"),
    "saturation": Kind("a lead driven into the rail of its amplifier", 30.0, (0.2, 3.0)),
    "lead-off": Kind("an electrode that falls off: a step, then a flat lead", 40.0, (1.0, 5.0)),
    "nan": Kind("samples of a lead that are no numbers", 20.0, (0.01, 1.0)),
    "disconnect": Kind("a device that goes and comes back", 120.0, (0.5, 8.0)),
    "mains": Kind("mains hum", 40.0, (2.0, 10.0)),
    "steps": Kind("an amplitude that is ten times as large", 40.0, (0.5, 5.0)),
    "leads": Kind("a device that comes back with other leads, and then as it was", 240.0, (1.0, 6.0)),
}  # fmt: skip


@dataclass(frozen=True)
class FaultSettings:
    """What goes wrong.

    Parameters
    ----------
    kinds
        Some of `KINDS`, in that order.
    seed
        Decides where they happen.
    first_s
        Second before which nothing happens.
    often
        How many times as often as usual.
    stream
        Which stream they happen to: those that play side by side do not fail together.
    """

    kinds: tuple[str, ...] = ()
    seed: int = 0
    first_s: float = FIRST_S
    often: float = 1.0
    stream: str = ""


def parse_faults(text: str) -> FaultSettings:
    """Settings from ``"all"``, ``"gaps,nan"`` or ``"gaps,nan:7"`` (a seed behind the colon).

    Raises
    ------
    InputError
        If a name is unknown or said twice, or the seed is no whole number ≥ 0.
    """
    if text == "none":
        return FaultSettings()
    names, colon, seed = text.partition(":")
    if colon and not (seed.isascii() and seed.isdigit() and len(seed) < 10):
        raise InputError(f"faults {text!r}: the seed {seed!r} must be a whole number ≥ 0, as in gaps,nan:7")
    kinds = [name.strip() for name in names.split(",")]
    if kinds == ["all"]:
        kinds = list(KINDS)
    for kind in kinds:
        if kind not in KINDS or kinds.count(kind) > 1:
            said = "unknown" if kind not in KINDS else "said twice"
            raise InputError(f"fault {kind!r} is {said}; allowed: none, all, or some of {', '.join(KINDS)}")
    return FaultSettings(tuple(kind for kind in KINDS if kind in kinds), int(seed or 0))


class Event(NamedTuple):
    """One fault, in samples of the source: it lies on start … stop-1. `luck` decides its details."""

    kind: str
    start: int
    stop: int
    luck: float


def events(kind: str, fs: float, settings: FaultSettings) -> Iterator[Event]:
    """All faults of a kind, without end, the same for the same seed whatever other kinds there are."""
    fault = KINDS[kind]
    if not fault.every_s:
        yield Event(kind, 0, np.iinfo(np.int64).max, 0.0)
        return
    random = np.random.default_rng([settings.seed, list(KINDS).index(kind), crc32(settings.stream.encode())])
    at = settings.first_s
    while True:
        at += random.exponential(fault.every_s / settings.often)
        lasts = random.uniform(*fault.lasts_s)
        start = round(at * fs)
        yield Event(kind, start, start + max(1, round(lasts * fs)), float(random.random()))
        at += lasts


class Schedule:
    """The faults of one kind on a stream that is asked for in rising order."""

    def __init__(self, kind: str, fs: float, settings: FaultSettings) -> None:
        self._coming = events(kind, fs, settings)
        self._next = next(self._coming)

    def within(self, start: int, stop: int) -> list[Event]:
        """Faults that lie on any of the samples start … stop-1, in whole."""
        while self._next.stop <= start:
            self._next = next(self._coming)
        found = []
        while self._next.start < stop:
            found.append(self._next)
            if self._next.stop > stop:
                break
            self._next = next(self._coming)
        return found


@dataclass(frozen=True)
class Injected:
    """How often a kind of fault was made, and the samples that it lay on."""

    count: int
    samples: int


@dataclass(frozen=True)
class FaultFigures:
    """What went wrong on purpose; places in samples of the source.

    Parameters
    ----------
    injected
        By kind.
    misplaced_samples
        Samples whose index is not the device's own count.
    listed
        Kind, first sample and the one behind the last, of the first faults of each kind.
    """

    seed: int
    injected: dict[str, Injected]
    misplaced_samples: int
    listed: list[tuple[str, int, int]]


@dataclass
class FaultLog:
    """Record of the faults that were put on a stream.

    Parameters
    ----------
    settings
        What was asked for.
    """

    settings: FaultSettings
    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    listed: list[Event] = field(default_factory=list)
    misplaced: int = 0
    """Samples whose index is not the device's own count: a loss that its stamps did not show."""

    def __post_init__(self) -> None:
        self.counts = dict.fromkeys(self.settings.kinds, 0)
        self.samples = dict.fromkeys(self.settings.kinds, 0)

    def note(self, event: Event, first: int, stop: int) -> None:
        """Note samples first … stop-1, on which a fault lies; it counts once, where it begins."""
        if first <= event.start < stop:
            self.counts[event.kind] += 1
            if self.counts[event.kind] <= LISTED:
                self.listed.append(event)
        self.samples[event.kind] += min(stop, event.stop) - max(first, event.start)

    def figures(self) -> FaultFigures:
        """Everything, for a summary."""
        return FaultFigures(
            self.settings.seed,
            {kind: Injected(self.counts[kind], self.samples[kind]) for kind in self.settings.kinds},
            self.misplaced,
            [(event.kind, event.start, event.stop) for event in self.listed if KINDS[event.kind].every_s],
        )
