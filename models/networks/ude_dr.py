"""Ude-net and DR-net: a U-net that denoises, then a network that restores what the first one lost.

Paper: Qiu et al., "Two-stage ECG signal denoising based on deep convolutional network", Physiol. Meas.
42(11), 2021 (doi 10.1088/1361-6579/ac34ea). Source: the authors' code,
github.com/LishenQ-1995/ECG-processing at 06c3f5f. The channel attention is that of Woo et al., "CBAM",
ECCV 2018 (doi 10.1007/978-3-030-01234-2_1); the spatial attention that the code creates and never
calls is left out.

Deviations: both stages are one network here, and its window is a stream's (any multiple of 20), where
the original saw 3600 samples. 276 545 and 228 612 parameters.
"""

import torch
from torch import Tensor, nn

from models.networks.parts import LinearUpsample, same

REDUCTION = 8


class ChannelAttention(nn.Module):
    """Weighs channels by their means and maxima; (batch, channels, time) kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(
            nn.Conv1d(channels, channels // REDUCTION, 1, bias=False),
            nn.ReLU(),
            nn.Conv1d(channels // REDUCTION, channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        mean, largest = x.mean(dim=-1, keepdim=True), x.amax(dim=-1, keepdim=True)
        return torch.sigmoid(self.shared(mean) + self.shared(largest)) * x


def _convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(same(inputs, outputs, kernel, dilation), nn.BatchNorm1d(outputs), nn.ReLU())


def _block(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs, kernel), ChannelAttention(outputs))


class ContextComparison(nn.Module):
    """Compares each instant with its wider surroundings; (batch, channels, time) kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near, self.wide = (_convolution(channels, channels, 3, dilation) for dilation in (1, 5))
        self.attention = ChannelAttention(channels)
        self.merge = nn.Conv1d(3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        near = wide = x
        # Twice through the same layers: their weights are shared.
        for _ in range(2):
            near, wide = self.attention(self.near(near)), self.attention(self.wide(wide))
        output: Tensor = self.merge(torch.cat([near, wide, near - wide], dim=1))
        return output


class _Decoder(nn.Module):
    """Upsamples its input to the skip's length, and adds the skip after the first two blocks."""

    def __init__(self, inputs: int, skip: int, outputs: int, kernel: int, factor: int) -> None:
        super().__init__()
        self.grow = LinearUpsample(factor)
        self.first = _block(inputs + skip, skip, kernel)
        self.second = _block(skip, skip, kernel)
        self.third = _block(skip, outputs, kernel)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.first(torch.cat([self.grow(x), skip], dim=1)) + skip
        output: Tensor = self.third(self.second(x) + skip)
        return output


class UdeNet(nn.Module):
    """First stage: (batch, 1, samples) → the same shape; samples divide by 20."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(_block(i, o, kernel), _block(o, o, kernel), _block(o, o, kernel))
            for i, o, kernel in ((1, 16, 25), (16, 32, 15), (32, 48, 5))
        )
        self.pools = nn.ModuleList(nn.AvgPool1d(factor) for factor in (5, 2, 2))
        self.bottom = nn.Sequential(_block(48, 64, 3), ContextComparison(64), _block(64, 64, 3))
        self.decoders = nn.ModuleList(
            [_Decoder(64, 48, 32, 5, 2), _Decoder(32, 32, 16, 15, 2), _Decoder(16, 16, 16, 25, 5)]
        )
        self.head = nn.Conv1d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for encoder, pool in zip(self.encoders, self.pools, strict=True):
            skips.append(encoder(x))
            x = pool(skips[-1])
        x = self.bottom(x)
        for decoder in self.decoders:
            x = decoder(x, skips.pop())
        output: Tensor = self.head(x)
        return output


class _Residual(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.first, self.second = (same(channels, channels, kernel) for _ in range(2))
        self.attention = ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.attention(torch.relu(self.first(x)))
        return self.attention(torch.relu(self.second(h))) + x


class DRNet(nn.Module):
    """Second stage: noisy and first stage (batch, 2, samples) → (batch, 1, samples); any length.

    The sum of four branches, each with convolutions of another length.
    """

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                same(2, 32, kernel), *(_Residual(32, kernel) for _ in range(3)), same(32, 1, kernel)
            )
            for kernel in (3, 5, 13, 15)
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second, third, fourth = (branch(x) for branch in self.branches)
        output: Tensor = first + second + third + fourth
        return output


class UdeDR(nn.Module):
    """Both stages: (batch, 1, samples) → the same shape; samples divide by 20.

    The original trains `ude` first, and `dr` on its output.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ude, self.dr = UdeNet(), DRNet()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.dr(torch.cat([x, self.ude(x)], dim=1))
        return output
