"""What every format gives: channels to read in blocks, and a copy of the file in which some change."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from engine.files.verdicts import Span
from streamer.errors import InputError, some

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""How long one of a unit of time is."""
Rows = NDArray[np.float64]
"""(channels, samples) in the channels' own units, NaN where a sample is missing."""


@dataclass(frozen=True)
class Stated:
    """What a user states of files that do not say it themselves.

    Parameters
    ----------
    rate
        Hz.
    unit
        Of the ECG: V, mV, uV, nV.
    axis
        Along which samples follow each other, in an array of two axes.
    variable
        Name of the array in a file of several.
    delimiter, decimal
        Between the columns of a table, and in its numbers.
    time
        Name of the column that says when samples were taken; ``none`` says that no column does.
    time_unit
        Of that column: s, ms, us, ns.

    Raises
    ------
    InputError
        If a sign or the unit of time is none.
    """

    rate: float | None = None
    unit: str | None = None
    axis: int | None = None
    variable: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    time: str | None = None
    time_unit: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no file can be read by."""
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise InputError(f"--delimiter is {self.delimiter!r}; allowed: one sign")
        if self.decimal not in (".", ","):
            raise InputError(f"--decimal is {self.decimal!r}; allowed: a point or a comma")
        if self.time_unit not in (None, *SECONDS):
            raise InputError(f"--time-unit is {self.time_unit!r}; allowed: {', '.join(SECONDS)}")


@dataclass(frozen=True)
class Channel:
    """One channel of a file.

    Parameters
    ----------
    unit
        As the file, or for it the user, spells it.
    fs
        Rate, Hz.
    ecg
        Whether the file or the user says that it is an ECG; None where only its name can tell.
    """

    name: str
    unit: str
    fs: float
    samples: int
    ecg: bool | None = None


class Told(NamedTuple):
    """What a file says of a moment.

    Parameters
    ----------
    at_s
        Seconds after the first sample.
    text
        As it stands there.
    """

    at_s: float
    text: str


class Opened(ABC):
    """A file that is open for reading, and the copy of it that becomes the cleaned one; a context.

    Attributes
    ----------
    channels
        In the order of the file.
    files
        All that it consists of, the one that names it first.
    clipped
        Values so far that the format could not hold; its nearest ones stand in their place.
    """

    channels: tuple[Channel, ...]
    files: tuple[Path, ...]
    clipped: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most formats open a file for each call
        """Close what stays open from one call to the next."""

    def told(self, place: int) -> list[Told]:
        """Annotations that the file holds, in order; their time is that of one channel."""
        return []

    @abstractmethod
    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """Samples start … stop-1 of channels of one rate, by their places."""

    @abstractmethod
    def begin(self, folder: Path) -> None:
        """Begin the cleaned file, of the same name, in a folder; nothing differs yet."""

    @abstractmethod
    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """Put samples, in order, in the place of the ones that were read; where NaN stands they stay."""

    @abstractmethod
    def finish(self, spans: Sequence[Span]) -> None:
        """End the cleaned file, with what the guard said where the format can hold it."""

    def digits(self, rows: NDArray[Any], lowest: float, highest: float) -> NDArray[Any]:
        """Whole numbers within what a format can hold, NaN left; counts what was beyond."""
        rounded = np.round(rows)
        with np.errstate(invalid="ignore"):
            self.clipped += int(((rounded < lowest) | (rounded > highest)).sum())
        return np.clip(rounded, lowest, highest)

    def into(self, old: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        """Values of `rows`, of the type of `old`, which stays where they are NaN."""
        if old.dtype.kind in "iu":
            limits = np.iinfo(old.dtype)
            rows = self.digits(rows, limits.min, limits.max)
        there = np.isfinite(rows)
        return np.where(there, np.where(there, rows, 0).astype(old.dtype), old)


def stated_rate(stated: Stated, file: Path) -> float:
    """The rate that must be stated, Hz; raises InputError where it is not."""
    if stated.rate is None:
        raise InputError(f"{file} does not say its rate; state it in Hz with --rate")
    return stated.rate


def stated_unit(stated: Stated, file: Path) -> str:
    """The unit that must be stated; raises InputError where it is not."""
    if stated.unit is None:
        raise InputError(f"{file} does not say its unit; state it with --unit (V, mV, uV, nV)")
    return stated.unit


def chosen_array(stated: Stated, file: Path, sizes: dict[str, int]) -> str:
    """Name of the array to clean: the one that is stated, or the only one that holds more than a number.

    Parameters
    ----------
    sizes
        How many numbers each array of the file holds.

    Raises
    ------
    InputError
        If no such is there, or nothing says which of several.
    """
    if not sizes:
        raise InputError(f"{file} holds no array of numbers")
    if stated.variable is not None:
        if stated.variable not in sizes:
            raise InputError(
                f"{file} has no array {stated.variable!r} for --variable; it has: {some(list(sizes))}"
            )
        return stated.variable
    several = [name for name, size in sizes.items() if size > 1] or list(sizes)
    if len(several) != 1:
        raise InputError(f"{file}: say with --variable which array to clean: {some(list(sizes))}")
    return several[0]
