"""Close recordings that a process left open when it was killed: exactly what is on disk, and no more."""

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.sinks.events import BEGINS, EVENTS, write_annotations
from engine.sinks.recorder import BEGUN, STAMPS, VALUE_BYTES, write_header

_PART = re.compile(r"(.*-part)\d{4,}")
_BLOCK = 1 << 16


class Left(NamedTuple):
    """A record, its path without extension, and what is on disk.

    Parameters
    ----------
    first
        Index of its first frame in the stream; None where it has none.
    """

    path: Path
    frames: int
    first: int | None


def close_left(first: Path) -> list[Left]:
    """Close what is open of a recording whose process has ended.

    Parameters
    ----------
    first
        Its first record, without extension.

    Returns
    -------
    list of Left
        All its records in order.

    Raises
    ------
    OSError
        If the disk does not take a header. The records open all the same.
    """
    part = _PART.fullmatch(first.name)
    records = [first]
    if part:
        found = (path.with_suffix("") for path in first.parent.glob("*.hea"))
        records = sorted(
            path
            for path in found
            if (other := _PART.fullmatch(path.name)) and other[1] == part[1] and path >= first
        )
    return [Left(record, _close(record), _first(record)) for record in records]


def _close(path: Path) -> int:
    """Close a record where it is open; its frames."""
    header = path.with_suffix(".hea").read_text(encoding="ascii").splitlines()
    told = header[0].split()
    if len(told) > 3:
        return int(told[3])
    signals = int(told[1])
    frames = _cut_to_whole(path, signals)
    first, total = _sums(path.with_suffix(".dat"), signals, frames)
    begun = next(line for line in header if line.startswith(f"# {BEGUN}"))
    moment = datetime.fromisoformat(begun.removeprefix(f"# {BEGUN}"))
    lines = [f"{header[0]} {frames} {moment:%H:%M:%S} {moment:%d/%m/%Y}"]
    for line, initial, checksum in zip(header[1 : signals + 1], first, total, strict=True):
        # File, format, gain, resolution, zero; then first value, checksum, block size, description.
        fields = line.split(" ", 8)
        fields[5:7] = str(initial), str(((int(checksum) + 0x8000) % 0x10000) - 0x8000)
        lines.append(" ".join(fields))
    write_header(path, lines + header[signals + 1 :])
    write_annotations(path, float(told[2]))
    return frames


def _first(path: Path) -> int | None:
    """Index of the first frame, which stands behind what was noted before it came."""
    with path.with_suffix(EVENTS).open(encoding="ascii") as lines:
        said = (json.loads(line) for line in lines)
        return next((int(event["index"]) for event in said if event["event"] == BEGINS), None)


def _cut_to_whole(path: Path, signals: int) -> int:
    """Cut off what was written of a frame, a stamp or an event that is not whole; the frames that are."""
    data, stamps, events = (path.with_suffix(suffix) for suffix in (".dat", STAMPS, EVENTS))
    size = VALUE_BYTES * signals
    frames = min(data.stat().st_size // size, stamps.stat().st_size // 8)
    os.truncate(data, frames * size)
    os.truncate(stamps, frames * 8)
    os.truncate(events, events.read_bytes().rfind(b"\n") + 1)
    return frames


def _sums(file: Path, signals: int, frames: int) -> tuple[list[int], list[int]]:
    """First value and sum of each signal, as the header needs them."""
    first, total = np.zeros(signals, np.int64), np.zeros(signals, np.int64)
    size = VALUE_BYTES * signals
    with file.open("rb") as data:
        for start in range(0, frames, _BLOCK):
            block = np.frombuffer(data.read(_BLOCK * size), np.uint8).reshape(-1, signals, VALUE_BYTES)
            values = np.zeros((*block.shape[:2], 4), np.uint8)
            values[..., 1:] = block
            # The sign stands in the highest byte.
            numbers = values.view("<i4")[..., 0].astype(np.int64) >> 8
            if start == 0:
                first = numbers[0]
            total += numbers.sum(axis=0)
    return first.tolist(), total.tolist()
