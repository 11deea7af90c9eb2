"""Normalise the input of a published network, and undo it at its output.

The published networks saw inputs whose scale their authors had settled offline, most often with the
mean and standard deviation of a whole data set. A stream offers only its newest window, so the statistics
are those of the noisy window, computed inside the exported graph.
"""

import torch
from torch import Tensor, nn

from models.networks.unet import FLOOR_MV


class Normalised(nn.Module):
    """A network between z-score and its inverse: (batch, leads, samples) in mV → the same shape.

    Each lead of each window is centred and divided by its own standard deviation; the output is scaled back
    and has no baseline. Windows quieter than `FLOOR_MV` are not amplified.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = torch.sqrt((centred * centred).mean(dim=-1, keepdim=True) + FLOOR_MV**2)
        output: Tensor = self.network(centred / scale)
        return output * scale
