"""Train the two networks of notebooks as those do, on their own few windows, and keep the result.

MSE and Adam at 1e-3, as long as there, from weights drawn as Keras draws them: after so few steps
that is seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import registry
from models.benches.notebooks import (
    Examples,
    Windows,
    gated_examples,
    gated_records,
    mean_square,
    small_examples,
    variance_snr_db,
)
from models.benches.notebooks_results import append_notebook
from models.training.epochs import about, begin, learn_once, prepare, run, run_epochs
from streamer.errors import InputError

SEED = 42


@dataclass(frozen=True)
class NotebookSettings:
    """One run."""

    epochs: int
    batch: int
    seed: int = SEED


NOTEBOOKS = {"cdae-bam": (gated_examples, 50, 64), "cnn-autoencoder": (small_examples, 20, 32)}
"""Networks with a notebook: its windows, epochs, and the size of a batch."""


def train_notebook(
    name: str,
    out: Path,
    *,
    epochs: int | None = None,
    seed: int = SEED,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> dict[str, Any]:
    """Train network `name` as its notebook does; returns the row that `out`'s results file gets.

    Parameters
    ----------
    out
        Gets a folder for the run, with its checkpoint, from which a stopped run goes on, and
        ``notebooks.jsonl``, a line per finished run.
    epochs
        None is as many as there.
    seed
        Of weights and noise; the split is the notebook's.

    Raises
    ------
    InputError
        If the network has no notebook.
    """
    spec = registry.find_network(name)
    if name not in NOTEBOOKS or spec.replica is None:
        raise InputError(f"{name!r} has no notebook; there are {', '.join(NOTEBOOKS)}")
    load, usual, batch = NOTEBOOKS[name]
    settings = NotebookSettings(epochs or usual, batch, seed)
    where = prepare(device, threads, seed)
    network = spec.replica()
    _draw_weights(network)
    folder = out / f"{name}-{settings.epochs}-{seed}"
    state = begin(name, network, folder, settings, _rate, where)

    examples = load(seed, data_dir)
    noisy, clean = (torch.from_numpy(side).to(where) for side in examples.train)
    loss = nn.functional.mse_loss
    run_epochs(state, settings.epochs, folder, lambda: learn_once(state, noisy, clean, batch, loss))

    def cleaned(windows: Windows) -> Windows:
        return run(state.network, torch.from_numpy(windows).to(where))

    scored = _score_gated(examples, cleaned, seed, data_dir) if load is gated_examples else {}
    test = examples.test
    row = {
        "system": name,
        "epochs": settings.epochs,
        "seed": seed,
        "train_mse": round(mean_square(examples.train[1], cleaned(examples.train[0])), 5),
        "test_mse": round(mean_square(test[1], cleaned(test[0])), 5),
        "test_mse_in": round(mean_square(test[1], test[0]), 5),
        **scored,
        **about(state, where),
    }
    append_notebook(out, row)
    return row


def _score_gated(examples: Examples, cleaned: Any, seed: int, data_dir: Path | None) -> dict[str, Any]:
    """SNR by variance, in and out, dB: of the test windows, and of all others of the records."""
    noisy, clean = examples.test
    records = {
        name: [round(variance_snr_db(whole, each), 3) for each in (rough, cleaned(rough))]
        for name, (rough, whole) in gated_records(seed, data_dir).items()
    }
    return {
        "snr_in_db": round(variance_snr_db(clean, noisy), 3),
        "snr_out_db": round(variance_snr_db(clean, cleaned(noisy)), 3),
        "records_db": records,
    }


def _draw_weights(network: nn.Module) -> None:
    """Glorot's uniform weights, and no bias."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _rate(epoch: int, epochs: int) -> float:
    return 1.0
