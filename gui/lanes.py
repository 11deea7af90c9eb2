"""Layout of the traces: which lane holds which lead and traces, and its rows on the screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Layout = Literal["auto", "stacked", "overlay"]
LAYOUTS: tuple[Layout, ...] = ("auto", "stacked", "overlay")
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
    """

    lead: int
    kinds: tuple[str, ...]
    top: int
    bottom: int
    letters: int = LETTERS_PX
    zero_share: float = ZERO

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
    zoom: float = 1.0,
    zeros: Mapping[int, float] | None = None,
) -> list[Lane]:
    """Lanes from the top for the leads shown.

    Parameters
    ----------
    layout
        ``stacked`` gives every trace a lane of its own, ``overlay`` draws the cleaned over the
        raw; ``auto`` stacks where there is room.
    reference, residual
        Whether the reference, and raw less cleaned, have lanes.
    zoom
        How much larger than usual letters are.
    zeros
        `Lane.zero_share` of leads whose cleaned trace needs another than `ZERO`.
    """
    extra = ([("reference",)] if reference else []) + ([("residual",)] if residual else [])
    stacked: list[tuple[str, ...]] = [("raw",), ("cleaned",), *extra]
    if layout == "auto":
        layout = "stacked" if height / max(1, len(leads) * len(stacked)) >= _SHORTEST_PX * zoom else "overlay"
    if layout == "stacked":
        groups = stacked
    else:
        over: tuple[str, ...] = ("reference", "raw", "cleaned") if reference else ("raw", "cleaned")
        groups = [over, *([("residual",)] if residual else [])]
    wanted = [(lead, kinds) for lead in leads for kinds in groups]
    edges = [round(index * height / len(wanted)) for index in range(len(wanted) + 1)]
    return [
        Lane(
            lead,
            kinds,
            top,
            bottom,
            round(LETTERS_PX * zoom),
            # Raw that is alone in its lane drifts to either side.
            (zeros or {}).get(lead, ZERO) if kinds[-1] in ("cleaned", "reference") else ZERO,
        )
        for (lead, kinds), top, bottom in zip(wanted, edges, edges[1:], strict=False)
    ]
