"""Small parts that several published networks share, written with plain operators.

TensorRT runs all of them fast; the graph that torch exports for `nn.Upsample(mode="linear")` it runs slowly.
"""

import torch
from torch import Tensor, nn


class LinearUpsample(nn.Module):
    """Linear interpolation in time by a whole factor: (batch, channels, samples) → factor × samples.

    Equal to ``interpolate(mode="linear", align_corners=False)``: new samples lie at half-pixel
    places, and the edges repeat.
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.shifts = [(place + 0.5) / factor - 0.5 for place in range(factor)]

    def forward(self, x: Tensor) -> Tensor:
        before = torch.cat([x[..., :1], x[..., :-1]], dim=-1)
        after = torch.cat([x[..., 1:], x[..., -1:]], dim=-1)
        placed = [
            (1 - abs(shift)) * x + abs(shift) * (before if shift < 0 else after) for shift in self.shifts
        ]
        return torch.stack(placed, dim=-1).flatten(-2)


class Repeat(nn.Module):
    """Every sample twice: Keras' ``UpSampling1D(2)``."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x, x], dim=-1).flatten(-2)


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    """Move every value by `threshold` towards zero; smaller values become zero."""
    return torch.sign(x) * torch.relu(x.abs() - threshold)


def same(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    """Convolution with bias whose output is as long as its input; `kernel` is odd."""
    return nn.Conv1d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)


def same_transposed(inputs: int, outputs: int, kernel: int) -> nn.ConvTranspose1d:
    """Transposed convolution of stride 1 whose output is as long as its input; `kernel` is odd."""
    return nn.ConvTranspose1d(inputs, outputs, kernel, padding=kernel // 2)
