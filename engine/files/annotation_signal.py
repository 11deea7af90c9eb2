"""Signals of annotations in EDF+ and BDF+ files: what is in them, and one more for what the guard said."""

import os
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

from engine.files.verdicts import Span
from streamer.plain import plain

_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Bytes of the fields of a signal in a header; all signals' labels come first, then all transducers."""


def first_onset(annotations: bytes) -> float:
    """When a data record begins by its first annotation: s after the start in the header."""
    return _onset(annotations.partition(b"\x14")[0]) or 0.0


def told_in(annotations: bytes) -> Iterator[tuple[float, str]]:
    """Onset (s after the start in the header) and text of each annotation of a data record.

    The list that only says when a record begins has no text.
    """
    for listed in annotations.split(b"\0"):
        moment, *texts = listed.split(b"\x14")
        onset = _onset(moment)
        for text in texts:
            shown = plain(text.decode("utf-8", "replace"))
            if onset is not None and shown:
                yield onset, shown


def _onset(moment: bytes) -> float | None:
    """Seconds of what stands before the texts of a list, with a duration or without."""
    try:
        onset = float(moment.partition(b"\x15")[0])
    except ValueError:
        return None
    return onset if isfinite(onset) else None


def add_annotation_signal(
    file: Path, header_size: int, width: int, record_bytes: int, spans: Sequence[Span], began_s: float
) -> None:
    """Write spans into a signal after all others, which stay as they are.

    Parameters
    ----------
    header_size, record_bytes
        Of the file as it is, in bytes.
    width
        Bytes of a sample: 2 is EDF+, 3 BDF+.
    began_s
        When the first sample was taken, s after the start in the header.
    """
    told = [_annotation(span, began_s) for span in sorted(spans, key=lambda span: span.start / span.fs)]
    records = (file.stat().st_size - header_size) // record_bytes
    # Room for a fair share, and for the one that does not fit any more.
    room = -(-sum(map(len, told)) // records) + max(map(len, told))
    room += -room % width
    whole = file.with_name(f"{file.name}.annotated")
    with file.open("rb") as source, whole.open("wb") as target:
        target.write(_longer_header(source.read(header_size), width, room))
        waiting = iter([*told, None])
        text = next(waiting)
        for _ in range(records):
            here = b""
            while text is not None and len(here) + len(text) <= room:
                here += text
                text = next(waiting)
            target.write(source.read(record_bytes) + here.ljust(room, b"\0"))
    os.replace(whole, file)


def _annotation(span: Span, began_s: float) -> bytes:
    onset, duration = began_s + span.start / span.fs, (span.stop - span.start) / span.fs
    # 0x14 and 0x15 part an annotation; no name holds them, being plain.
    return f"{onset:+.6f}\x15{duration:.6f}\x14{span.text}\x14\0".encode()


def _longer_header(header: bytes, width: int, room: int) -> bytes:
    signals = int(header[252:256])
    name, lowest, highest = (
        ("EDF Annotations", -32768, 32767) if width == 2 else ("BDF Annotations", -8388608, 8388607)
    )
    new = (name, "", "", "-1", "1", str(lowest), str(highest), "", str(room // width), "")
    made, at = b"", 256
    for field, size in zip(new, _WIDTHS, strict=True):
        made += header[at : at + size * signals] + field.ljust(size).encode()
        at += size * signals
    main = header[:184] + str(len(header) + 256).ljust(8).encode() + header[192:252]
    return main + str(signals + 1).ljust(4).encode() + made + header[at:]
