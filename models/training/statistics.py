"""Statistics of a network's aimed norms, gathered for every look-ahead that they know."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.networks.lowdelay import LowDelay
from models.networks.step_layers import POINT_EVERY, POINTS, AimedNorm


def spread_out(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network whose norms had one set of statistics for all look-aheads, for one that has many.

    Every point begins with what all of them shared.
    """
    shapes = LowDelay().state_dict()
    return {
        name: value.expand(POINTS, -1).clone()
        if name.endswith(("running_mean", "running_var")) and shapes[name].shape != value.shape
        else value
        for name, value in weights.items()
        if name in shapes
    }


@torch.no_grad()
def gather(network: LowDelay, batches: Sequence[Tensor]) -> None:
    """Set the statistics of every point from noisy batches, (rows, 1, samples) mV; no weight changes."""
    norms = [module for module in network.modules() if isinstance(module, AimedNorm)]
    network.eval()
    for norm in norms:
        norm.train()
    before = [norm.momentum for norm in norms]
    for count, noisy in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 / count
        network.answers(noisy, [POINT_EVERY * point for point in range(POINTS)])
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    network.eval()
