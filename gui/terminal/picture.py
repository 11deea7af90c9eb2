"""The picture that a run leaves: its last seconds, and how long its samples took."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.run.protocol import Outcome
from engine.run.summary import StreamSummary, Summary


def save_pictures(outcome: Outcome, path: Path) -> list[Path]:
    """Draw a run: of several streams each has a file, numbered. Returns the files."""
    count = len(outcome.streams)
    paths = [path] if count == 1 else [path.with_stem(f"{path.stem}-{n}") for n in range(1, count + 1)]
    for number, each in enumerate(paths):
        save_picture(outcome, each, number)
    return paths


def save_picture(outcome: Outcome, path: Path, number: int = 0) -> None:
    """Draw raw, cleaned and reference of a stream's first lead over the histogram of its delays.

    Parameters
    ----------
    path
        Its ending chooses the format; ``.png`` is usual.
    number
        Which stream, from 0.
    """
    from matplotlib.figure import Figure

    one, stream = outcome.summary.streams[number], outcome.streams[number]
    fs = one.fs_hz
    figure = Figure(figsize=(12, 8), layout="constrained")
    raw_axes, reference_axes, delay_axes = figure.subplots(3, 1, height_ratios=[3, 3, 2])
    if stream.traces:
        time_s = np.concatenate([m.start + np.arange(m.raw.shape[1]) for m in stream.traces]) / fs
        # A gap must not be drawn as a straight line.
        breaks = np.flatnonzero(np.diff(time_s) > 1.5 / fs) + 1

        def lead(name: str) -> NDArray[np.float32]:
            return np.concatenate([getattr(m, name)[0] for m in stream.traces])

        def draw(axes: Any, name: str, **style: object) -> None:
            values = np.insert(lead(name).astype(float), breaks, np.nan)
            axes.plot(np.insert(time_s, breaks, np.nan), values, **style)

        draw(raw_axes, "raw", color="0.45", lw=0.7, label="raw")
        if stream.traces[0].reference is not None:
            draw(reference_axes, "reference", color="tab:orange", lw=2.2, alpha=0.6, label="clean reference")
        draw(reference_axes, "cleaned", color="tab:blue", lw=0.9, label="cleaned")
        reference_axes.sharex(raw_axes)
    for axes in (raw_axes, reference_axes):
        axes.set_ylabel(f"{one.leads[0]} (mV)")
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    reference_axes.set_xlabel("time (s)")
    raw_axes.set_title(_title(outcome.summary, one))
    if stream.delay_counts.size:
        delay_axes.stairs(stream.delay_counts, stream.delay_edges_ms, fill=True, color="tab:blue")
    delay = one.delay_ms
    label = f"algorithmic {delay.algorithmic:.0f} ms"
    delay_axes.axvline(delay.algorithmic, color="tab:red", ls="--", label=label)
    if math.isfinite(delay.p99):
        delay_axes.axvline(delay.p99, color="k", ls=":", label=f"p99 {delay.p99:.0f} ms")
    delay_axes.set_xlabel("delay of a sample (ms)")
    delay_axes.set_ylabel("samples")
    delay_axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)


def _title(summary: Summary, one: StreamSummary) -> str:
    title = f"{one.source} · {summary.model} · look-ahead {summary.lookahead_ms:.0f} ms"
    if one.noise:
        title += f" · {'+'.join(one.noise)} at {one.noise_snr_db:g} dB ({one.snr_definition})"
    if math.isfinite(one.snr_in_db):
        title += f" · SNR {one.snr_in_db:.1f} → {one.snr_out_db:.1f} dB"
    return title
