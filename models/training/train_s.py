"""Train a network on Track S as its authors did, score it on their test windows, keep the result.

MSE, Adam at 1e-3, a tenth of that from epoch 40 on, batches of 64, 100 epochs, no validation: the
network of the last epoch is scored. One network per noise and SNR.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models import registry
from models.benches.track_s import LEADS, WINDOW, Condition, Windows, load_examples
from models.benches.track_s_results import append_result, result_row
from models.training.epochs import about, begin, learn_once, prepare, run, run_epochs
from streamer.errors import InputError

BATCH = 64
SLOWER_FROM = 40
"""Epoch from which the rate is a tenth."""


@dataclass(frozen=True)
class TrackSSettings:
    """One run: what is trained for, and how long."""

    condition: Condition
    epochs: int = 100
    seed: int = 42


def _rate(epoch: int, epochs: int) -> float:
    return 1.0 if epoch < SLOWER_FROM else 0.1


def run_name(name: str, settings: TrackSSettings) -> str:
    """Folder of a run: the network and all that makes it different from the others."""
    return f"{name}-{settings.condition.word}-{settings.epochs}-{settings.seed}"


def train_s(
    name: str,
    out: Path,
    settings: TrackSSettings,
    *,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> dict[str, Any]:
    """Train network `name` as it was published; returns the row that `out`'s results file gets.

    Parameters
    ----------
    out
        Gets a folder for the run, with its checkpoint, from which a stopped run goes on, and
        ``results.jsonl``, a line per finished run.

    Raises
    ------
    InputError
        If the network is not one of two leads and 256 samples.
    """
    spec = registry.find_network(name)
    replica = spec.replica
    if replica is None or (spec.leads, spec.window) != (LEADS, WINDOW):
        raise InputError(
            f"{name!r} is no published network of {LEADS} leads and {WINDOW} samples, as Track S has them"
        )
    where = prepare(device, threads, settings.seed)
    folder = out / run_name(name, settings)
    state = begin(name, replica(), folder, settings, _rate, where)

    examples = load_examples(settings.condition, data_dir=data_dir)
    mean, sd = _scale(examples.train[0])
    noisy, clean = (torch.from_numpy((side - mean) / sd).to(where) for side in examples.train)
    loss = nn.functional.mse_loss
    run_epochs(state, settings.epochs, folder, lambda: learn_once(state, noisy, clean, BATCH, loss))
    unseen = torch.from_numpy((examples.test[0] - mean) / sd).to(where)
    output = run(state.network, unseen) * sd + mean
    row = result_row(name, settings.condition, examples.test, output) | {
        "epochs": settings.epochs,
        "seed": settings.seed,
        **about(state, where),
    }
    append_result(out, row)
    return row


def _scale(noisy: Windows) -> tuple[Windows, Windows]:
    """Mean and standard deviation of each lead over the noisy training windows, each (1, leads, 1)."""
    mean = noisy.mean(axis=(0, 2), keepdims=True, dtype=np.float64)
    sd = noisy.std(axis=(0, 2), keepdims=True, dtype=np.float64)
    return mean.astype(np.float32), sd.astype(np.float32)
