"""Weights that a training begins with, and what is known of how they were made."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from models import registry
from models.storage import read_tensors
from streamer.errors import InputError


@dataclass(frozen=True)
class Beginning:
    """Weights to begin with.

    Parameters
    ----------
    weights
        Tensors by their name in the network's state dict.
    report
        What the training that made them said of itself; empty where nothing lies beside them.
    sha256
        Of their file.
    """

    weights: dict[str, Tensor]
    report: dict[str, Any]
    sha256: str


def read_beginning(begin: Path) -> Beginning:
    """Read the folder of a finished run, or a file of weights beside which its card may lie.

    Raises
    ------
    InputError
        If there are no weights.
    """
    file = begin / "weights.safetensors" if begin.is_dir() else begin
    if not file.is_file():
        raise InputError(f"{begin} holds no weights to begin with; give a finished run, or a .safetensors")
    told = begin / "training.json" if begin.is_dir() else begin.with_suffix(".json")
    report = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    if "training" in report:  # a card: what it says of scores is no part of how they were trained
        about = ("protocol", "data", "data_licence", "attribution")
        report = report["training"] | {name: report[name] for name in about}
    return Beginning(read_tensors(file), report, registry.sha256(file))
