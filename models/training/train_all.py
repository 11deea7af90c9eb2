"""Train many networks one after the other, within a budget of minutes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from models.training.run_state import load_checkpoint
from models.training.train import train
from models.training.train_settings import TrainSettings

Note = Callable[[str, float], None]
"""Told which network is next, and the minutes that it gets."""


def share(budget: float, work: Sequence[float]) -> list[float]:
    """Split minutes in proportion to the fourth root of each network's work.

    A network of sixteen times the multiplications gets twice the time: the light ones have had
    enough by then, and the heavy ones would take all of it.
    """
    roots = [amount**0.25 for amount in work]
    return [budget * root / sum(roots) for root in roots]


def train_all(
    work: dict[str, float],
    out: Path,
    settings: TrainSettings,
    budget: float,
    note: Note,
    *,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> list[Path]:
    """Train every network that has no finished run in `out`; returns the folders of the new runs.

    Called again after a stop it goes on where it was: minutes that are on record in `out` count, and
    a run that was begun keeps what it was given.

    Parameters
    ----------
    work
        Multiply-accumulates per window of each network to train, by name, in the order to train in.
    out
        Holds a folder ``train-NAME`` for each.
    budget
        Minutes for all of them together.
    """
    folders = {name: out / f"train-{name}" for name in work}
    waiting = [name for name in work if not (folders[name] / "training.json").is_file()]
    runs = []
    for index, name in enumerate(waiting):
        folder = folders[name]
        minutes = _given(folder)
        if minutes is None:
            left = budget - sum(_spent(each) for each in folders.values())
            minutes = share(left, [work[each] for each in waiting[index:]])[0]
        note(name, minutes)
        given = replace(settings, minutes=minutes)
        runs.append(train(name, folder, given, data_dir=data_dir, device=device, threads=threads))
    return runs


def _given(folder: Path) -> float | None:
    """Minutes that a run was given when it was begun."""
    checkpoint = folder / "checkpoint.pt"
    minutes: float | None = None
    if checkpoint.is_file():
        minutes = load_checkpoint(checkpoint)["settings"]["minutes"]
    return minutes


def _spent(folder: Path) -> float:
    """Minutes that a run has taken so far."""
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return float(json.loads(lines[-1])["seconds"]) / 60 if lines else 0.0
