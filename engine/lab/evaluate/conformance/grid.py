"""T7 and T8: triangular QRS complexes of many heights, widths and rates, and the heart rate of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.lab.evaluate.conformance.waves import Fine, qrs_train

HEIGHTS_MV = (0.15, 0.5, 1.0, 5.0)
WIDTHS_MS = (10, 20, 40, 70, 100, 120, 140)
RATES_BPM = (30, 60, 120, 200, 300)
SECONDS = 16.0


@dataclass(frozen=True)
class Cell:
    """One kind of QRS at one rate."""

    height_mv: float
    width_ms: int
    bpm: int

    def make(self) -> Fine:
        """Its voltage at the electrodes."""
        return qrs_train(self.bpm, SECONDS, self.height_mv, self.width_ms / 1000)

    @property
    def must_count(self) -> bool:
        """What monitors count, as their makers state it: 0.5 to 5 mV, 40 to 120 ms."""
        return 0.5 <= self.height_mv <= 5 and 40 <= self.width_ms <= 120

    @property
    def must_not_count(self) -> bool:
        """What no monitor may count, as it is commonly quoted: 0.15 mV, or 1 mV of 10 ms."""
        return self.height_mv <= 0.15 or (self.height_mv == 1.0 and self.width_ms == 10)

    def passes(self, bpm: float | None) -> bool:
        """Whether a heart rate is what it must be: ±1 bpm or 1 %; or none."""
        if self.must_not_count:
            return bpm is None
        return bpm is not None and abs(bpm - self.bpm) <= max(1.0, 0.01 * self.bpm)


def cells(quick: bool = False) -> Iterator[Cell]:
    """All of them; a few where it must be quick."""
    for height_mv in HEIGHTS_MV[:3] if quick else HEIGHTS_MV:
        for width_ms in (WIDTHS_MS[0], WIDTHS_MS[3]) if quick else WIDTHS_MS:
            for bpm in RATES_BPM[1:3] if quick else RATES_BPM:
                yield Cell(height_mv, width_ms, bpm)


def counted(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the cells of one system and rate: how many pass, raw and cleaned, and which do not."""
    found: dict[str, Any] = {}
    for name in ("must_count", "must_not_count"):
        mine = [(Cell(*row["cell"]), row) for row in rows if getattr(Cell(*row["cell"]), name)]
        found[name] = len(mine)
        for kind in ("raw", "cleaned"):
            found[f"{name}_{kind}"] = sum(cell.passes(row[kind]) for cell, row in mine)
        wrong = [(cell, row["cleaned"]) for cell, row in mine if not cell.passes(row["cleaned"])]
        found[f"{name}_wrong"] = [[cell.height_mv, cell.width_ms, cell.bpm, said] for cell, said in wrong]
    return found
