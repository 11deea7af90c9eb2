"""The losses of a training run as a picture."""

import json
from pathlib import Path


def plot_losses(log: Path, picture: Path, title: str) -> None:
    """Draw training and validation loss against steps from a ``log.jsonl``."""
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    steps = [line["step"] for line in lines]
    for name in ("loss", "validation"):
        axes.plot(steps, [line[name] for line in lines], marker="o", ms=3, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    if min(min(line["loss"], line["validation"]) for line in lines) > 0:
        axes.set_yscale("log")  # a loss that is a logarithm has one already
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=110)


def plot_db(log: Path, picture: Path, title: str) -> None:
    """Draw what is left on validation patients, dB by noise at 100 ms, against hours of signal."""
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    hours = [line["signal_s"] / 3600 for line in lines]
    for name in lines[0]["db"] if lines else ():
        axes.plot(hours, [line["db"][name][1] for line in lines], label=name)
    axes.set_xlabel("hours of signal")
    axes.set_ylabel("SNR out, dB")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(picture, dpi=110)
