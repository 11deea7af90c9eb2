"""The picture that a run leaves: its last seconds, and how long its samples took."""

from pathlib import Path
from typing import Any

import numpy as np

from engine.run.protocol import Outcome, StreamOutcome


def save_pictures(outcome: Outcome, path: Path) -> list[Path]:
    """Draw a run: of several streams each has a file, numbered. Returns the files."""
    if len(outcome.streams) == 1:
        save_picture(outcome.streams[0], path)
        return [path]
    paths = [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(outcome.streams) + 1)]
    for stream, numbered in zip(outcome.streams, paths, strict=True):
        save_picture(stream, numbered)
    return paths


def save_picture(outcome: StreamOutcome, path: Path) -> None:
    """Draw raw, cleaned and clean of the first lead over the histogram of delays.

    Parameters
    ----------
    path
        Its ending chooses the format; ``.png`` is usual.
    """
    from matplotlib.figure import Figure

    summary = outcome.summary
    fs = summary["fs_hz"]
    figure = Figure(figsize=(12, 8), layout="constrained")
    raw_axes, reference_axes, delay_axes = figure.subplots(3, 1, height_ratios=[3, 3, 2])
    if outcome.traces:
        time_s = np.concatenate([m.start + np.arange(m.raw.shape[1]) for m in outcome.traces]) / fs
        # A gap must not be drawn as a straight line.
        breaks = np.flatnonzero(np.diff(time_s) > 1.5 / fs) + 1

        def lead(name: str) -> np.ndarray:
            return np.concatenate([getattr(m, name)[0] for m in outcome.traces])

        def draw(axes: Any, name: str, **style: object) -> None:
            values = np.insert(lead(name).astype(float), breaks, np.nan)
            axes.plot(np.insert(time_s, breaks, np.nan), values, **style)

        draw(raw_axes, "raw", color="0.45", lw=0.7, label="raw")
        if outcome.traces[0].reference is not None:
            draw(reference_axes, "reference", color="tab:orange", lw=2.2, alpha=0.6, label="clean reference")
        draw(reference_axes, "cleaned", color="tab:blue", lw=0.9, label="cleaned")
        reference_axes.sharex(raw_axes)
    for axes in (raw_axes, reference_axes):
        axes.set_ylabel(f"{summary['leads'][0]} (mV)")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    reference_axes.set_xlabel("time (s)")
    raw_axes.set_title(_title(summary))
    if outcome.delay_counts.size:
        delay_axes.stairs(outcome.delay_counts, outcome.delay_edges_ms, fill=True, color="tab:blue")
    delay = summary["delay_ms"]
    algorithmic = delay["algorithmic"]
    delay_axes.axvline(algorithmic, color="tab:red", ls="--", label=f"algorithmic {algorithmic:.0f} ms")
    if delay["p99"] is not None:
        delay_axes.axvline(delay["p99"], color="k", ls=":", label=f"p99 {delay['p99']:.0f} ms")
    delay_axes.set_xlabel("delay of a sample (ms)")
    delay_axes.set_ylabel("samples")
    delay_axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)


def _title(summary: dict) -> str:
    noise = summary["noise"]
    title = f"{summary['source']} · {summary['model']} · look-ahead {summary['lookahead_ms']:.0f} ms"
    if noise:
        kinds = "+".join(noise)
        title += f" · {kinds} at {summary['noise_snr_db']:g} dB ({summary['snr_definition']})"
    if summary["snr_in_db"] is not None:
        title += f" · SNR {summary['snr_in_db']:.1f} → {summary['snr_out_db']:.1f} dB"
    return title
