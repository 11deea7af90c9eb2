"""WFDB records: the samples of the ECG change in a copy of their signal files, in their own formats.

The formats are those of ``signal(5)``, the header that of ``header(5)`` of the WFDB Applications Guide.
Records of the PhysioNet Challenges (``.hea`` and ``.mat``) are such: their samples begin at byte 24.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files import wfdb_formats
from engine.files.formats import is_known
from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows, Stated
from engine.files.verdicts import Span
from streamer.errors import InputError, one_line
from streamer.plain import plain
from streamer.records.header import check_header
from streamer.records.record import states_micro

GUARD_ANNOTATOR = "guard"


class WfdbRecord(Opened):
    """One record, by its header; see `engine.files.opened.Opened`."""

    def __init__(self, file: Path, header: Any) -> None:
        path = self._path = file.with_suffix("")
        if not header.n_sig:
            raise InputError(f"{file} has no channel")
        if states_micro(path):
            raise InputError(
                f"record {path} has the unit µV, which WFDB readers take for V; write uV in its header"
            )
        self._frame_fs = float(header.fs)
        self._frame = [int(count or 1) for count in header.samps_per_frame]
        self._gains = [
            (float(g or 200), float(b or 0)) for g, b in zip(header.adc_gain, header.baseline, strict=True)
        ]
        self.frames = 0
        """Frames that there are: moments at which every signal has its samples."""
        self._layout(header)
        names = told_apart([plain(name or "") for name in header.sig_name])
        self.channels = tuple(
            Channel(name, unit or "mV", self._frame_fs * count, self.frames * count)
            for name, unit, count in zip(names, header.units, self._frame, strict=True)
        )
        self.files = (file, *{path.with_name(name): None for name in header.file_name})
        self._folder = file.parent
        self._sums: dict[int, tuple[int, int]] = {}

    def _layout(self, header: Any) -> None:
        """Find for each signal its file, and in it its place in a frame; and how many frames there are."""
        self._signal_files: list[wfdb_formats.SignalFile] = []
        self._columns: list[slice] = []
        names = header.file_name
        frames = header.sig_len
        inside: dict[str, list[int]] = {}
        for name, count in zip(names, self._frame, strict=True):
            begin = sum(inside.setdefault(name, []))
            inside[name].append(count)
            self._columns.append(slice(begin, begin + count))
        opened = {}
        for name, frame in inside.items():
            place = names.index(name)
            code = str(header.fmt[place])
            offset = int(header.byte_offset[place] or 0)
            opened[name] = wfdb_formats.signal_file(self._path.with_name(name), code, offset, frame)
        there = min(file.frames for file in opened.values())
        self.frames = frames or there
        if there < self.frames:
            raise InputError(
                f"record {self._path} is truncated: {there} of {self.frames} samples of a signal are there"
            )
        self._signal_files = [opened[name] for name in names]

    def _frames_of(self, folder: Path, place: int, start: int, stop: int) -> tuple[int, NDArray[np.int64]]:
        """First frame, and frames of the signal file of a channel that hold samples start … stop-1."""
        count = self._frame[place]
        first = start // count
        return first, self._signal_files[place].read(folder, first, -(-stop // count))

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.empty((len(places), stop - start))
        for row, place in enumerate(places):
            first, frames = self._frames_of(self.files[0].parent, place, start, stop)
            at = start - first * self._frame[place]
            digital = frames[:, self._columns[place]].reshape(-1)[at : at + stop - start]
            gain, baseline = self._gains[place]
            missing = digital == self._signal_files[place].missing
            rows[row] = np.where(missing, np.nan, (digital - baseline) / gain)
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`: what lies beside the record under its name, as annotations do, goes along."""
        self._folder = folder
        copy_beside(self._path, self.files, folder)
        for file in set(self._signal_files):
            file.begin(folder)

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        for row, place in zip(rows, places, strict=True):
            first, frames = self._frames_of(self._folder, place, start, start + len(row))
            at = start - first * self._frame[place]
            column = frames[:, self._columns[place]].reshape(-1)
            gain, baseline = self._gains[place]
            file = self._signal_files[place]
            old = column[at : at + len(row)]
            new = self.into(old, self.digits(row * gain + baseline, file.missing + 1, file.highest))
            initial, total = self._sums.get(place, (int(new[0]) if len(new) else 0, 0))
            self._sums[place] = initial, total + int(new.sum())
            column[at : at + len(row)] = new
            frames[:, self._columns[place]] = column.reshape(len(frames), -1)
            file.write(self._folder, first, frames)

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: initial values and checksums in the header, and annotations of the guard."""
        for file in set(self._signal_files):
            file.finish(self._folder)
        header = self._folder / self.files[0].name
        lines = header.read_bytes().decode("latin-1").splitlines(keepends=True)
        stated = [at for at, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
        for place, (initial, total) in self._sums.items():
            at = stated[1 + place]
            lines[at] = _with_sums(lines[at], initial, total)
        header.write_bytes("".join(lines).encode("latin-1"))
        annotate(self._folder / self._path.name, self._frame_fs, spans)


def read_header(file: Path) -> Any:
    """What wfdb reads of a header; raises InputError where it cannot, or the header is unsafe to follow."""
    import wfdb

    path = file.with_suffix("")
    check_header(path)
    try:
        header = wfdb.rdheader(str(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"record {path} cannot be read as WFDB: {one_line(error)}") from error
    if not header.fs > 0:
        raise InputError(f"record {path} has no usable rate in its header: {header.fs} Hz")
    return header


def open_record(file: Path, stated: Stated) -> Opened:
    """Open a record, of one segment or of several, by its header."""
    from engine.files.wfdb_segments import WfdbSegments

    header = read_header(file)
    return WfdbSegments(file, header) if getattr(header, "seg_name", None) else WfdbRecord(file, header)


def copy_beside(path: Path, files: Iterable[Path], folder: Path) -> None:
    """Copy files of a record, and what else lies under its name, but what a guard said before.

    A file that can be cleaned itself, such as a table, is none of the record.
    """
    beside = {file for file in path.parent.glob(f"{_glob(path.name)}.*") if file.is_file()}
    for file in {file for file in beside if not is_known(file)} | set(files):
        if file.suffix != f".{GUARD_ANNOTATOR}":
            shutil.copyfile(file, folder / file.name)


def annotate(path: Path, frame_fs: float, spans: Sequence[Span]) -> None:
    """Write spans, where there are any, as annotations of a record (path without extension)."""
    import wfdb

    spans = sorted(spans, key=lambda span: span.start / span.fs)
    if not spans:
        return
    wfdb.wrann(
        path.name,
        GUARD_ANNOTATOR,
        np.array([int(span.start * frame_fs / span.fs) for span in spans]),
        # A change of signal quality: wfdb 4.3.1 takes a comment at sample 0 for a definition of its own.
        ["~"] * len(spans),
        chan=np.array([span.place % 256 for span in spans]),
        aux_note=[f"{span.text}, {(span.stop - span.start) / span.fs:.3f} s" for span in spans],
        write_dir=str(path.parent),
    )


def _glob(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _with_sums(line: str, initial: int, total: int) -> str:
    """A signal's line with another initial value and checksum, where it has them."""
    words = re.findall(r"\s+|\S+", line.lstrip())
    for place, value in ((5, initial), (6, (total + 2**15) % 2**16 - 2**15)):
        if 2 * place < len(words) and re.fullmatch(r"-?\d+", words[2 * place]):
            words[2 * place] = str(value)
    return "".join(words)
