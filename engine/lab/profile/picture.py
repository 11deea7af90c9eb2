"""Pictures of `profile`: time by stage, its distribution, and its growth with the number of streams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.lab.profile.hops import Profile
from engine.ledger.stages import STAGES

_WORK = STAGES[STAGES.index("queue") :]
"""The stages before (transport, wait, hold) are the signal's pace and the look-ahead, not work."""
_BINS = 100


def save_profile(profile: Profile, path: Path) -> None:
    """Draw the stages, stacked, over the histograms of what hops took.

    Parameters
    ----------
    path
        Its ending chooses the format; ``.png`` is usual.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    figures = profile.figures
    backends = figures["backends"]
    # Only at the real cadence does a sample wait for its window as long as it really would.
    stacks = [STAGES, _WORK] if figures["cadence"] == "paced" else [_WORK]
    heights = [0.8 + 0.6 * len(backends)] * len(stacks) + [4]
    figure = Figure(figsize=(12, 1 + sum(heights)), layout="constrained")
    figure.suptitle(
        f"{figures['model']} · streams: {figures['streams']} · hop {figures['hop_ms']:.1f} ms · "
        f"{figures['cadence']} · {figures['machine']['cpu']}"
    )
    *stack_axes, spread_axes = figure.subplots(len(heights), 1, height_ratios=heights)
    for axes, names in zip(stack_axes, stacks, strict=True):
        _draw_stages(axes, backends, names)
    drawn = [
        (f"{name} {row}", style, f"C{index}", rows[row] / 1e6)
        for index, (name, rows) in enumerate(profile.durations.items())
        for row, style in (("hop", "-"), ("bare", ":"))
        if row in rows
    ]
    every = np.concatenate([took for *_, took in drawn])
    edges = np.geomspace(max(every.min(), 1e-3), every.max() * 1.01, _BINS)
    for label, style, color, took in drawn:
        spread_axes.stairs(np.histogram(took, edges)[0], edges, color=color, ls=style, label=label)
    spread_axes.axvline(figures["hop_ms"], color="k", ls="--", lw=0.8, label="a hop lasts")
    spread_axes.set(xscale="log", yscale="log", xlabel="what a hop took (ms)", ylabel="hops")
    spread_axes.xaxis.set_major_formatter(LogFormatter())
    spread_axes.xaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False))
    spread_axes.grid(alpha=0.3, which="both")
    spread_axes.legend(loc="upper right")
    figure.savefig(path, dpi=110)


def _draw_stages(axes: Any, backends: dict[str, Any], names: Sequence[str]) -> None:
    """A bar for each backend and percentile that is known, made of stages."""
    bars = {
        f"{backend} {which}": [figures["ledger_ms"][name][which] for name in names]
        for backend, figures in backends.items()
        for which in ("p50", "p99")
    }
    bars = {label: values for label, values in bars.items() if None not in values}
    left = np.zeros(len(bars))
    for index, name in enumerate(names):
        values = [each[index] for each in bars.values()]
        axes.barh(list(bars), values, left=left, color=f"C{index + len(STAGES) - len(names)}", label=name)
        left += values
    axes.invert_yaxis()
    begin = "the source's stamp" if len(names) == len(STAGES) else "window ready"
    axes.set_xlabel(f"from {begin} to handed over (ms); percentile of each stage by itself")
    axes.set_xlim(right=1.3 * left.max() if left.size else None)
    axes.legend(loc="center right", fontsize="small")


def save_sweep(figures: dict[str, Any], path: Path) -> None:
    """Draw how long a round takes for each number of streams that was tried."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    trials = sorted(figures["trials"], key=lambda trial: trial["streams"])
    for which in ("p50", "p99.9", "max"):
        known = [trial for trial in trials if trial["us"][which] is not None]
        streams = [trial["streams"] for trial in known]
        axes.plot(streams, [trial["us"][which] / 1e3 for trial in known], "o-", label=which)
    axes.axhline(figures["hop_ms"], color="k", ls="--", lw=0.8, label="a hop lasts")
    axes.set_title(
        f"{figures['model']} on {figures['backend']}: holds {figures['streams']} · "
        f"{figures['machine']['cpu']}"
    )
    axes.set(xlabel="streams", ylabel="a hop of all of them (ms)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
