"""Match detected to annotated beats: sensitivity, positive predictivity, F1 and jitter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Beats = NDArray[np.int64]
"""Sample index of each beat, in order."""


@dataclass(frozen=True)
class BeatCount:
    """Beats found, missed and invented; add two to join stretches."""

    found: int
    missed: int
    invented: int

    def __add__(self, other: "BeatCount") -> "BeatCount":
        return BeatCount(self.found + other.found, self.missed + other.missed, self.invented + other.invented)

    @property
    def sensitivity(self) -> float:
        """Share of the annotated beats that were found; NaN where there are none."""
        return _share(self.found, self.found + self.missed)

    @property
    def predictivity(self) -> float:
        """Share of the detected beats that are annotated; NaN where there are none."""
        return _share(self.found, self.found + self.invented)

    @property
    def f1(self) -> float:
        """Harmonic mean of both: 2·found / (2·found + missed + invented)."""
        return _share(2 * self.found, 2 * self.found + self.missed + self.invented)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def match_beats(annotated: Beats, detected: Beats, tolerance: int) -> tuple[Beats, Beats]:
    """Pairs of indices into both whose beats lie within `tolerance` samples; each is used once.

    In order of time every annotated beat takes the nearest detection that is still free, unless the
    next annotated beat is nearer to it.
    """
    ours: list[int] = []
    theirs: list[int] = []
    free = 0
    for index, beat in enumerate(annotated):
        while free < len(detected) and detected[free] < beat - tolerance:
            free += 1
        best = None
        for candidate in range(free, len(detected)):
            distance = abs(detected[candidate] - beat)
            if detected[candidate] > beat + tolerance:
                break
            if best is None or distance < abs(detected[best] - beat):
                best = candidate
        if best is None:
            continue
        following = annotated[index + 1] if index + 1 < len(annotated) else None
        contested = following is not None and abs(detected[best] - following) < abs(detected[best] - beat)
        if contested and best > free:
            best -= 1
        elif contested:
            continue
        ours.append(index)
        theirs.append(best)
        free = best + 1
    return np.array(ours, np.int64), np.array(theirs, np.int64)


def count_beats(annotated: Beats, detected: Beats, tolerance: int) -> BeatCount:
    """Compare two lists of beats."""
    found = len(match_beats(annotated, detected, tolerance)[0])
    return BeatCount(found, len(annotated) - found, len(detected) - found)
