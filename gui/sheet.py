"""Twelve leads as they are printed: three rows of four, 2.5 s each or more, over a rhythm strip.

All share one time axis, as on paper: the second column begins where the first one ends, and what stands
below each other in cells and rhythm strip is of the same moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gui.lanes import Lane, edges_of, kinds_of, lane_of

COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
"""Leads of the cells, from the left and from the top."""
RHYTHM = "II"
CELL_S = 2.5
"""What a cell holds at least: as on paper."""
ROWS = 4


@dataclass(frozen=True)
class Blank:
    """A cell whose lead is not there."""

    name: str
    why: str
    top: int
    bottom: int
    left: int
    right: int


def sheet_columns(available: int, px_per_s: float) -> int:
    """Columns of a whole sheet: all that there are, in cells alike; 0 where there is no room for it."""
    wanted = round(len(COLUMNS) * CELL_S * px_per_s)
    return available - available % len(COLUMNS) if wanted <= available else 0


def arrange_sheet(
    leads: Mapping[str, int],
    size: tuple[int, int],
    *,
    reference: bool,
    residual: bool,
    st: bool = False,
    zoom: float = 1.0,
    zeros: Mapping[int, float] | None = None,
    hidden: Sequence[str] = (),
) -> tuple[list[Lane], list[Blank]]:
    """Lanes of the leads that are there, row by row and the rhythm strip last, and cells of the others.

    Parameters
    ----------
    leads
        Number of each lead of the stream, by its name as `gui.lead_names.written`. Without a lead II the
        first one is the rhythm strip.
    size
        Columns and rows of the page.
    reference, residual, st, zoom, zeros
        As for `gui.lanes.arrange`.
    hidden
        Leads that a person has hidden, of those that are not in `leads`.
    """
    width, height = size
    groups = kinds_of("overlay", reference=reference, residual=residual, st=st)
    sides = list(pairwise(edges_of(width, len(COLUMNS))))
    edges = list(pairwise(edges_of(height, (ROWS - 1) * len(groups) + 1)))
    lanes, blanks = [], []
    for row in range(ROWS - 1):
        for number, kinds in enumerate(groups):
            top, bottom = edges[row * len(groups) + number]
            for names, (left, right) in zip(COLUMNS, sides, strict=True):
                name = names[row]
                if name in leads:
                    columns = left, right
                    lanes.append(lane_of(leads[name], kinds, (top, bottom), zoom, zeros or {}, columns))
                else:
                    blanks.append(
                        Blank(name, "hidden" if name in hidden else "no such lead", top, bottom, left, right)
                    )
    rhythm = leads.get(RHYTHM, min(leads.values()))
    lanes.append(lane_of(rhythm, groups[0], edges[-1], zoom, zeros or {}, (0, width)))
    return lanes, blanks
