"""Trained weights on disk: safetensors, without pickle, as training writes them or laid out to compress.

What the package ships keeps each float32 tensor as four planes of bytes, (4, *shape), the lowest first:
signs and exponents of neighbours are alike and lie together, so the wheel is 8 % smaller. Nothing is lost.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Weights = Mapping[str, NDArray[Any]]
"""Tensors by their name in the network's state dict."""
_LAYOUT = {"layout": "float32 as byte planes"}


def read_weights(path: Path) -> Weights:
    """Tensors of a file in either layout.

    Raises
    ------
    InputError
        If it is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            planes = file.metadata() == _LAYOUT
            found = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise InputError(f"{path} holds no weights: {error}") from error
    return {
        name: _joined(values) if planes and values.dtype == np.uint8 else values
        for name, values in found.items()
    }


def write_weights(path: Path, weights: Weights) -> None:
    """Write tensors in planes of bytes, to a temporary name first."""
    from safetensors.numpy import save_file

    temporary = path.with_suffix(".tmp")
    split = {
        name: _split(values) if values.dtype == np.float32 else values for name, values in weights.items()
    }
    save_file(split, temporary, metadata=_LAYOUT)
    os.replace(temporary, path)


def read_tensors(path: Path) -> dict[str, "Tensor"]:
    """`read_weights` for torch."""
    import torch

    return {name: torch.from_numpy(values) for name, values in read_weights(path).items()}


def load_weights(network: "nn.Module", path: Path) -> None:
    """Put the weights of a file into a network in torch.

    Raises
    ------
    InputError
        If they are another network's.
    """
    try:
        network.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise InputError(f"{path} holds weights of another network: {error}") from error


def _split(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    # Little-endian on every machine, as safetensors is.
    parts = np.asarray(values, "<f4", order="C")[..., None].view(np.uint8)
    return np.ascontiguousarray(np.moveaxis(parts, -1, 0))


def _joined(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    # A copy, for what is contiguous already may have strides that torch refuses.
    parts = np.moveaxis(planes, 0, -1).copy()
    return parts.view("<f4")[..., 0].astype(np.float32, copy=False)
