"""DeepFilter (multi-kernel, linear and non-linear, dilated: "LANLD").

Paper: Romero et al., "DeepFilter: An ECG baseline wander removal filter using deep learning
techniques", Biomed. Signal Process. Control 70, 2021 (doi 10.1016/j.bspc.2021.102992). Source: the
authors' code, github.com/fperdigon/DeepFilter at cbe65b0 (MIT).

Deviations: none in the network. 68 719 parameters.
"""

import torch
from torch import Tensor, nn

from models.networks.parts import same

KERNELS = (3, 5, 9, 15)
DILATED_KERNELS = (5, 9, 15)
WIDTHS = (64, 64, 32, 32, 16, 16)
"""Nominal filters of each module; every second one is dilated."""
DROPOUT = 0.4


class MultiKernel(nn.Module):
    """Parallel convolutions, half of them linear, half behind a ReLU; (batch, inputs, time)."""

    def __init__(self, inputs: int, width: int, *, dilated: bool) -> None:
        super().__init__()
        kernels, dilation = (DILATED_KERNELS, 3) if dilated else (KERNELS, 1)
        each = width // (2 * len(kernels))
        self.linear, self.bent = (
            nn.ModuleList(same(inputs, each, kernel, dilation) for kernel in kernels) for _ in range(2)
        )
        self.outputs = 2 * each * len(kernels)
        self.settle = nn.Sequential(nn.Dropout(DROPOUT), nn.BatchNorm1d(self.outputs))

    def forward(self, x: Tensor) -> Tensor:
        parts = [layer(x) for layer in self.linear] + [torch.relu(layer(x)) for layer in self.bent]
        output: Tensor = self.settle(torch.cat(parts, dim=1))
        return output


class DeepFilter(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; any length."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for place, width in enumerate(WIDTHS):
            layer = MultiKernel(channels, width, dilated=place % 2 == 1)
            layers.append(layer)
            channels = layer.outputs
        self.layers = nn.Sequential(*layers, same(channels, 1, 9))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layers(x)
        return output
