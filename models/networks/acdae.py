"""ACDAE: an attention-based convolutional denoising autoencoder with skips.

Paper: Singh & Sharma, "Attention-Based Convolutional Denoising Autoencoder for Two-Lead ECG Denoising
and Arrhythmia Classification", IEEE Trans. Instrum. Meas. 71, 2022 (doi 10.1109/TIM.2022.3197757),
whose layer table was not to be had. Source: the re-implementation in github.com/mallocobject/DANCE at
a39f1e9, which gives the seed table's row.

Deviations: none in the network. 201 006 parameters.
"""

import torch
from torch import Tensor, nn

from models.networks.parts import LinearUpsample, same, same_transposed

CHANNELS = (2, 16, 32, 64, 128)
KERNELS = (13, 7, 7, 7)


class ChannelAttention(nn.Module):
    """Weighs channels by a short convolution across their means; (batch, channels, time) kept.

    Wang et al., "ECA-Net", CVPR 2020 (doi 10.1109/CVPR42600.2020.01155).
    """

    def __init__(self) -> None:
        super().__init__()
        self.across = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.across(x.mean(dim=-1)[:, None]))
        return x * weights[:, 0, :, None]


class ACDAE(nn.Module):
    """Cleans pairs of leads: (batch, 2, samples) → the same shape; samples divide by 16."""

    def __init__(self) -> None:
        super().__init__()
        levels = list(zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False))
        self.down = nn.ModuleList(same(i, o, kernel) for i, o, kernel in levels)
        self.bottom = same(CHANNELS[-1], CHANNELS[-1], 3)
        self.up = nn.ModuleList(same_transposed(o, i, kernel) for i, o, kernel in reversed(levels))
        self.attention = nn.ModuleList(ChannelAttention() for _ in levels)
        self.pool, self.grow, self.activation = nn.MaxPool1d(2), LinearUpsample(), nn.LeakyReLU()

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            skips.append(self.activation(down(x)))
            x = self.pool(skips[-1])
        x = self.activation(self.bottom(x))
        for attention, up in zip(self.attention, self.up, strict=True):
            x = up(attention(self.grow(x)) + skips.pop())
            if skips:
                x = self.activation(x)
        return x
