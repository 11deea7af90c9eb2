"""Append what leaves the engine to a WFDB record that opens at any moment, even after a kill."""

import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.marks import Verdict, explain
from engine.messages import Cleaned, Gap
from engine.sinks.append_file import AppendFile
from engine.sinks.events import ANNOTATION, BEGINS, EVENTS, NOTE, STATES, write_annotations
from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.records.record import OWN_RECORDING
from streamer.watchdog import StreamState

GAIN = 1000.0
"""ADC units per mV: format 24 then reaches ±8.3 V in steps of 1 µV, whatever offset an electrode has."""
_MISSING = -(1 << 23)
_LIMIT = (1 << 23) - 1
_GAP_BLOCK = 1 << 16
_LONGEST_NAME = 80
STAMPS = ".stamps"
BEGUN, SUBJECT = "first sample at ", "subject: "
"""Before what the comments of the header say of both."""
VALUE_BYTES = 3
_BESIDE = (".hea", ".atr", ".qrs", f".{STATES}", ".edf", ".bdf", STAMPS, EVENTS)
"""What else may belong to a record, or be made of it."""
RAW, CLEANED, REFERENCE = " raw", " cleaned", " reference"
"""Behind a lead's name in the record."""


class Recorder:
    """Raw, cleaned and (where known) reference of every lead, as WFDB format 24.

    Every frame goes to the system with one unbuffered write (see `engine.sinks.append_file` for what that
    promises), and the header says nothing of the length until `close`, so that a reader takes it from
    the file's size. Beside the record, ``<name>.events.jsonl`` has a line for each gap, each change of
    mark, reason or state and each annotation of the source or of a user, and one that says the index in the
    stream of the first frame; and ``<name>.stamps`` the
    source's time of every frame, as little-endian float64 seconds of the machine's monotonic clock, of
    which every state says the time of day; the annotations become ``<name>.atr`` at the end. A gap is
    written as missing samples, so that positions in the record stay true to time. All of it can be read by
    its owner alone: an ECG is a person's.

    Parameters
    ----------
    folder
        Where to write; made if needed.
    info
        The stream, at the rate at which it leaves.
    name
        Record to write; None makes one of stream and time. Nothing is ever overwritten: a number
        goes behind a name that is taken.
    about
        Lines for the comment of the header: what cleans, by which settings.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """

    def __init__(
        self, folder: Path, info: StreamInfo, name: str | None = None, about: Sequence[str] = ()
    ) -> None:
        self._info, self._about = info, about
        self._begun = datetime.now().astimezone()
        kinds = [RAW, CLEANED] + ([REFERENCE] if info.has_reference else [])
        self._signals = [f"{_flat(lead)}{kind}" for kind in kinds for lead in info.leads]
        self._first: int | None = None
        self.frames = 0
        self.clipped = 0
        self._initial = np.zeros(len(self._signals), np.int64)
        self._checksum = np.zeros(len(self._signals), np.int64)
        self._verdict: Verdict | None = None
        self._annotated = False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path, self._file = _make_unused(folder / (name or record_name(info)))
            self._events = AppendFile(self.path.with_suffix(EVENTS))
            self._stamps = AppendFile(self.path.with_suffix(STAMPS))
            self._write_header(closed=False)
        except OSError as error:
            raise InputError(
                f"cannot record into {folder}: {error.strerror}; give a folder that can be written"
            ) from error

    def push(self, message: Cleaned | Gap) -> None:
        """Append; raises OSError when the disk does not take it, with every file left whole."""
        if self._first is None:
            self._first = message.start
            self.note(BEGINS, 0, index=message.start)
        at = message.start - self._first
        if isinstance(message, Gap):
            self.note("gap", at, until=message.stop - self._first)
            self._skip(message.stop - message.start)
            self._verdict = None
            return
        if self.frames == 0:
            self._begun = _time_of_day(float(message.source_time[0]))
        parts = [message.raw, message.cleaned]
        if message.reference is not None:
            parts.append(message.reference)
        units = np.rint(np.concatenate(parts) * np.float32(GAIN))
        missing = ~np.isfinite(units)
        clipped = np.abs(units) > _LIMIT
        if clipped.any():
            self.clipped += int((clipped & ~missing).sum())
            units = np.clip(units, -_LIMIT, _LIMIT)
        units[missing] = _MISSING
        self._append(units.T.astype("<i4"), message.source_time)
        verdict = message.verdict
        if verdict != self._verdict:
            self._verdict = verdict
            self.note(verdict[0].name.lower(), at, reasons=explain(verdict, self._info.leads))
        for annotation in message.annotations:
            self._annotated = True
            self.note(
                ANNOTATION, annotation.sample - self._first, symbol=annotation.symbol, text=annotation.note
            )

    @property
    def first(self) -> float:
        """Absolute index of the first frame; infinite before there is one."""
        return np.inf if self._first is None else self._first

    def mark(self, sample: int, note: str) -> None:
        """Write a person's mark down, on a sample at or behind the first one."""
        self._annotated = True
        self.note(ANNOTATION, sample - int(self.first), symbol=NOTE, text=note, by="user")

    def _append(self, frames: NDArray[np.int32], source_time: NDArray[np.float64]) -> None:
        """Write frames (samples, signals), and the time of each."""
        if self.frames == 0 and len(frames):
            self._initial = frames[0].astype(np.int64)
        # The lower three bytes of each value.
        values = np.ascontiguousarray(frames).view(np.uint8).reshape(*frames.shape, 4)
        self._file.append(values[..., :3].tobytes())
        self.frames += len(frames)
        self._checksum += frames.sum(axis=0, dtype=np.int64)
        self._stamps.append(source_time.astype("<f8").tobytes())

    def _skip(self, count: int) -> None:
        size = min(count, _GAP_BLOCK)
        frames = np.full((size, len(self._signals)), _MISSING, "<i4")
        nothing = np.full(size, np.nan)
        for start in range(0, count, _GAP_BLOCK):
            self._append(frames[: count - start], nothing[: count - start])

    def note_state(self, state: StreamState) -> None:
        """Write a new state of the source down, at the frame that is next."""
        now = datetime.now(UTC).isoformat()
        self.note("state", state=str(state), monotonic=time.perf_counter(), utc=now)

    def note(self, event: str, sample: int | None = None, **more: float | str | dict[str, str]) -> None:
        """Write an event down, at the frame that is next where no other is named."""
        line = {"sample": self.frames if sample is None else sample, "event": event, **more}
        self._events.append((json.dumps(line) + "\n").encode("ascii"))

    def _write_header(self, *, closed: bool) -> None:
        """Replace the header in one step; the length stands in it only once it is final."""
        name = self.path.name
        # Time and date can only follow a length.
        length = f" {self.frames} {self._begun:%H:%M:%S} {self._begun:%d/%m/%Y}" if closed else ""
        lines = [f"{name} {len(self._signals)} {self._info.fs:.10g}{length}"]
        for signal, first, total in zip(self._signals, self._initial, self._checksum, strict=True):
            check = ((int(total) + 0x8000) % 0x10000) - 0x8000
            lines.append(f"{name}.dat 24 {GAIN:g}(0)/mV 24 0 {first} {check} 0 {signal}")
        lines.append(f"# {_flat(self._info.name)}, {OWN_RECORDING}; missing samples are gaps")
        begun = self._begun.isoformat(timespec="milliseconds")
        about = (f"{BEGUN}{begun}", f"source id {self._info.source_id}", *self._about)
        lines += [f"# {_flat(line)}" for line in about]
        write_header(self.path, lines)

    def close(self) -> None:
        """Write the final header and the annotations; raises OSError when the disk does not take them.

        Without them the record opens all the same.
        """
        for file in (self._file, self._stamps, self._events):
            file.close()
        self._write_header(closed=True)
        if self._annotated:
            write_annotations(self.path, self._info.fs)


def write_header(path: Path, lines: Sequence[str]) -> None:
    """Replace the header of a record (its path without extension) in one step."""
    # A name that nobody can guess: no link that somebody laid is written through.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".hea.tmp", dir=path.parent)
    try:
        with open(handle, "w", encoding="ascii", errors="replace") as file:
            file.write("\n".join(lines) + "\n")
        os.replace(temporary, path.with_suffix(".hea"))
    finally:
        Path(temporary).unlink(missing_ok=True)


def _time_of_day(stamp_s: float) -> datetime:
    """When a sample was taken, from its stamp by `time.perf_counter`; now where that cannot be."""
    age_s = time.perf_counter() - stamp_s
    return datetime.now().astimezone() - timedelta(seconds=age_s if 0 <= age_s < 3600 else 0)


def _flat(text: str) -> str:
    """Text on one line of a header."""
    return " ".join(text.split())


def record_name(info: StreamInfo) -> str:
    """Name for a record of a stream that begins now: letters, digits, '_' and '-', and not long."""
    # What a stream calls itself comes from others: nothing of it may lead out of the folder.
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", info.name).strip("-")[:_LONGEST_NAME] or "ecg"
    return f"{stem}-{datetime.now():%Y%m%dT%H%M%S}"


def _make_unused(wanted: Path) -> tuple[Path, AppendFile]:
    """An unused path for a record, and its signal file, which reserves the name."""
    path, number = wanted, 2
    while True:
        try:
            if not any(path.with_suffix(suffix).exists() for suffix in _BESIDE):
                return path, AppendFile(path.with_suffix(".dat"))
        except FileExistsError:
            pass
        path, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
