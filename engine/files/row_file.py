"""Files of a row a sample: a column may say when each was taken, and the heads in which units."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.files.leads import called_ecg, told_apart
from engine.files.opened import Channel, Opened, Rows, Stated, stated_unit
from engine.files.stretches import Stretch, samples_of, stored_in
from engine.files.verdicts import Span
from streamer.plain import plain
from streamer.units import millivolts_of

_WITH_UNIT = re.compile(r"(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]\s*")


class RowFile(Opened):
    """A table on disk; see `engine.files.opened.Opened`.

    Where a column says when samples were taken, what lies between rows that are further apart is missing.
    """

    _stretches: list[Stretch]

    def _channels(
        self, file: Path, heads: Sequence[str], stated: Stated, fs: float, numbers: Sequence[bool]
    ) -> tuple[Channel, ...]:
        """A channel for each column; its unit is that of its head, ``II (uV)``, or else the stated one.

        Raises
        ------
        InputError
            If neither says the unit of a column that is called an ECG, or of any at all.
        """
        found = [_with_unit(plain(head)) for head in heads]
        names = told_apart([name for name, _ in found])
        some_say = any(unit for _, unit in found)
        channels = []
        for name, (_, unit), number in zip(names, found, numbers, strict=True):
            ecg = None if number else False
            if number and not unit and (called_ecg(name) or not some_say):
                unit = stated_unit(stated, file)
            channels.append(Channel(name, unit or stated.unit or "", fs, samples_of(self._stretches), ecg))
        return tuple(channels)

    @abstractmethod
    def _read_rows(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """Rows start … stop-1 of columns."""

    @abstractmethod
    def _write_rows(self, places: Sequence[int], rows: Rows) -> None:
        """Put the rows that follow into the copy; where NaN stands they stay as they were."""

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.full((len(places), stop - start), np.nan)
        for stored in stored_in(self._stretches, start, stop):
            rows[:, stored.here] = self._read_rows(places, stored.start, stored.stop)
        return rows

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        for stored in stored_in(self._stretches, start, start + rows.shape[1]):
            self._write_rows(places, rows[:, stored.here])

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: a table has no place for what the guard said."""


def _with_unit(head: str) -> tuple[str, str]:
    """Name and unit of a head such as ``II [mV]``; without a unit of voltage it is all name."""
    found = _WITH_UNIT.fullmatch(head)
    if found and millivolts_of(found["unit"]) is not None:
        return found["name"], found["unit"]
    return head, ""
