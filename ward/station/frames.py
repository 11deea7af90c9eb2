"""What goes to a browser: traces as binary frames of a fixed layout, states as JSON.

A frame, little-endian: ``ECGW``, version (uint8, 1), kind (uint8: 1 newest, 2 review), beds (uint16). Then of
each bed: number (uint16), samples (uint16), index of the first (uint32), samples a second (float32); raw and
cleaned (int16 each, steps of 5 µV, -32768 missing) and marks (uint8, and one of padding where odd).
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from ward.bed import Bed, Trace
from ward.beds import Event

_HEAD = struct.Struct("<4sBBH")
_BED = struct.Struct("<HHIf")
_MAGIC, _VERSION = b"ECGW", 1
MOST_SAMPLES = 65_535


class Kind(IntEnum):
    """What a frame is for."""

    NEWEST = 1
    REVIEW = 2


def traces_frame(kind: Kind, traces: Iterable[tuple[Bed, Trace]]) -> bytes:
    """Frame of so many beds; each trace has at most `MOST_SAMPLES`."""
    parts = []
    for bed, trace in traces:
        count = len(trace.raw)
        parts.append(_BED.pack(bed.number, count, trace.first, bed.shown_hz))
        parts += [trace.raw.tobytes(), trace.cleaned.tobytes(), trace.marks.tobytes(), b"\0" * (count % 2)]
    return _HEAD.pack(_MAGIC, _VERSION, kind, len(parts) // 5) + b"".join(parts)


def state_of(bed: Bed) -> dict[str, Any]:
    """How a bed is doing: what its tile says."""
    status = bed.status
    said: dict[str, Any] = {
        "number": bed.number,
        "name": bed.info.name,
        "lead": bed.info.leads[0],
        "origin": bed.info.origin,
        "worker": bed.worker + 1,
        "hz": bed.shown_hz,
        "raw_bpm": bed.rates.raw,
        "cleaned_bpm": bed.rates.cleaned,
        "state": "NO WORKER" if bed.dead else "STARTING",
        "why": bed.dead,
        "trouble": 4 if bed.dead else 1,
    }
    if status is None or bed.dead:
        return said
    lead = bed.info.leads[0]
    said |= {
        "state": "ENDED" if status.ended else status.state,
        "delay_ms": _or_none(status.delays.p50_ms),
        "gaps": status.gaps,
        "gap_samples": status.gap_samples,
        "samples_in": status.samples_in,
        "late": status.deadline_misses,
        "why": status.reasons.get(lead, "") or status.setup.step or status.problem,
        "trouble": _trouble(bed),
    }
    return said


def _trouble(bed: Bed) -> int:
    """How much a bed needs somebody: 3 lost, 2 no heart rate or raw shown, 1 overloaded, 0 fine."""
    status = bed.status
    assert status
    if status.ended:
        return 0
    if status.state == "LOST":
        return 3
    if status.reasons or bed.rates.cleaned is None:
        return 2
    return 1 if status.setup.step else 0


def event_of(event: Event) -> dict[str, Any]:
    """An event as the page lists it."""
    return {"number": event.number, "time_s": event.time_s, "bed": event.bed, "text": event.text}


def _or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None
