"""EDF, EDF+, BDF and BDF+: the samples of the ECG change in a copy, every other byte stays.

The layout is that of Kemp et al., "A simple format for exchange of digitized polygraphic recordings" (1992)
and of "EDF+" (2003), https://www.edfplus.info/specs/edfplus.html; BDF has 24 bits a sample instead of 16.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.files.annotation_signal import add_annotation_signal, first_onset, told_in
from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows, Stated, Told
from engine.files.stretches import LONGEST_S, Stretch, by_onsets, samples_of, stored_in
from engine.files.verdicts import Span
from streamer.errors import InputError
from streamer.plain import plain

_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


@dataclass(frozen=True)
class Header:
    """What is needed of a header.

    Parameters
    ----------
    size
        Bytes of the header.
    width
        Bytes of a sample, 2 or 3.
    plus
        It is EDF+ or BDF+.
    interrupted
        Its records need not follow each other without gaps: EDF+D or BDF+D.
    fields
        For each signal its label, transducer, unit, physical and digital limits, filter, samples in a record
        and reserved, as they stand.
    """

    size: int
    width: int
    plus: bool
    interrupted: bool
    records: int
    duration_s: float
    fields: tuple[tuple[str, ...], ...]

    @property
    def counts(self) -> list[int]:
        """Samples of each signal in a record."""
        return [int(signal[8]) for signal in self.fields]

    @property
    def record_bytes(self) -> int:
        """Bytes of a data record."""
        return self.width * sum(self.counts)

    @property
    def annotations(self) -> list[int]:
        """Places of the signals that hold annotations."""
        return [place for place, signal in enumerate(self.fields) if signal[0].endswith("DF Annotations")]


def read_header(file: Path) -> Header:
    """Read a header; raises InputError where it is none, or states what cannot be."""
    with file.open("rb") as opened:
        main = opened.read(256)
        magic = main[:8]
        if len(main) < 256 or magic not in (b"0       ", b"\xffBIOSEMI"):
            raise InputError(f"{file} is no EDF or BDF file: it does not begin as one")
        try:
            text = main[8:].decode("latin-1")
            signals = int(text[244:248])
            rest = opened.read(256 * signals).decode("latin-1")
            if signals < 0 or len(rest) < 256 * signals:
                raise InputError(f"{file} is truncated: its header is not whole")
            columns, at = [], 0
            for width in _WIDTHS:
                ends = range(at, at + width * signals, width)
                columns.append([_text(rest[end : end + width]) for end in ends])
                at += width * signals
            header = Header(
                size=int(text[176:184]),
                width=2 if magic[:1] == b"0" else 3,
                plus=text[184:188] in ("EDF+", "BDF+"),
                interrupted=text[184:189] in ("EDF+D", "BDF+D"),
                records=int(text[228:236]),
                duration_s=float(text[236:244]),
                fields=tuple(zip(*columns, strict=True)),
            )
            counts = header.counts
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{file} has a number in its header that is none") from error
    if not signals or len(header.annotations) == signals:
        raise InputError(f"{file} has no channel")
    if header.size < 256 * (signals + 1) or min(counts) < 0 or not sum(counts):
        raise InputError(f"{file} has a header that contradicts itself")
    there = (file.stat().st_size - header.size) // header.record_bytes
    records = there if header.records < 0 else header.records
    if there < records:
        raise InputError(f"{file} is truncated: {max(0, there)} of {records} data records are there")
    if not records:
        raise InputError(f"{file} holds no sample")
    if not header.duration_s > 0:
        raise InputError(f"{file} states that a data record lasts {header.duration_s:g} s")
    return replace(header, records=records)


def _text(field: str) -> str:
    """A field of a header, read as Latin-1: ASCII by the standard, but a label or µV may be UTF-8."""
    with suppress(UnicodeDecodeError):
        field = field.encode("latin-1").decode("utf-8")
    return field.strip()


class Edf(Opened):
    """One EDF or BDF file; see `engine.files.opened.Opened`."""

    def __init__(self, file: Path, stated: Stated) -> None:
        self.files = (file,)
        header = self._header = read_header(file)
        kept = [place for place in range(len(header.fields)) if place not in header.annotations]
        self._kept = kept
        names = told_apart([plain(header.fields[place][0]) for place in kept])
        offsets = np.cumsum([0, *header.counts]) * header.width
        self._offsets = [int(offsets[place]) for place in kept]
        self._counts = [header.counts[place] for place in kept]
        self._target = file
        onsets = self._onsets()
        channels, self._limits = [], []
        self._stretches: list[list[Stretch]] = []
        for name, place in zip(names, kept, strict=True):
            signal = header.fields[place]
            try:
                limits = tuple(float(field) for field in signal[3:7])
            except ValueError as error:
                raise InputError(f"channel {name!r} of {file} has limits that are no numbers") from error
            self._limits.append(limits)
            fs = header.counts[place] / header.duration_s
            unit = signal[2] or stated.unit or ""
            self._stretches.append(self._stretches_of(header.counts[place], fs, onsets))
            channels.append(Channel(name, unit, fs, samples_of(self._stretches[-1])))
        self.channels = tuple(channels)

    def _onsets(self) -> list[float]:
        """When each record of an interrupted file begins, s."""
        if not self._header.interrupted:
            return []
        if not self._header.annotations:
            raise InputError(f"{self.files[0]} is discontinuous and does not say when its records begin")
        onsets = [first_onset(texts) for texts in self._annotations(only_first=True)]
        if onsets[-1] - onsets[0] > LONGEST_S:
            raise InputError(
                f"{self.files[0]} is interrupted for {(onsets[-1] - onsets[0]) / 86400:.0f} days; allowed: "
                f"{LONGEST_S / 86400:.0f} days from the first record to the last; cut it into files"
            )
        return onsets

    def _stretches_of(self, count: int, fs: float, onsets: list[float]) -> list[Stretch]:
        if not onsets:
            return [Stretch(0, 0, count * self._header.records)]
        stretches = by_onsets(onsets, count, fs)
        if stretches is None:
            raise InputError(f"{self.files[0]} has data records that overlap in time")
        return stretches

    def _annotations(self, *, only_first: bool = False) -> Iterator[bytes]:
        """What the signals of annotations hold, record by record; of all such signals or of the first."""
        header, size = self._header, self._header.record_bytes
        places = header.annotations[:1] if only_first else header.annotations
        parts = [
            (header.width * sum(header.counts[:place]), header.width * header.counts[place])
            for place in places
        ]
        with self.files[0].open("rb") as opened:
            for record in range(header.records):
                texts = b""
                for at, length in parts:
                    opened.seek(header.size + record * size + at)
                    texts += opened.read(length)
                yield texts

    def told(self, place: int) -> list[Told]:
        """As `Opened.told`: the annotations of EDF+ and BDF+."""
        if not (self._header.plus and self._header.annotations):
            return []
        each = list(self._annotations())
        began = first_onset(each[0])
        found = [Told(onset - began, text) for texts in each for onset, text in told_in(texts)]
        return sorted(found)

    def _gain(self, place: int) -> tuple[float, float]:
        """Physical value of a step, and of the digital zero."""
        low, high, lowest, highest = self._limits[place]
        if not (highest > lowest and high != low and np.isfinite(low + high)):
            raise InputError(
                f"channel {self.channels[place].name!r} of {self.files[0]} has limits that span nothing"
            )
        step = (high - low) / (highest - lowest)
        return step, low - lowest * step

    def _records(self, file: Path, first: int, last: int) -> NDArray[np.uint8]:
        size = self._header.record_bytes
        with file.open("rb") as opened:
            opened.seek(self._header.size + first * size)
            return np.frombuffer(opened.read((last - first) * size), np.uint8).reshape(-1, size).copy()

    def _span(self, place: int, start: int, stop: int) -> tuple[int, int, slice]:
        """First and last record, and where the samples lie in them."""
        count = self._counts[place]
        first, last = start // count, -(-stop // count)
        return first, last, slice(start - first * count, stop - first * count)

    def _samples(self, records: NDArray[np.uint8], place: int) -> NDArray[np.int32]:
        at, width = self._offsets[place], self._header.width
        raw = np.ascontiguousarray(records[:, at : at + width * self._counts[place]])
        if width == 2:
            return raw.view("<i2").reshape(-1).astype(np.int32)
        wide = np.zeros((raw.size // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.view("<i4").reshape(-1) >> 8

    def _put(self, records: NDArray[np.uint8], place: int, samples: NDArray[np.int32]) -> None:
        at, width = self._offsets[place], self._header.width
        raw = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
        records[:, at : at + width * self._counts[place]] = raw.reshape(len(records), -1)

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.full((len(places), stop - start), np.nan)
        for part in stored_in(self._stretches[places[0]], start, stop):
            first, last, here = self._span(places[0], part.start, part.stop)
            records = self._records(self.files[0], first, last)
            for row, place in enumerate(places):
                step, zero = self._gain(place)
                rows[row, part.here] = self._samples(records, place)[here] * step + zero
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self.files[0].name
        shutil.copyfile(self.files[0], self._target)

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        for part in stored_in(self._stretches[places[0]], start, start + rows.shape[1]):
            self._write_stored(places, part.start, rows[:, part.here])

    def _write_stored(self, places: Sequence[int], start: int, rows: Rows) -> None:
        first, last, here = self._span(places[0], start, start + rows.shape[1])
        records = self._records(self._target, first, last)
        for row, place in zip(rows, places, strict=True):
            step, zero = self._gain(place)
            samples = self._samples(records, place)
            digital = self.digits((row - zero) / step, *self._limits[place][2:])
            samples[here] = self.into(samples[here], digital)
            self._put(records, place, samples)
        with self._target.open("r+b") as opened:
            opened.seek(self._header.size + first * self._header.record_bytes)
            opened.write(records.tobytes())

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: EDF+ and BDF+ get another signal of annotations."""
        header = self._header
        if not (spans and header.plus and header.annotations):
            return
        began = first_onset(next(self._annotations(only_first=True)))
        add_annotation_signal(self._target, header.size, header.width, header.record_bytes, spans, began)
