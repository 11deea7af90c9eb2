"""DACNN: an adaptively activated convolutional autoencoder with dual attention in its decoder.

Paper: He et al., "Dual Attention Convolutional Neural Network Based on Adaptive Parametric ReLU for
Denoising ECG Signals with Strong Noise", EMBC 2021 (doi 10.1109/EMBC46164.2021.9630123), whose layer
table was not to be had. Source: the re-implementation in github.com/mallocobject/DANCE at a39f1e9,
which gives the seed table's row.

Deviations: none in the network. 286 745 parameters.
"""

import torch
from torch import Tensor, nn

CHANNELS = (2, 16, 32, 64, 128)
KERNELS = (11, 5, 5, 5)


class APReLU(nn.Module):
    """ReLU whose negative slope is learnt from the signal itself; (batch, channels, time) kept.

    Zhao et al., IEEE Trans. Ind. Electron. 68(3), 2021 (doi 10.1109/TIE.2020.2972458).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.slope = nn.Sequential(
            nn.Linear(2 * channels, 2 * channels),
            nn.BatchNorm1d(2 * channels),
            nn.ReLU(),
            nn.Linear(2 * channels, channels),
            nn.BatchNorm1d(channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        positive, negative = torch.relu(x), -torch.relu(-x)
        slope = self.slope(torch.cat([positive.mean(dim=-1), negative.mean(dim=-1)], dim=1))
        return positive + slope[..., None] * negative


class DualAttention(nn.Module):
    """Weighs channels, and instants; (batch, channels, time) kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = nn.Sequential(
            nn.Linear(channels, channels),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Linear(channels, channels),
            nn.BatchNorm1d(channels),
            nn.Sigmoid(),
        )
        self.instant = nn.Conv1d(2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        # Two sigmoids in a row, as published.
        channel = torch.sigmoid(self.channel(x.mean(dim=-1)) + self.channel(x.amax(dim=-1)))
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.instant(pooled)) * channel[..., None] * x


class DACNN(nn.Module):
    """Cleans pairs of leads: (batch, 2, samples) → the same shape; samples divide by 16."""

    def __init__(self) -> None:
        super().__init__()
        levels = list(zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False))
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(i, o, kernel, stride=2, padding=kernel // 2), APReLU(o), nn.BatchNorm1d(o)
            )
            for i, o, kernel in levels
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose1d(o, i, kernel, stride=2, padding=kernel // 2, output_padding=1),
                APReLU(i),
                nn.BatchNorm1d(i),
                *([DualAttention(i)] if i > CHANNELS[0] else []),
            )
            for i, o, kernel in reversed(levels)
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = up(x)
            if skips:
                x = x + skips.pop()
        return x
