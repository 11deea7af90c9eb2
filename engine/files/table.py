"""CSV and TSV: the cells of the ECG change in a copy, every other character stays."""

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows, Stated, stated_rate, stated_unit
from engine.files.verdicts import Span
from streamer.errors import InputError
from streamer.plain import plain

_LOOKED_AT = 10_000
"""Rows whose decimals are counted: what is written has as many."""


class Table(Opened):
    """One table, a row a sample; see `engine.files.opened.Opened`. It is read and written from its begin."""

    def __init__(self, file: Path, stated: Stated) -> None:
        self.files = (file,)
        self._file, self._delimiter = (
            file,
            stated.delimiter or ("\t" if file.suffix.lower() == ".tsv" else ","),
        )
        with self._lines(file) as lines:
            first = lines.readline().lstrip("\ufeff")
        cells = next(csv.reader([first], delimiter=self._delimiter), [])
        self._heads = 0 if all(_number(cell) is not None for cell in cells) else 1
        named = [plain(cell) for cell in cells] if self._heads else [""] * len(cells)
        self._decimals: list[int | None] = [0] * len(cells)
        samples = self._look()
        if not samples:
            raise InputError(f"{file} holds no sample")
        names = told_apart(named) if self._heads else [str(place + 1) for place in range(len(cells))]
        fs, unit = stated_rate(stated, file), stated_unit(stated, file)
        self.channels = tuple(Channel(name, unit, fs, samples) for name in names)
        self._source = self._rows()
        self._old = self._rows()
        self._target = file

    def _lines(self, file: Path, mode: str = "r") -> IO[str]:
        # Line endings and bytes that are no UTF-8 come out as they went in.
        return file.open(mode, encoding="utf-8", errors="surrogateescape", newline="")

    def _rows(self) -> Iterator[tuple[list[str], str]]:
        """Cells and line ending of every row that holds a sample."""
        with self._lines(self._file) as lines:
            for number, line in enumerate(lines, start=1):
                text = line.rstrip("\r\n")
                if number <= self._heads:
                    continue
                if not text:
                    raise InputError(f"line {number} of {self._file} is empty")
                cells = text.split(self._delimiter)
                if '"' in text or len(cells) != len(self._decimals):
                    raise InputError(
                        f"line {number} of {self._file} has {len(cells)} cells, the first line "
                        f"{len(self._decimals)}; cells of numbers stand without quotes"
                    )
                yield cells, line[len(text) :]

    def _look(self) -> int:
        """Count samples, and the decimals that each column has."""
        samples = 0
        for cells, _ in self._rows():
            samples += 1
            if samples <= _LOOKED_AT:
                self._decimals = [_more(*pair) for pair in zip(self._decimals, cells, strict=True)]
        return samples

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.empty((len(places), stop - start))
        for at, (cells, _) in enumerate(islice(self._source, stop - start)):
            for row, place in enumerate(places):
                value = _number(cells[place])
                if value is None:
                    raise InputError(
                        f"sample {start + at + 1} of column {self.channels[place].name!r} of {self._file} is "
                        f"{plain(cells[place], 40)!r}, which is no number"
                    )
                rows[row, at] = value
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self._file.name
        with self._lines(self._file) as source, self._lines(self._target, "w") as target:
            target.writelines(islice(source, self._heads))

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        with self._lines(self._target, "a") as target:
            for values, (cells, end) in zip(rows.T, islice(self._old, rows.shape[1]), strict=True):
                self._replace(cells, places, values)
                target.write(self._delimiter.join(cells) + end)

    def _replace(self, cells: list[str], places: Sequence[int], values: NDArray[np.float64]) -> None:
        for place, value in zip(places, values, strict=True):
            if math.isfinite(value):
                decimals = self._decimals[place]
                cells[place] = repr(float(value)) if decimals is None else f"{value:.{decimals}f}"

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: a table has no place for what the guard said."""


def _number(cell: str) -> float | None:
    """A number, NaN for an empty cell, None for what is no number."""
    try:
        return float(cell) if cell.strip() else math.nan
    except ValueError:
        return None


def _more(decimals: int | None, cell: str) -> int | None:
    """The decimals of a column with another cell in it; None where numbers have an exponent."""
    if decimals is None or "e" in cell.lower().replace("nan", ""):
        return None
    return max(decimals, len(cell.strip().partition(".")[2]))
