"""Parquet: columns of leads, and perhaps of times; read and written by row groups."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.opened import Rows, Stated, stated_rate
from engine.files.row_file import RowFile
from engine.files.sample_times import NO_COLUMN, SampleTimes, column_of_times
from engine.files.stretches import Stretch
from engine.files.verdicts import Span
from streamer.console.installed import how_to_install
from streamer.errors import InputError, one_line


class Parquet(RowFile):
    """One Parquet file, a row a sample; see `engine.files.opened.Opened`."""

    def __init__(self, file: Path, stated: Stated) -> None:
        try:
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise InputError(f"{file} needs pyarrow: {how_to_install('files')}") from error
        self.files = (file,)
        with _readable(file):
            with parquet.ParquetFile(file) as source:
                found = self._found = source.metadata
                self._schema = source.schema_arrow
        sizes = [found.row_group(group).num_rows for group in range(found.num_row_groups)]
        self._edges = np.cumsum([0, *sizes]).tolist()
        # What is no number is not called an ECG, whatever its name.
        self._numbers = [self._is_number(kind) for kind in self._schema.types]
        fs, self._stretches = self._look(stated)
        self.channels = self._channels(file, self._schema.names, stated, fs, self._numbers)
        self._group: tuple[int, Any] = (-1, None)
        self._waiting: dict[int, NDArray[np.float64]] = {}
        self._written = 0
        self._writer: Any = None

    @staticmethod
    def _is_number(kind: Any) -> bool:
        import pyarrow

        return bool(pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind))

    def _look(self, stated: Stated) -> tuple[float, list[Stretch]]:
        """The rate, and where samples lie in time: by a column of times, if there is one."""
        import pyarrow

        if not self._edges[-1]:
            raise InputError(f"{self.files[0]} holds no sample")
        names, types = self._schema.names, self._schema.types
        moments = [
            place
            for place, kind in enumerate(types)
            if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_duration(kind)
        ]
        timed = column_of_times(self.files[0], names, stated)
        if timed is None and stated.time != NO_COLUMN and len(moments) == 1:
            (timed,) = moments
        if timed is None:
            return stated_rate(stated, self.files[0]), [Stretch(0, 0, self._edges[-1])]
        if timed not in moments and not self._is_number(types[timed]):
            raise InputError(
                f"column {names[timed]!r} of {self.files[0]} holds {types[timed]}; allowed for times: "
                f"numbers, timestamps and durations; or --time {NO_COLUMN}"
            )
        times = SampleTimes(self.files[0], names[timed], stated)
        for group in range(len(self._edges) - 1):
            column = self._row_group(group, [names[timed]]).column(0)
            if timed in moments:
                column = column.cast(pyarrow.int64())
            times.add(column.cast("float64", safe=False).to_numpy())
        return times.end(types[timed].unit if timed in moments else None)

    def _row_group(self, group: int, columns: list[str] | None = None) -> Any:
        import pyarrow.parquet as parquet

        with (
            _readable(self.files[0]),
            parquet.ParquetFile(self.files[0], metadata=self._found) as source,
        ):
            return source.read_row_group(group, columns=columns)

    def _table(self, group: int) -> Any:
        if self._group[0] != group:
            self._group = group, self._row_group(group)
        return self._group[1]

    def _groups(self, start: int, stop: int) -> range:
        """Row groups that hold rows start … stop-1."""
        first = int(np.searchsorted(self._edges, start, "right")) - 1
        return range(first, int(np.searchsorted(self._edges, stop, "left")))

    def _read_rows(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """Null is missing."""
        for place in places:
            if not self._numbers[place]:
                raise InputError(
                    f"column {self.channels[place].name!r} of {self.files[0]} holds "
                    f"{self._schema.types[place]}; allowed: numbers"
                )
        rows = np.empty((len(places), stop - start))
        for group in self._groups(start, stop):
            begin, end = max(start, self._edges[group]), min(stop, self._edges[group + 1])
            part = self._table(group).slice(begin - self._edges[group], end - begin)
            for row, place in enumerate(places):
                # A null becomes NaN in floating point alone.
                column = part.column(place).cast("float64", safe=False)
                rows[row, begin - start : end - start] = column.to_numpy()
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        import pyarrow.parquet as parquet

        codec = self._found.row_group(0).column(0).compression
        self._writer = parquet.ParquetWriter(
            folder / self.files[0].name,
            self._schema,
            compression="none" if codec == "UNCOMPRESSED" else codec,
        )

    def _write_rows(self, places: Sequence[int], rows: Rows) -> None:
        """A row group is written once all of it is there."""
        for row, place in zip(rows, places, strict=True):
            self._waiting[place] = np.append(self._waiting.get(place, np.empty(0)), row)
        while self._written + 1 < len(self._edges):
            size = self._edges[self._written + 1] - self._edges[self._written]
            if any(len(row) < size for row in self._waiting.values()):
                return
            self._write_group(size)

    def _write_group(self, size: int) -> None:
        import pyarrow

        # Reading is further on, and keeps its own.
        table = self._row_group(self._written)
        for place, waiting in self._waiting.items():
            field, old = self._schema.field(place), table.column(place).combine_chunks()
            missing = np.asarray(old.is_null())
            kind = field.type.to_pandas_dtype()
            before = old.fill_null(0).to_numpy(zero_copy_only=False).astype(kind)
            new = pyarrow.array(self.into(before, waiting[:size]), type=field.type, mask=missing)
            table = table.set_column(place, field, new)
            self._waiting[place] = waiting[size:]
        self._writer.write_table(table, row_group_size=size)
        self._written += 1

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: a table has no place for what the guard said."""
        self.close()

    def close(self) -> None:
        """As `Opened.close`."""
        if self._writer:
            self._writer.close()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Raises InputError where what is done within cannot be done with the file."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet, or is truncated: {one_line(error)}") from error
