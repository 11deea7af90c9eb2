"""When the samples of a table were taken, by a column of it: the rate, and the gaps between them."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.files.opened import SECONDS, Stated
from engine.files.stretches import LONGEST_S, Stretch, samples_of
from streamer.errors import InputError, some

NO_COLUMN = "none"
"""Stated instead of a column: no column says when samples were taken."""
_SPELT = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "µs": "us", "μs": "us"}
_CALLED = re.compile(
    r"(?P<name>(elapsed[ _]?)?(time|timestamps?|time[ _]stamps?|date[ _]?time|zeit|t)|seconds|secs?)"
    r"[ _/]*[(\[]?(?P<unit>s|secs?|seconds?|ms|msec|us|[µμ]s|ns)?[)\]]?",
    re.IGNORECASE,
)
_LOOKED_AT = 1000
"""Samples whose usual distance is the period, until all are known."""
_GAP = 1.5
"""Distances above so many periods are gaps; stamps that are rounded vary by less."""
_ALIKE = 0.02
"""Share by which a stated rate may differ from that of the stamps."""


def column_of_times(file: Path, names: Sequence[str], stated: Stated) -> int | None:
    """Place of the column that says when samples were taken; None where there is none.

    It is the one that is stated, or else the one that is called a time.

    Raises
    ------
    InputError
        If there is no column of the stated name.
    """
    if stated.time == NO_COLUMN:
        return None
    if stated.time is not None:
        if stated.time not in names:
            raise InputError(f"{file} has no column {stated.time!r} for --time; it has: {some(list(names))}")
        return list(names).index(stated.time)
    called = [place for place, name in enumerate(names) if _CALLED.fullmatch(name.strip())]
    return called[0] if called else None


class SampleTimes:
    """The times of a column, taken block by block; then the rate, and where samples lie in time.

    Parameters
    ----------
    name
        Of the column; it may state a unit, as ``time (ms)``.
    """

    def __init__(self, file: Path, name: str, stated: Stated) -> None:
        self._name, self._stated = name, stated
        self._called = f"column {name!r} of {file}"
        self._last = np.nan
        self._count = 0
        self._period = np.nan
        self._even_steps, self._even = 0, 0.0
        self._gaps: list[tuple[int, float]] = []

    def add(self, times: NDArray[np.float64]) -> None:
        """Take the times of the samples that follow, in the column's unit.

        Raises
        ------
        InputError
            If one is missing, or does not lie behind the one before.
        """
        steps = np.diff(times, prepend=self._last)
        behind = np.flatnonzero(~(steps > 0))
        # The very first has none before it.
        behind = behind[1:] if not self._count and np.isfinite(times[:1]).all() else behind
        if behind.size:
            raise InputError(
                f"{self._called} says when samples were taken, and that of sample "
                f"{self._count + int(behind[0]) + 1} does not lie behind the one before; name another with "
                f"--time, or --time {NO_COLUMN}, and state --rate"
            )
        first = 0 if self._count else 1
        if np.isnan(self._period) and len(steps) > first:
            self._period = float(np.median(steps[first : first + _LOOKED_AT]))
        late = np.flatnonzero(steps > _GAP * self._period)
        self._gaps += [(self._count + int(at), float(steps[at])) for at in late]
        self._even_steps += len(steps) - first - len(late)
        self._even += float(steps[first:].sum() - steps[late].sum())
        self._count += len(times)
        self._last = times[-1] if len(times) else self._last

    def end(self, unit: str | None = None) -> tuple[float, list[Stretch]]:
        """The rate, Hz, and where the samples lie in time.

        Parameters
        ----------
        unit
            Of the times, where the format states it.

        Raises
        ------
        InputError
            If the unit is not known, or the rate is another than the stated one.
        """
        if not self._even_steps:
            raise InputError(f"{self._called} has too few samples to tell a rate")
        measured = self._even_steps / self._even  # samples a unit
        scale = SECONDS[unit or self._unit(measured)]
        fs = measured / scale
        # Stamps that are rounded miss a whole rate by less than a sample over all of them.
        fs = float(round(fs)) if abs(fs - round(fs)) * self._even_steps < fs else fs
        if self._stated.rate is not None:
            if abs(fs / self._stated.rate - 1) > _ALIKE:
                raise InputError(
                    f"{self._called} says {fs:g} Hz, and --rate {self._stated.rate:g}; leave --rate "
                    f"away, or state --time {NO_COLUMN}"
                )
            fs = self._stated.rate
        stretches: list[Stretch] = []
        begin = at = 0
        for row, step in [*self._gaps, (self._count, 0.0)]:
            stretches.append(Stretch(at, begin, row - begin))
            at += row - begin + max(1, round(step * scale * fs)) - 1
            begin = row
        if samples_of(stretches) > LONGEST_S * fs:
            raise InputError(
                f"{self._called} stretches over more than {LONGEST_S / 86400:.0f} days; name another with "
                f"--time, or --time {NO_COLUMN}"
            )
        return fs, stretches

    def _unit(self, measured: float) -> str:
        """What is stated, or the column's name states, or alone goes with the stated rate."""
        if self._stated.time_unit is not None:
            return self._stated.time_unit
        called = _CALLED.fullmatch(self._name.strip())
        written = called and (called["unit"] or (called["name"] if called["name"][:3] == "sec" else None))
        if written:
            return _SPELT.get(written.lower(), written.lower())
        if self._stated.rate is not None:
            for unit, scale in SECONDS.items():
                if abs(measured / scale / self._stated.rate - 1) <= _ALIKE:
                    return unit
            raise InputError(
                f"{self._called} has {measured:g} samples in one of its units, which in no unit are "
                f"{self._stated.rate:g} Hz; state another --rate, or --time {NO_COLUMN}"
            )
        raise InputError(
            f"{self._called} does not say its unit; state it with --time-unit ({', '.join(SECONDS)})"
        )


def seconds_of(text: str) -> float | None:
    """Seconds of a written moment: a date and time of ISO 8601, or ``h:mm:ss.sss``; None for another text."""
    text = text.strip().strip("'\"[]")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    if not 2 <= len(numbers) <= 3:
        return None
    return sum(number * 60.0**power for power, number in enumerate(reversed(numbers)))
