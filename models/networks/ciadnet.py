"""CIADNet: a U-Net whose encoder shrinks what looks like noise, by channel and by time.

Source: github.com/mallocobject/DANCE around a39f1e9 (7 Nov 2025); its threshold is learnt as in the
deep residual shrinkage network of Zhao et al., IEEE Trans. Ind. Inform. 16(7), 2020
(doi 10.1109/TII.2019.2943898). The modules changed daily and no revision is named for the published
row; this is the one whose parameter counts agree with the study's.

Deviations: the original takes the channel threshold from the signed mean, so that a channel of
negative mean is amplified; ours takes the mean magnitude, unless `replica`. 180 338 parameters with
both shrinkages, 179 618 with the channel's alone, 159 058 with the spatial one alone.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from models.networks.parts import soft_threshold
from models.networks.seed_unet import SeedUNet


class ChannelShrink(nn.Module):
    """Soft threshold per channel, a learnt share of the channel's mean; (batch, channels, time)."""

    def __init__(self, channels: int, *, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self.share = nn.Sequential(
            nn.Linear(channels, channels // 2, bias=False),
            nn.ReLU(),
            nn.Linear(channels // 2, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        mean = (x if self.signed else x.abs()).mean(dim=-1)
        return soft_threshold(x, (mean * self.share(mean))[..., None])


class SpatialShrink(nn.Module):
    """Damps the instants at which all channels are large together; (batch, channels, time)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(channels, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return (1 - torch.sigmoid(self.attention(x.abs()))) * x


def _shrink(channels: int, *, shrinks: str, replica: bool) -> nn.Module:
    channel = ChannelShrink(channels, signed=replica)
    if shrinks == "channel":
        return channel
    if shrinks == "spatial":
        return SpatialShrink(channels, 5)
    return nn.Sequential(channel, SpatialShrink(channels, 3))


class CIADNet(SeedUNet):
    """Cleans pairs of leads: (batch, 2, samples) → the same shape; samples divide by 16.

    Parameters
    ----------
    shrinks
        Which of the two shrinkages; one alone is an ablation of the study.
    replica
        Signed means, as in the original.
    """

    def __init__(
        self, shrinks: Literal["channel", "spatial", "both"] = "both", *, replica: bool = False
    ) -> None:
        super().__init__(partial(_shrink, shrinks=shrinks, replica=replica))
