"""A single-lead 1-D U-Net with dilated convolutions at its bottleneck.

The plan, contracting and expanding convolutions with concatenated skips, is that of Ronneberger,
Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015
(doi 10.1007/978-3-319-24574-4_28), in one dimension. Ours are the residual blocks, the dilated
bottom, which lets every output see the whole two seconds, and the normalisation inside the graph.
"""

import torch
from torch import Tensor, nn

CHANNELS = (16, 32, 64, 96, 128)
KERNELS = (9, 7, 7, 5, 5)
DILATIONS = (1, 2, 4, 8)
FLOOR_MV = 0.01
"""A window quieter than this is not amplified to unit variance."""


class Residual(nn.Module):
    """Two convolutions with batch norm, added to their input; shape (batch, channels, time) kept."""

    def __init__(self, channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        pad = dilation * (kernel // 2)
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, kernel, padding=pad, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels),
            nn.SiLU(),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution → batch norm → SiLU; time is divided by the stride."""
    pad = (kernel - stride + 1) // 2
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=pad, bias=False),
        nn.BatchNorm1d(outputs),
        nn.SiLU(),
    )


class UNet(nn.Module):
    """Cleans windows of one lead: (batch, 1, samples) in mV → the same shape in mV.

    The number of samples must be a multiple of 16. Each window is centred and scaled by its own
    mean and standard deviation, so that a lead's gain and offset do not matter; the output is
    scaled back and has no baseline. The statistics reach no further than the window does.
    """

    def __init__(self, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.stem = _convolution(1, channels[0], 15)
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(i, o, 4, stride=2), Residual(o, k))
            for i, o, k in zip(channels, channels[1:], KERNELS[1:], strict=False)
        )
        self.bottom = nn.Sequential(
            *(Residual(channels[-1], KERNELS[-1], dilation) for dilation in DILATIONS)
        )
        levels = list(zip(channels[:-1], channels[1:], KERNELS[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose1d(o, i, 4, stride=2, padding=1) for i, o, _ in levels)
        self.merge = nn.ModuleList(_convolution(2 * i, i, k) for i, _, k in levels)
        self.head = nn.Conv1d(channels[0], 1, 9, padding=4)

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = torch.sqrt((centred * centred).mean(dim=-1, keepdim=True) + FLOOR_MV**2)
        h = self.stem(centred / scale)
        skips = [h]
        for down in self.down:
            h = down(h)
            skips.append(h)
        h = self.bottom(skips.pop())
        for up, merge in zip(self.up, self.merge, strict=True):
            h = merge(torch.cat([up(h), skips.pop()], dim=1))
        return self.head(h) * scale
