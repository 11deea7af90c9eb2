"""Train a network on the QTDB bench as that literature does, score it on the test beats, keep the result.

Adam at 1e-3, batches of 128, the loss of each network's line in the bench. One difference: the authors
stop when the loss no longer falls, after some hundred epochs on a GPU; here a cosine takes the rate to
zero over a given number of epochs.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import registry
from models.benches.qtdb import NoiseVersion, load_examples
from models.benches.qtdb_results import append_result
from models.benches.qtdb_scores import score_records
from models.training.epochs import Loss, about, begin, learn_once, prepare, run, run_epochs
from streamer.errors import InputError

BATCH = 128


def squared_differences(output: Tensor, clean: Tensor) -> Tensor:
    """Sum over each window, mean over windows."""
    return torch.square(output - clean).sum(dim=-1).mean()


def largest_and_sum(output: Tensor, clean: Tensor) -> Tensor:
    """DeepFilter's own: 50 times the largest squared difference, and the sum of all of them."""
    squared = torch.square(output - clean)
    return (50 * squared.amax(dim=-1) + squared.sum(dim=-1)).mean()


LOSSES: dict[str, Loss] = {
    "drnn": nn.functional.mse_loss,
    "fcn-dae": squared_differences,
    "deepfilter": largest_and_sum,
}
"""What each of the bench's networks minimises."""


@dataclass(frozen=True)
class QtdbSettings:
    """One run: which version of the noise, and how long."""

    version: NoiseVersion = 1
    epochs: int = 100
    seed: int = 42


def _rate(epoch: int, epochs: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * epoch / epochs))


def train_qtdb(
    name: str,
    out: Path,
    settings: QtdbSettings,
    *,
    data_dir: Path | None = None,
    device: str = "auto",
    threads: int = 0,
) -> dict[str, Any]:
    """Train network `name` as published; returns the row that `out`'s results file gets.

    Parameters
    ----------
    out
        Gets a folder for the run, with its checkpoint, from which a stopped run goes on, and
        ``qtdb.jsonl``, a line per finished run.

    Raises
    ------
    InputError
        If the network is none of the bench.
    """
    replica = registry.find_network(name).replica
    if name not in LOSSES or replica is None:
        raise InputError(f"{name!r} is no network of the QTDB bench; those are: {', '.join(LOSSES)}")
    where = prepare(device, threads, settings.seed)
    folder = out / f"{name}-qtdb-{settings.version}-{settings.epochs}-{settings.seed}"
    state = begin(name, replica(), folder, settings, _rate, where)

    examples = load_examples(settings.version, data_dir)
    noisy, clean = (torch.from_numpy(side[:, None]).to(where) for side in examples.train)
    run_epochs(state, settings.epochs, folder, lambda: learn_once(state, noisy, clean, BATCH, LOSSES[name]))
    output = run(state.network, torch.from_numpy(examples.test[0][:, None]).to(where))[:, 0]
    row = {
        "system": name,
        "noise_version": settings.version,
        "epochs": settings.epochs,
        "seed": settings.seed,
        "training_beats": len(noisy),
        **about(state, where),
        "records": score_records(examples.test[1], output, examples.owners),
    }
    append_result(out, row)
    return row
