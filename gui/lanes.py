"""Layout of the traces: which lane holds which lead and traces, and its rows on the screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Layout = Literal["auto", "stacked", "overlay", "3x4"]
LAYOUTS: tuple[Layout, ...] = ("auto", "stacked", "overlay", "3x4")
SHEET: Layout = "3x4"
"""Twelve leads as they are printed; see `gui.sheet`."""
FAR = 1 << 20
"""Right of every column of a page."""
_SHORTEST_PX = 90
"""Below this height, raw and cleaned share one lane instead of having two low ones."""
LETTERS_PX = 21
"""Rows for the letters of annotations, in lanes that are high enough."""
ZERO = 0.58
"""Where 0 mV is by default: below the centre, because most QRS complexes point up."""


@dataclass(frozen=True)
class Lane:
    """A strip of the screen: one lead, the traces in it (the last one on top), and its rows.

    Parameters
    ----------
    letters
        Rows at its top for the letters of annotations.
    zero_share
        Where in the room of the traces 0 mV is, from its top.
    left, right
        Columns of the page that it has, of those between its edges; usually all of them.
    gain
        Times the gain of the page.
    """

    lead: int
    kinds: tuple[str, ...]
    top: int
    bottom: int
    letters: int = LETTERS_PX
    zero_share: float = ZERO
    left: int = 0
    right: int = FAR
    gain: float = 1.0

    @property
    def ceiling(self) -> int:
        """The first row of the traces: the letters of annotations stand above it."""
        return self.top + (self.letters if self.bottom - self.top >= 3 * self.letters else 1)

    @property
    def height(self) -> int:
        """Rows that the traces have."""
        return self.bottom - self.ceiling

    @property
    def zero(self) -> int:
        """Row of 0 mV."""
        return self.ceiling + round(self.zero_share * self.height)

    @property
    def main(self) -> str:
        """The trace that the lane is about."""
        return self.kinds[-1]


def arrange(
    leads: tuple[int, ...],
    height: int,
    *,
    layout: Layout = "auto",
    reference: bool,
    residual: bool,
    st: bool = False,
    zoom: float = 1.0,
    zeros: Mapping[int, float] | None = None,
) -> list[Lane]:
    """Lanes from the top for the leads shown.

    Parameters
    ----------
    layout
        ``stacked`` gives every trace a lane of its own, ``overlay`` draws the cleaned over the
        raw; ``auto`` stacks where there is room.
    reference, residual, st
        Whether the reference, raw less cleaned, and the ST view have lanes.
    zoom
        How much larger than usual letters are.
    zeros
        `Lane.zero_share` of leads whose cleaned trace needs another than `ZERO`.
    """
    if layout == "auto":
        stacked = len(leads) * len(kinds_of("stacked", reference=reference, residual=residual, st=st))
        layout = "stacked" if height / max(1, stacked) >= _SHORTEST_PX * zoom else "overlay"
    groups = kinds_of(layout, reference=reference, residual=residual, st=st)
    wanted = [(lead, kinds) for lead in leads for kinds in groups]
    edges = edges_of(height, len(wanted))
    return [
        lane_of(lead, kinds, rows, zoom, zeros or {})
        for (lead, kinds), rows in zip(wanted, pairwise(edges), strict=True)
    ]


def kinds_of(layout: Layout, *, reference: bool, residual: bool, st: bool = False) -> list[tuple[str, ...]]:
    """Traces of each lane that a lead has: one each where they are stacked, else cleaned over raw."""
    view, below = [("st",)] if st else [], [("residual",)] if residual else []
    if layout == "stacked":
        return [("raw",), ("cleaned",), *view, *([("reference",)] if reference else []), *below]
    return [("reference", "raw", "cleaned") if reference else ("raw", "cleaned"), *view, *below]


def edges_of(length: int, count: int) -> list[int]:
    """Where `count` parts of a length begin, and where the last one ends."""
    return [round(index * length / count) for index in range(count + 1)]


def lane_of(
    lead: int,
    kinds: tuple[str, ...],
    rows: tuple[int, int],
    zoom: float,
    zeros: Mapping[int, float],
    columns: tuple[int, int] = (0, FAR),
) -> Lane:
    """A lane between two edges, with its room for letters and its 0 mV; see `arrange`."""
    # Raw that is alone in its lane drifts to either side.
    zero = zeros.get(lead, ZERO) if kinds[-1] in ("cleaned", "reference") else ZERO
    return Lane(lead, kinds, *rows, round(LETTERS_PX * zoom), zero, *columns)
