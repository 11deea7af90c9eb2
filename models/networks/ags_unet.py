"""AGS-UNet: a U-Net whose encoder shrinks its channels and whose skips are gated by the decoder.

Source: github.com/mallocobject/AGS-UNet at fb326a0 (31 Oct 2025); no publication is named. The gates
are those of Oktay et al., "Attention U-Net", 2018 (arXiv 1804.03999), the thresholds those of Zhao et
al., IEEE Trans. Ind. Inform. 16(7), 2020 (doi 10.1109/TII.2019.2943898).

Deviations, unless `replica`: no LeakyReLU behind the last layer, where it presses negative samples to
a hundredth; and thresholds from the mean magnitude instead of the signed mean, which amplifies where
it is negative. 169 923 parameters either way.
"""

import torch
from torch import Tensor, nn

from models.networks.parts import LinearUpsample, same, same_transposed, soft_threshold

CHANNELS = (2, 16, 32, 64, 128)
KERNELS = (11, 5, 5, 5)


class Shrinkage(nn.Module):
    """Soft threshold per channel, a learnt share of its mean; (batch, channels, time) kept."""

    def __init__(self, channels: int, *, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self.share = nn.Sequential(
            nn.Linear(channels, channels),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Linear(channels, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        mean = (x if self.signed else x.abs()).mean(dim=-1)
        return soft_threshold(x, (mean * self.share(mean))[..., None])


def _normed(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inputs, outputs, 1), nn.BatchNorm1d(outputs))


class Gate(nn.Module):
    """Lets through of a skip what the decoder asks for, and merges both; shapes are equal."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.asked, self.offered = _normed(channels, channels // 2), _normed(channels, channels // 2)
        self.weight = _normed(channels // 2, 1)
        self.merge = _normed(2 * channels, channels)

    def forward(self, decoded: Tensor, skip: Tensor) -> Tensor:
        wanted = torch.relu(self.asked(decoded) + self.offered(skip))
        gated = torch.sigmoid(self.weight(wanted)) * skip
        return torch.relu(self.merge(torch.cat([gated, decoded], dim=1)))


class AGSUNet(nn.Module):
    """Cleans pairs of leads: (batch, 2, samples) → the same shape; samples divide by 16.

    Parameters
    ----------
    replica
        With the two defects of the original.
    """

    def __init__(self, *, replica: bool = False) -> None:
        super().__init__()
        levels = list(zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False))
        self.down = nn.ModuleList(
            nn.Sequential(same(i, o, kernel), Shrinkage(o, signed=replica), nn.LeakyReLU())
            for i, o, kernel in levels
        )
        self.pool, self.grow = nn.MaxPool1d(2), LinearUpsample()
        self.up = nn.ModuleList(same_transposed(o, i, kernel) for i, o, kernel in reversed(levels))
        self.gates = nn.ModuleList(Gate(channels) for channels in CHANNELS[3:0:-1])
        self.activation = nn.LeakyReLU()
        self.last = nn.LeakyReLU() if replica else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            x = self.pool(down(x))
            skips.append(x)
        skips.pop()
        *ups, last = self.up
        for up, gate in zip(ups, self.gates, strict=True):
            x = gate(self.activation(self.grow(up(x))), skips.pop())
        output: Tensor = self.last(self.grow(last(x)))
        return output
