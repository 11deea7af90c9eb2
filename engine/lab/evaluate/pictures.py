"""The pictures of reports: SNR out, or beats found, against SNR in; examples with their residuals."""

from pathlib import Path
from typing import Any

import numpy as np

from models.benches.track_f import FS

_MANY = 10
"""Number of lines that a colour map has distinct colours for."""


def plot_snr(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw mean SNR out against SNR in of lead one, a panel per noise, a line per system."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["snr"] is not None and row["lead"] == "first"]
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    if not noises:
        return
    labels = list(dict.fromkeys((row["system"], row["delay_ms"]) for row in rows))
    figure = Figure(figsize=(4 * len(noises) + 2.5, 4.6), layout="constrained")
    panels = figure.subplots(1, len(noises), squeeze=False, sharey=True)[0]
    for axes, noise in zip(panels, noises, strict=True):
        for index, label in enumerate(labels):
            points = [p for p in rows if p["noise"] == noise and (p["system"], p["delay_ms"]) == label]
            axes.plot([p["snr"] for p in points], [p["snr_out_db"] for p in points], **_style(index, *label))
        axes.set_title(noise)
        axes.set_xlabel("SNR in (dB)")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("SNR out (dB)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=110)


def _style(index: int, system: str, delay_ms: float | None) -> dict[str, Any]:
    """Line style of a system by its place in the list."""
    delay = "offline" if delay_ms is None else f"{delay_ms:.0f} ms"
    return {
        "color": "black" if system == "identity" else f"C{index % _MANY}",
        "marker": "osv^Dx"[index // _MANY % 6],
        "ms": 4,
        "lw": 1,
        "ls": "--" if system == "identity" or delay_ms is None else "-",
        "label": f"{system}, {delay}",
    }


def plot_examples(examples: list[dict[str, Any]], folder: Path) -> None:
    """Draw ``examples.png``: the output of each system over the reference, for the same seconds."""
    from matplotlib.figure import Figure

    if not examples:
        return
    figure = Figure(figsize=(10, 0.8 + 1.5 * (1 + len(examples))), layout="constrained")
    panels = figure.subplots(1 + len(examples), 1, sharex=True, sharey=True)
    traces = examples[0]["traces"]
    seconds = np.arange(len(traces["reference"])) / FS
    panels[0].plot(seconds, traces["raw"], color="0.5", lw=0.8)
    panels[0].plot(seconds, traces["reference"], color="black", lw=0.8)
    title = f"record {examples[0]['record']}, {examples[0]['condition']}: raw, reference"
    panels[0].set_title(title, loc="left")
    reference = np.array(traces["reference"])
    reach = 1.5 * np.abs(reference - reference.mean()).max()
    panels[0].set_ylim(-reach, reach)
    for axes, example in zip(panels[1:], examples, strict=True):
        cleaned = np.array(example["traces"]["cleaned"])
        axes.plot(seconds, reference, color="0.7", lw=0.8)
        axes.plot(seconds, cleaned, color="tab:green", lw=0.8)
        axes.plot(seconds, cleaned - reference, color="tab:red", lw=0.5)
        delay = "offline" if example["delay_ms"] is None else f"{example['delay_ms']:.0f} ms"
        axes.set_title(f"{example['system']}, {delay}: cleaned, residual", loc="left", fontsize="small")
    panels[-1].set_xlabel("s")
    figure.savefig(folder / "examples.png", dpi=80)


def plot_f1(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw F1 at ±150 ms against SNR in of the stress records' noisy blocks, a panel per detector."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if (row["block"], row["tolerance_ms"]) == ("noisy", 150)]
    detectors = list(dict.fromkeys(row["detector"] for row in rows))
    systems = list(dict.fromkeys((row["system"], row["delay_ms"]) for row in rows))
    figure = Figure(figsize=(4 * len(detectors) + 2, 4), layout="constrained")
    panels = figure.subplots(1, len(detectors), squeeze=False, sharey=True)[0]
    for axes, detector in zip(panels, detectors, strict=True):
        for index, (system, delay_ms) in enumerate(systems):
            points = sorted(
                (row["snr_nst_db"], row["f1"])
                for row in rows
                if (row["detector"], row["system"], row["delay_ms"]) == (detector, system, delay_ms)
            )
            axes.plot(*zip(*points, strict=True), **_style(index, system, delay_ms))
        axes.set_title(detector)
        axes.set_xlabel("SNR in (dB, Noise Stress Test)")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("F1, noisy blocks, ±150 ms")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=110)
