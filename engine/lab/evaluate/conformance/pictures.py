"""Pictures of the report: raw and cleaned of every stimulus, and the grid as a map."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.lab.evaluate.conformance.grid import HEIGHTS_MV, RATES_BPM, WIDTHS_MS, Cell
from engine.lab.evaluate.conformance.run import GRID, PICTURE_HZ
from engine.lab.parts import Result

_RIGHT, _WRONG, _NONE, _FREE = "tab:green", "tab:red", "0.2", "0.85"


def draw(results: list[Result], folder: Path) -> None:
    """Draw a picture for each test into a folder, a row a stimulus and a column a system."""
    for test in dict.fromkeys(result["test"] for result in results):
        mine = [result for result in results if result["test"] == test]
        if test in GRID:
            _draw_grid(mine, folder / f"{test}.png")
        else:
            drawn = [result for result in mine if result["fs"] == PICTURE_HZ]
            if drawn:
                _draw_traces(drawn, folder / f"{test}.png")


def _draw_traces(results: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    names = list(results[0]["pictures"])
    figure = Figure(figsize=(3.2 * len(results), 0.5 + 1.1 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(results), squeeze=False, sharex=True)
    for column, result in enumerate(results):
        for row, name in enumerate(names):
            axes = panels[row][column]
            raw, cleaned = (np.array(trace) for trace in result["pictures"][name])
            seconds = np.arange(len(raw)) / PICTURE_HZ
            # A steady offset would leave nothing to be seen of either.
            axes.plot(seconds, raw - np.median(raw), color="0.6", lw=0.8)
            axes.plot(seconds, cleaned - np.median(cleaned), color="tab:green", lw=0.8)
            middle = min(2.0, float(np.percentile(np.abs(cleaned - np.median(cleaned)), 98)))
            axes.set_ylim(-2 * max(0.1, middle), 4 * max(0.1, middle))
            axes.tick_params(labelsize=5)
            if column == 0:
                axes.set_title(name, loc="left", fontsize=6)
        panels[0][column].set_title(result["system"], loc="right", fontsize=7)
    figure.supylabel("mV: grey raw, green cleaned", fontsize=6)
    figure.savefig(path, dpi=70)


def _draw_grid(results: list[dict[str, Any]], path: Path) -> None:
    """Which cells are said right, wrong, or not at all; pale ones need not be counted, and need not not."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    systems = list(dict.fromkeys(result["system"] for result in results))
    rates = list(dict.fromkeys(result["fs"] for result in results))
    figure = Figure(figsize=(3.4 * len(rates), 2.3 * len(systems) + 0.4), layout="constrained")
    panels = figure.subplots(len(systems), len(rates), squeeze=False, sharex=True, sharey=True)
    for result in results:
        axes = panels[systems.index(result["system"])][rates.index(result["fs"])]
        for row in result["cells"]:
            cell = Cell(*row["cell"])
            x = RATES_BPM.index(cell.bpm) + len(RATES_BPM) * WIDTHS_MS.index(cell.width_ms)
            judged = cell.must_count or cell.must_not_count
            right = cell.passes(row["cleaned"])
            colour = _RIGHT if right else _NONE if row["cleaned"] is None else _WRONG
            axes.barh(
                HEIGHTS_MV.index(cell.height_mv),
                1,
                left=x,
                height=0.9,
                color=colour,
                alpha=1 if judged else 0.3,
            )
        axes.set_title(f"{result['system']}, {result['fs']} Hz", fontsize=7)
        axes.set_yticks(range(len(HEIGHTS_MV)), [f"{height:g} mV" for height in HEIGHTS_MV], fontsize=6)
        middles = [len(RATES_BPM) * (place + 0.5) for place in range(len(WIDTHS_MS))]
        axes.set_xticks(middles, [f"{width} ms" for width in WIDTHS_MS], fontsize=5)
    kinds = {
        "right": _RIGHT,
        "wrong": _WRONG,
        "no rate, though one must be": _NONE,
        "pale: need not be": _FREE,
    }
    patches = [Patch(color=colour, label=label) for label, colour in kinds.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=4, fontsize=6)
    figure.savefig(path, dpi=70)
