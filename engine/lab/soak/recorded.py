"""The judge of a soak at real speed: what its recordings hold, sample by sample."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.lab.soak.counted_device import Span
from engine.lab.soak.counting import LEADS, WRAP, numbers_of


@dataclass(frozen=True)
class Verdict:
    """What became of every sample from the first that was recorded to the last.

    Parameters
    ----------
    records
        That together hold the stream: another one begins where an engine was started again.
    frames
        In them; each is a sample that left, or missing.
    out, in_gaps
        Frames with a sample, and those without.
    misplaced
        Samples that are not the one of their place, by what they say themselves.
    never_sent
        Missing ones that the device did not send: it lost them, or had no outlet.
    gaps
        Stretches without a sample.
    unexplained_gaps
        Those of which the device has sent every sample.
    """

    records: int
    frames: int
    out: int
    in_gaps: int
    misplaced: int
    never_sent: int
    gaps: int
    unexplained_gaps: int


def judge(folder: Path, unsent: Sequence[Span]) -> Verdict:
    """Judge all records of a folder, which continue each other.

    Parameters
    ----------
    unsent
        Numbers of the samples that the device says it never sent.
    """
    import wfdb

    # An engine that died before it had brought a frame to disk leaves an empty one.
    names = [name for name in _in_order(folder) if (folder / f"{name}.dat").stat().st_size]
    raw = np.concatenate(
        [wfdb.rdrecord(str(folder / name)).p_signal[:, : len(LEADS)].T for name in names], axis=1
    )
    frames = raw.shape[1]
    missing = np.isnan(raw).any(axis=0)
    there = np.flatnonzero(~missing)
    first = int(numbers_of(raw[:, there[:1]])[0]) - int(there[0])
    wrong = numbers_of(raw[:, there]) != (there + first) % WRAP
    held_back = np.zeros(frames, bool)
    for begin, stop in unsent:
        held_back[max(0, begin - first) : max(0, stop - first)] = True
    gaps = _stretches(missing)
    return Verdict(
        records=len(names),
        frames=frames,
        out=len(there),
        in_gaps=int(missing.sum()),
        misplaced=int(wrong.sum()),
        never_sent=int((held_back & missing).sum()),
        gaps=len(gaps),
        unexplained_gaps=sum(not held_back[begin:stop].any() for begin, stop in gaps),
    )


def _in_order(folder: Path) -> list[str]:
    """Names of the records, each behind the one that it says it continues."""
    follows: dict[str | None, str] = {}
    for header in folder.glob("*.hea"):
        with header.with_suffix(".events.jsonl").open(encoding="utf-8") as lines:
            event = json.loads(lines.readline() or "{}")
        before = event.get("record") if event.get("event") == "continues" else None
        if before in follows:
            raise ValueError(f"{header.stem} and {follows[before]} both continue {before or 'nothing'}")
        follows[before] = header.stem
    names = [follows.pop(None)]
    while names[-1] in follows:
        names.append(follows.pop(names[-1]))
    if follows:
        raise ValueError(f"nothing leads to the records {', '.join(follows.values())}")
    return names


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where flags stand: first of each stretch, and the one behind its last."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(int(begin), int(stop)) for begin, stop in edges.reshape(-1, 2)]
