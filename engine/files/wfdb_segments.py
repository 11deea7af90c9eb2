"""WFDB records of several segments: each segment is cleaned in its own files, as one signal through time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows
from engine.files.verdicts import Span
from engine.files.wfdb_record import WfdbRecord, annotate, copy_beside, read_header
from streamer.errors import InputError
from streamer.plain import plain


@dataclass(frozen=True)
class _Segment:
    """One segment, the frame at which it begins, and where in it a channel of the whole is."""

    record: WfdbRecord
    at: int
    places: dict[int, int]


class WfdbSegments(Opened):
    """One record by its master header; see `engine.files.opened.Opened`.

    In a fixed layout every segment has all channels, in a variable one those that it names; a channel is
    missing where no segment has it.
    """

    def __init__(self, file: Path, header: Any) -> None:
        self._folder = file.parent
        self._path, self._frame_fs = file.with_suffix(""), float(header.fs)
        names, lengths = list(header.seg_name), [int(length) for length in header.seg_len]
        variable = lengths[0] == 0
        there = [name for name in names[variable:] if name != "~"]
        if twice := sorted({name for name in there if there.count(name) > 1}):
            raise InputError(f"record {self._path} has the segment {twice[0]} twice, which cannot be cleaned")
        wanted = self._wanted(names[0]) if variable else None
        self._segments: list[_Segment] = []
        begins = np.cumsum([0, *lengths]).tolist()
        for name, begin, length in zip(names[variable:], begins[variable:], lengths[variable:], strict=False):
            if name == "~" or not length:
                continue
            record = self._segment(name, length)
            own = [channel.name for channel in record.channels]
            wanted = wanted or own
            places = {wanted.index(channel): place for place, channel in enumerate(own) if channel in wanted}
            self._segments.append(_Segment(record, begin, places))
        self._frames = begins[-1]
        self.channels = tuple(self._channel(place, name) for place, name in enumerate(wanted or ()))
        layout = (self._header(names[0]),) if variable else ()
        self.files = (file, *layout, *(part for each in self._segments for part in each.record.files))

    def _header(self, name: str) -> Path:
        return self._path.with_name(f"{name}.hea")

    def _wanted(self, layout: str) -> list[str]:
        return told_apart([plain(name or "") for name in read_header(self._header(layout)).sig_name or []])

    def _segment(self, name: str, length: int) -> WfdbRecord:
        header = read_header(self._header(name))
        if float(header.fs) != self._frame_fs:
            raise InputError(
                f"record {self._path} has {self._frame_fs:g} Hz, its segment {name} {float(header.fs):g} Hz"
            )
        record = WfdbRecord(self._header(name), header)
        if record.frames != length:
            raise InputError(
                f"record {self._path} promises {length} samples of its segment {name}, which has "
                f"{record.frames}"
            )
        return record

    def _channel(self, place: int, name: str) -> Channel:
        found = [each.record.channels[each.places[place]] for each in self._segments if place in each.places]
        if not found:
            return Channel(name, "mV", self._frame_fs, 0, ecg=False)
        if len({(channel.unit, channel.fs) for channel in found}) > 1:
            raise InputError(
                f"channel {name!r} of record {self._path} has not one unit and rate in all segments; clean "
                "the segments"
            )
        return replace(found[0], samples=round(self._frames * found[0].fs / self._frame_fs))

    def _parts(self, places: Sequence[int], start: int, stop: int) -> Iterator[tuple[Any, ...]]:
        """For each segment in a window: its record, rows, their places, first sample, and where it lies."""
        in_frame = round(self.channels[places[0]].fs / self._frame_fs)
        for each in self._segments:
            begin = each.at * in_frame
            first, last = max(start, begin), min(stop, begin + each.record.frames * in_frame)
            rows = [row for row, place in enumerate(places) if place in each.places]
            if first < last and rows:
                inside = [each.places[places[row]] for row in rows]
                yield each.record, rows, inside, first - begin, slice(first - start, last - start)

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        found = np.full((len(places), stop - start), np.nan)
        for record, rows, inside, first, here in self._parts(places, start, stop):
            found[rows, here] = record.read(inside, first, first + here.stop - here.start)
        return found

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._folder = folder
        copy_beside(self._path, self.files, folder)
        for each in self._segments:
            each.record.begin(folder)

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        for record, chosen, inside, first, here in self._parts(places, start, start + rows.shape[1]):
            record.write(inside, first, rows[chosen, here])

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: headers of the segments, and annotations of the guard for the whole."""
        for each in self._segments:
            each.record.finish(())
        self.clipped = sum(each.record.clipped for each in self._segments)
        annotate(self._folder / self._path.name, self._frame_fs, spans)
