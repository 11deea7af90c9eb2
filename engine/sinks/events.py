"""The events of a recording, and the WFDB annotations that are made of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

EVENTS = ".events.jsonl"
ANNOTATION = "annotation"
BEGINS = "begins"
"""Of the first frame, with its index in the stream."""
NOTE = '"'
"""WFDB's symbol of a comment."""
STATES = "states"
"""Annotator of all but the annotations: gaps, marks of the guard, states of the source, settings."""
_QUALITY = "~"
"""WFDB's symbol of a change in quality; of a comment at sample 0 wfdb 4.3.1 makes something else."""
_LONGEST_NOTE = 255
"""The format has one byte for a text's length: wfdb 4.3.1 writes more, and reads the rest as beats."""


def read_events(path: Path) -> list[dict[str, Any]]:
    """Every event of a record (path without extension), in the order of their samples."""
    with path.with_suffix(EVENTS).open(encoding="ascii") as lines:
        # A person marks what has passed.
        return sorted(map(json.loads, lines), key=lambda event: int(event["sample"]))


def told(event: dict[str, Any]) -> str:
    """An event in words; empty for an annotation, and for what belongs to the file alone."""
    kind = event["event"]
    if kind in (ANNOTATION, BEGINS, "continues"):
        return ""
    if kind == "gap":
        return "missing: a gap of the source"
    if kind == "state":
        return f"source {event['state']}"
    if kind == "step":
        return f"cleaned by {event['step']}: {event['why']}"
    if kind == "settings":
        return f"settings: {event['about']}"
    reasons = [f"{lead}: {reason}" for lead, reason in event["reasons"].items()]
    return f"{kind} ({'; '.join(reasons)})" if reasons else str(kind)


def write_annotations(path: Path, fs: float) -> None:
    """Make the ``.atr`` of a record: annotations of its source, and marks of a person."""
    marks = [each for each in read_events(path) if each["event"] == ANNOTATION]
    write_marks(path, "atr", fs, [(mark["sample"], mark["symbol"], mark["text"]) for mark in marks])


def write_states(path: Path, fs: float) -> None:
    """Make the ``.states`` of a record: all else that its events tell."""
    marks = [(each["sample"], _QUALITY, text) for each in read_events(path) if (text := told(each))]
    write_marks(path, STATES, fs, marks)


def write_marks(path: Path, annotator: str, fs: float, marks: Sequence[tuple[int, str, str]]) -> None:
    """Write sample, symbol and note of marks, where there are any, as annotations that their owner reads."""
    if not marks:
        return
    import wfdb

    # wfdb writes into the file that is there, and lets it be read by whom it may.
    path.with_suffix(f".{annotator}").touch(mode=0o600)
    wfdb.wrann(
        path.name,
        annotator,
        np.array([sample for sample, _, _ in marks]),
        [symbol for _, symbol, _ in marks],
        # The format knows letters of one byte.
        aux_note=[_one_byte_letters(text)[:_LONGEST_NOTE] for _, _, text in marks],
        fs=fs,
        write_dir=str(path.parent),
    )


def _one_byte_letters(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
