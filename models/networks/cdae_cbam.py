"""CDAE with convolutional block attention (published under the name CDAE-BAM).

Paper: Chorney et al., "Convolutional block attention autoencoder for denoising electrocardiograms",
Biomed. Signal Process. Control 86, 2023 (doi 10.1016/j.bspc.2023.105242). Source:
github.com/weschorney/ecgdaecopy at 85de0f4. Its attention is that of Woo et al., "CBAM", ECCV 2018
(doi 10.1007/978-3-030-01234-2_1), with a convolution across channels instead of an MLP.

Deviations: none in the network. 216 804 parameters.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

FILTERS = (16, 32, 64, 64, 1)
KERNEL = 16
SLOPE = 0.3
"""Of Keras' LeakyReLU."""
DROPOUT = 0.1


class BlockAttention(nn.Module):
    """Weighs channels, then instants; (batch, channels, time) kept."""

    def __init__(self) -> None:
        super().__init__()
        self.across = nn.Conv1d(1, 1, 3, padding=1)
        self.along = nn.Conv1d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.across(x.mean(dim=-1)[:, None]))[:, 0, :, None]
        pooled = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.along(pooled))


class CDAECBAM(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; samples divide by 32."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, *FILTERS)
        self.down = nn.ModuleList(
            nn.Sequential(
                # Keras pads an even kernel by one sample more at the end than at the beginning.
                nn.ConstantPad1d((KERNEL // 2 - 1, KERNEL // 2), 0.0),
                nn.Conv1d(i, o, KERNEL),
                nn.BatchNorm1d(o),
                nn.LeakyReLU(SLOPE),
                nn.Dropout(DROPOUT),
                BlockAttention(),
            )
            for i, o in pairwise(widths)
        )
        self.pool = nn.MaxPool1d(2)
        widths = (1, *FILTERS[-2::-1], 1)
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose1d(i, o, KERNEL, stride=2, padding=KERNEL // 2 - 1),
                nn.BatchNorm1d(o),
                nn.Identity() if o == 1 else nn.LeakyReLU(SLOPE),
                nn.Dropout(DROPOUT),
                BlockAttention(),
            )
            for i, o in pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            x = self.pool(down(x))
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = up(x)
            if skips:
                x = x + skips.pop()
        return x
