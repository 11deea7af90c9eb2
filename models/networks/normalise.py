"""The scale of a stream, taken out before a published network and put back behind it.

The published networks saw inputs whose scale their authors had settled offline, most often with the
mean and standard deviation of a whole data set. A stream knows its newest window and no more, so the
statistics are those of the noisy window, and they belong to the exported graph.
"""

import torch
from torch import Tensor, nn

from models.networks.unet import FLOOR_MV


class Normalised(nn.Module):
    """A network between z-score and its inverse: (batch, leads, samples) in mV → the same shape.

    Each lead of each window is centred and divided by its own standard deviation; the output gets
    that scale back and has no baseline. A window quieter than `FLOOR_MV` is not blown up.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = torch.sqrt((centred * centred).mean(dim=-1, keepdim=True) + FLOOR_MV**2)
        output: Tensor = self.network(centred / scale)
        return output * scale
