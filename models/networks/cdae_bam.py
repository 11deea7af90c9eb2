"""CDAE-BAM: a convolutional denoising autoencoder with a gate on its bottleneck.

Source: github.com/rafid29mehda/ECG-Denoising-CDAE-BAM at 9989ec0. What it calls batch attention is the
squeeze-and-excitation gate of Hu et al., CVPR 2018 (doi 10.1109/CVPR.2018.00745), one for each window.

Deviations: none in the network. 18 049 parameters.
"""

from torch import Tensor, nn

from models.networks.parts import Repeat, same


class CDAEBAM(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; samples divide by 4."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            same(1, 64, 3), nn.ReLU(), nn.MaxPool1d(2),
            same(64, 32, 3), nn.ReLU(), nn.Dropout(0.2), nn.MaxPool1d(2),
        )  # fmt: skip
        self.attention = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.Sigmoid())
        self.decoder = nn.Sequential(
            same(32, 32, 3), nn.ReLU(), Repeat(),
            same(32, 64, 3), nn.ReLU(), Repeat(),
            same(64, 1, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        output: Tensor = self.decoder(x * self.attention(x.mean(dim=-1))[..., None])
        return output
