"""Append what leaves the engine to a WFDB record that opens at any moment, even after a kill."""

import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.messages import Cleaned, Gap, Verdict, explain
from streamer.chunk import Annotation, StreamInfo
from streamer.errors import InputError
from streamer.watchdog import StreamState
from streamer.wfdb_record import OWN_RECORDING

GAIN = 1000.0
"""ADC units per mV: format 16 then reaches ±32.7 mV in steps of 1 µV."""
_MISSING = -32768
_LIMIT = 32767
_GAP_BLOCK = 1 << 16


class Recorder:
    """Raw, cleaned and (where known) reference of every lead, as WFDB format 16.

    Every frame goes to the system with one unbuffered write, and the header says nothing of the
    length until `close`, so that a reader takes it from the file's size. Beside the record,
    ``<name>.events.jsonl`` has a line for each gap and each change of mark, reason or state, and
    ``<name>.stamps`` the source's time of every frame, as little-endian float64 seconds of the
    machine's monotonic clock, of which every state says the time of day; the source's
    annotations become ``<name>.atr`` at the end. A gap is written as missing samples, so that
    positions in the record stay true to time.

    Parameters
    ----------
    folder
        Where to write; made if needed.
    info
        Stream as the engine sees it (after resampling).
    """

    def __init__(self, folder: Path, info: StreamInfo) -> None:
        self._info = info
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = _unused(folder, info.name)
            self._file = os.open(
                self.path.with_suffix(".dat"),
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND,
                0o644,
            )
        except OSError as error:
            raise InputError(
                f"cannot record into {folder}: {error.strerror}; give a folder that can be written"
            ) from error
        self._events = self.path.with_suffix(".events.jsonl").open("a", encoding="utf-8", buffering=1)
        self._stamps = self.path.with_suffix(".stamps").open("ab", buffering=0)
        kinds = ["raw", "cleaned"] + (["reference"] if info.has_reference else [])
        self._signals = [f"{lead} {kind}" for kind in kinds for lead in info.leads]
        self._first: int | None = None
        self.frames = 0
        self.clipped = 0
        self._initial = np.zeros(len(self._signals), np.int64)
        self._checksum = np.zeros(len(self._signals), np.int64)
        self._verdict: Verdict | None = None
        self._annotations: list[Annotation] = []
        self._write_header(closed=False)

    def push(self, message: Cleaned | Gap) -> None:
        """Append; raises OSError when the disk does not take it, with the file left whole."""
        if self._first is None:
            self._first = message.start
        at = message.start - self._first
        if isinstance(message, Gap):
            self._note(at, "gap", until=message.stop - self._first)
            self._skip(message.stop - message.start)
            self._verdict = None
            return
        parts = [message.raw, message.cleaned]
        if message.clean is not None:
            parts.append(message.clean)
        units = np.rint(np.concatenate(parts) * np.float32(GAIN))
        missing = ~np.isfinite(units)
        clipped = np.abs(units) > _LIMIT
        if clipped.any():
            self.clipped += int((clipped & ~missing).sum())
            units = np.clip(units, -_LIMIT, _LIMIT)
        units[missing] = _MISSING
        self._append(units.T.astype("<i2"))
        self._stamps.write(message.source_time.astype("<f8").tobytes())
        verdict = message.verdict
        if verdict != self._verdict:
            self._verdict = verdict
            self._note(at, verdict[0].name.lower(), reasons=explain(verdict, self._info.leads))
        self._annotations += message.annotations

    def _append(self, frames: NDArray[np.int16]) -> None:
        """Write frames (samples, signals) whole, or take back what was written of them."""
        if self.frames == 0 and len(frames):
            self._initial = frames[0].astype(np.int64)
        data = frames.tobytes()
        size = 2 * len(self._signals)
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.truncate(self._file, self.frames * size)
            raise
        self.frames += len(frames)
        self._checksum += frames.sum(axis=0, dtype=np.int64)

    def _skip(self, count: int) -> None:
        block = np.full((min(count, _GAP_BLOCK), len(self._signals)), _MISSING, "<i2")
        for start in range(0, count, _GAP_BLOCK):
            self._append(block[: count - start])
            self._stamps.write(np.full(min(count - start, len(block)), np.nan, "<f8").tobytes())

    def note_state(self, state: StreamState) -> None:
        """Write a new state of the source down, at the frame that is next."""
        now = datetime.now(UTC).isoformat()
        self._note(self.frames, "state", state=str(state), monotonic=time.perf_counter(), utc=now)

    def note_step(self, step: str, why: str) -> None:
        """Write down that something else cleans from the frame that is next."""
        self._note(self.frames, "step", step=step, why=why)

    def _note(self, sample: int, event: str, **more: float | str | dict[str, str]) -> None:
        self._events.write(json.dumps({"sample": sample, "event": event, **more}) + "\n")

    def _write_header(self, *, closed: bool) -> None:
        """Replace the header in one step; the length stands in it only once it is final."""
        name = self.path.name
        length = f" {self.frames}" if closed else ""
        lines = [f"{name} {len(self._signals)} {self._info.fs:g}{length}"]
        for signal, first, total in zip(self._signals, self._initial, self._checksum, strict=True):
            check = ((int(total) + 0x8000) % 0x10000) - 0x8000
            lines.append(f"{name}.dat 16 {GAIN:g}(0)/mV 16 0 {first} {check} 0 {signal}")
        lines.append(f"# {self._info.name}, {OWN_RECORDING}; missing samples are gaps")
        temporary = self.path.with_suffix(".hea.tmp")
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii", errors="replace")
        os.replace(temporary, self.path.with_suffix(".hea"))

    def close(self) -> None:
        """Write the final header and the annotations."""
        os.close(self._file)
        self._events.close()
        self._stamps.close()
        self._write_header(closed=True)
        if self._annotations and self._first is not None:
            import wfdb

            wfdb.wrann(
                self.path.name,
                "atr",
                np.array([mark.sample - self._first for mark in self._annotations]),
                [mark.symbol for mark in self._annotations],
                aux_note=[mark.note for mark in self._annotations],
                fs=self._info.fs,
                write_dir=str(self.path.parent),
            )


def _unused(folder: Path, name: str) -> Path:
    """Record name from stream and time; a number behind it where that exists already."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "ecg"
    stem = f"{stem}-{datetime.now():%Y%m%dT%H%M%S}"
    candidate, number = folder / stem, 2
    while candidate.with_suffix(".dat").exists() or candidate.with_suffix(".hea").exists():
        candidate, number = folder / f"{stem}-{number}", number + 1
    return candidate
