"""A wider network that begins by answering as the narrow one does.

Every new channel is a copy of an old one, and what listens to a channel of so many copies listens to each
of them by as much less (Net2WiderNet: Chen, Goodfellow & Shlens, "Net2Net: accelerating learning via
knowledge transfer", ICLR 2016, arXiv 1511.05641). Copies that hear the same would learn the same for ever, so
that each hears with weights a little of its own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.networks.lowdelay import LowDelay
from streamer.errors import InputError

NOISE = 0.02
"""What a copy's weights differ by, as a share of the layer's own deviation."""

_INPUTS = {
    "encoder.1": ("encoder.0",), "encoder.2": ("encoder.1",), "gru": ("trunk",), "coarse": ("fine",),
    "up.0": ("trunk",), "merge.0": ("up.0", "coarse"), "up.1": ("merge.0",), "merge.1": ("up.1", "fine"),
    "head": ("merge.1",),
}  # fmt: skip
"""Whose channels a layer hears; "trunk": those that encoder.2 and all that is added to it share."""


def widen(narrow: LowDelay, wide: LowDelay, noise: float = NOISE, seed: int = 0) -> None:
    """Load into `wide` what `narrow` is, statistics of norms included; the GRU keeps its size.

    Raises
    ------
    InputError
        If `wide` has no more channels, or a GRU of another size.
    """
    draw = torch.Generator().manual_seed(seed)
    old, new = narrow.state_dict(), wide.state_dict()
    if narrow.gru.hidden_size != wide.gru.hidden_size:
        raise InputError("widening keeps the GRU; give a network with as large a one")
    had, has = (each.recall.out_channels for each in (narrow, wide))
    if has <= had:
        raise InputError(f"{has} channels are no more than the {had} that the network has; widen it to more")
    origins: dict[str, Tensor] = {}

    def origin(layer: str) -> Tensor:
        """Which of the old channels each of a layer's new ones is."""
        name = _channels_of(layer)
        if name not in origins:
            example = "encoder.2" if name == "trunk" else name
            weight = f"{example}.weight" if f"{example}.weight" in old else f"{example}.conv.weight"
            # A layer that doubles the rate has two outputs to a channel.
            each = 2 if name.startswith("up.") else 1
            origins[name] = _copies(len(old[weight]) // each, len(new[weight]) // each, draw)
        return origins[name]

    for name, value in old.items():
        layer, _, part = name.rpartition(".")
        layer = layer.removesuffix(".conv").removesuffix(".norm")
        if value.shape == new[name].shape:
            new[name] = value.clone()
            continue
        if layer != "gru":
            outputs = _outputs(layer, origin(layer), len(value))
            # Statistics of aimed norms have the look-ahead before the channels.
            value = value.index_select(value.ndim - 1 if "running" in part else 0, outputs)
        else:
            outputs = torch.arange(len(value))
        if part in ("weight", "weight_ih_l0") and value.ndim > 1 and value.shape != new[name].shape:
            value = _heard(value, [origin(each) for each in _inputs(layer)])
        if "weight" in part and value.ndim > 1 and noise:
            again = [at for at, row in enumerate(outputs.tolist()) if row in outputs[:at]]
            value[again] += noise * old[name].std() * torch.randn(value[again].shape, generator=draw)
        new[name] = value
    wide.load_state_dict(new)


def _channels_of(layer: str) -> str:
    """The set of channels that a layer makes; residual blocks add to the trunk's, and have one within."""
    if layer in ("encoder.2", "recall", "trunk", "aim.2") or layer.endswith(".mix"):
        return "trunk"
    return layer


def _inputs(layer: str) -> Sequence[str]:
    if layer.endswith(".listen"):
        return ("trunk",)
    if layer.endswith(".mix"):
        return (layer.replace(".mix", ".listen"),)
    return _INPUTS[layer]


def _copies(old: int, new: int, draw: torch.Generator) -> Tensor:
    return torch.cat([torch.arange(old), torch.randint(old, (new - old,), generator=draw)])


def _outputs(layer: str, origin: Tensor, count: int) -> Tensor:
    """Rows of the old weights that the new ones are copies of."""
    old = int(origin.max()) + 1
    if layer == "aim.2":
        # Gains and offsets of every block, the trunk's channels each.
        return (old * torch.arange(count // old)[:, None] + origin).flatten()
    if layer.startswith("up."):
        return (2 * origin[:, None] + torch.arange(2)).flatten()
    return origin


def _heard(weight: Tensor, origins: Sequence[Tensor]) -> Tensor:
    """Weights (outputs, inputs, …) that hear copies, each by its share."""
    pieces, first = [], 0
    for origin in origins:
        share = 1 / torch.bincount(origin).float()[origin]
        shape = (1, -1, *(1,) * (weight.ndim - 2))
        pieces.append(weight.index_select(1, first + origin) * share.view(shape))
        first += int(origin.max()) + 1
    return torch.cat(pieces, dim=1)
