"""What the guard said of a whole file: spans of samples that are not simply cleaned, and shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.in_process.stages import Part
from engine.marks import Mark, Reason


@dataclass(frozen=True)
class Span:
    """Samples start … stop-1 of one channel that have one mark and reason.

    Parameters
    ----------
    place
        Of the channel, in the file.
    fs
        Rate of the channel, Hz.
    """

    place: int
    name: str
    fs: float
    start: int
    stop: int
    mark: Mark
    reason: Reason

    @property
    def text(self) -> str:
        """What a reader of annotations sees."""
        said = self.mark.name.lower()
        return f"{self.name}: {said}, {self.reason.text}" if self.reason else f"{self.name}: {said}"


class Verdicts:
    """Takes marks and reasons of channels as they leave.

    Parameters
    ----------
    places, names
        Of the channels, in the order of the rows.
    fs
        Their rate, Hz.
    """

    def __init__(self, places: Sequence[int], names: Sequence[str], fs: float) -> None:
        self._places, self._names, self._fs = places, names, fs
        self._at = 0
        self._runs: list[list[Span]] = [[] for _ in places]
        self._marks = np.zeros((len(places), len(Mark)), np.int64)
        self._reasons = np.zeros((len(places), len(Reason)), np.int64)

    def take(self, part: Part) -> None:
        """Take what leaves next."""
        for row, (marks, reasons) in enumerate(zip(part.marks, part.reasons, strict=True)):
            self._marks[row] += np.bincount(marks, minlength=len(Mark))
            self._reasons[row] += np.bincount(reasons, minlength=len(Reason))
            self._take_row(row, marks, reasons)
        self._at += part.marks.shape[1]

    def _take_row(self, row: int, marks: NDArray[np.uint8], reasons: NDArray[np.uint8]) -> None:
        both = marks.astype(np.int16) * len(Reason) + reasons
        edges = [0, *(np.flatnonzero(np.diff(both)) + 1).tolist(), len(both)]
        runs = self._runs[row]
        for first, last in pairwise(edges):
            if first == last or not both[first]:
                continue
            mark, reason = Mark(marks[first]), Reason(reasons[first])
            start, stop = self._at + first, self._at + last
            if runs and (runs[-1].stop, runs[-1].mark, runs[-1].reason) == (start, mark, reason):
                start = runs.pop().start
            runs.append(Span(self._places[row], self._names[row], self._fs, start, stop, mark, reason))

    @property
    def spans(self) -> list[Span]:
        """All spans but those that are simply cleaned, by channel."""
        return [span for runs in self._runs for span in runs]

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """Shares of the samples of each channel by mark and by reason, 0 to 1."""
        total = max(1, self._at)
        return {
            name: {
                "samples": self._at,
                "marks": {mark.name.lower(): self._marks[row, mark] / total for mark in Mark},
                "reasons": {
                    reason.text: self._reasons[row, reason] / total
                    for reason in Reason
                    if reason and self._reasons[row, reason]
                },
            }
            for row, name in enumerate(self._names)
        }
