"""CSV and TSV: the cells of the ECG change in a copy, every other character stays."""

import csv
import math
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.files.opened import Rows, Stated, stated_rate
from engine.files.row_file import RowFile
from engine.files.sample_times import SampleTimes, column_of_times, seconds_of
from engine.files.stretches import Stretch
from engine.files.verdicts import Span
from streamer.errors import InputError
from streamer.plain import plain

_LOOKED_AT = 10_000
"""Rows whose decimals are counted: what is written has as many. As many times are looked at together."""
_COMMENT = "#"


class Table(RowFile):
    """One table, a row a sample; see `engine.files.opened.Opened`. It is read and written from its begin."""

    def __init__(self, file: Path, stated: Stated) -> None:
        self.files = (file,)
        self._file, self._decimal = file, stated.decimal
        self._delimiter = stated.delimiter or ("\t" if file.suffix.lower() == ".tsv" else ",")
        if self._delimiter == self._decimal:
            raise InputError(
                f"{self._decimal!r} cannot stand in the numbers of {file} and between them; state another "
                "--delimiter"
            )
        with file.open("rb") as content:
            if content.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise InputError(f"{file} is UTF-16; save it as UTF-8")
        self._heads = 0
        self._empty_end = ""
        cells: list[str] = []
        with self._lines(file) as lines:
            for line in lines:
                text = line.lstrip("\ufeff")
                if not text.startswith(_COMMENT):
                    cells = next(csv.reader([text], delimiter=self._delimiter), [])
                    break
                self._heads += 1
        headed = any(self._number(cell) is None for cell in cells)
        self._heads += headed
        self._decimals: list[int | None] = [0] * len(cells)
        heads = cells if headed else [str(place + 1) for place in range(len(cells))]
        fs, self._stretches = self._look(column_of_times(file, heads, stated), heads, stated)
        self.channels = self._channels(file, heads, stated, fs, [True] * len(heads))
        self._source = self._rows()
        self._old = self._rows()
        self._target = file

    def close(self) -> None:
        """As `Opened.close`."""
        self._source.close()
        self._old.close()

    def _lines(self, file: Path, mode: str = "r") -> IO[str]:
        # Line endings and bytes that are no UTF-8 come out as they went in.
        return file.open(mode, encoding="utf-8", errors="surrogateescape", newline="")

    def _rows(self) -> Generator[tuple[list[str], str]]:
        """Cells and line ending of every row that holds a sample."""
        empty = ""
        with self._lines(self._file) as lines:
            for number, line in enumerate(lines, start=1):
                text = line.rstrip("\r\n")
                if number <= self._heads:
                    continue
                if not text:
                    empty += line
                    continue
                if empty:
                    raise InputError(f"line {number - 1} of {self._file} is empty, and others follow")
                if '"' in text:
                    raise InputError(f"line {number} of {self._file} has quotes; numbers stand without")
                cells = text.split(self._delimiter)
                if len(cells) != len(self._decimals):
                    raise InputError(
                        f"line {number} of {self._file} has {len(cells)} cells, the first line "
                        f"{len(self._decimals)}, where {self._delimiter!r} stands between them; state "
                        "another with --delimiter"
                    )
                yield cells, line[len(text) :]
        self._empty_end = empty

    def _look(self, timed: int | None, heads: list[str], stated: Stated) -> tuple[float, list[Stretch]]:
        """The rate, where samples lie in time, and the decimals that each column has.

        Parameters
        ----------
        timed
            Place of the column that says when samples were taken.
        """
        samples, written = 0, False
        times = SampleTimes(self._file, heads[timed], stated) if timed is not None else None
        waiting: list[float] = []
        with closing(self._rows()) as rows:
            for cells, _ in rows:
                samples += 1
                if samples <= _LOOKED_AT:
                    self._decimals = [
                        _more(decimals, cell.replace(self._decimal, "."))
                        for decimals, cell in zip(self._decimals, cells, strict=True)
                    ]
                if times is None or timed is None:
                    continue
                at = self._number(cells[timed])
                if at is None:
                    at, written = seconds_of(cells[timed]), True
                waiting.append(math.nan if at is None else at)
                if len(waiting) == _LOOKED_AT:
                    times.add(np.array(waiting))
                    waiting = []
        if not samples:
            raise InputError(f"{self._file} holds no sample")
        if times is None:
            return stated_rate(stated, self._file), [Stretch(0, 0, samples)]
        times.add(np.array(waiting))
        return times.end("s" if written else None)

    def _number(self, cell: str) -> float | None:
        """A number, NaN for an empty cell, None for what is no number."""
        if self._decimal != ".":
            cell = cell.replace(self._decimal, ".") if "." not in cell else "no number"
        try:
            return float(cell) if cell.strip() else math.nan
        except ValueError:
            return None

    def _read_rows(self, places: Sequence[int], start: int, stop: int) -> Rows:
        rows = np.empty((len(places), stop - start))
        for at, (cells, _) in enumerate(islice(self._source, stop - start)):
            for row, place in enumerate(places):
                value = self._number(cells[place])
                if value is None:
                    raise InputError(
                        f"sample {start + at + 1} of column {self.channels[place].name!r} of {self._file} is "
                        f"{plain(cells[place], 40)!r}, which is no number with {self._decimal!r} in it; "
                        "--decimal states another sign"
                    )
                rows[row, at] = value
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self._file.name
        with self._lines(self._file) as source, self._lines(self._target, "w") as target:
            target.writelines(islice(source, self._heads))

    def _write_rows(self, places: Sequence[int], rows: Rows) -> None:
        with self._lines(self._target, "a") as target:
            for values, (cells, end) in zip(rows.T, islice(self._old, rows.shape[1]), strict=True):
                self._replace(cells, places, values)
                target.write(self._delimiter.join(cells) + end)

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: empty lines at the end; for the guard there is no place."""
        with self._lines(self._target, "a") as target:
            target.write(self._empty_end)

    def _replace(self, cells: list[str], places: Sequence[int], values: NDArray[np.float64]) -> None:
        for place, value in zip(places, values, strict=True):
            if math.isfinite(value):
                decimals = self._decimals[place]
                text = repr(float(value)) if decimals is None else f"{value:.{decimals}f}"
                cells[place] = text.replace(".", self._decimal)


def _more(decimals: int | None, cell: str) -> int | None:
    """The decimals of a column with another cell in it; None where numbers have an exponent."""
    if decimals is None or "e" in cell.lower().replace("nan", ""):
        return None
    return max(decimals, len(cell.strip().partition(".")[2]))
