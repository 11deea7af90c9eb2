"""A small convolutional autoencoder, the usual first denoiser.

Source: github.com/rajeshkumar-niet/ECG at 70ec1fb, the network of its notebook.

Deviations, unless `replica`: a linear head instead of a sigmoid, which can only answer in [0, 1] and
needs the whole recording's minimum and maximum; a stream is scaled by the z-score of its window
instead. 4 337 parameters either way.
"""

from itertools import pairwise

from torch import Tensor, nn

from models.networks.parts import Repeat, same


class CNNAutoencoder(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; samples divide by 8.

    Parameters
    ----------
    replica
        With the sigmoid head of the original: input and output lie in [0, 1].
    """

    def __init__(self, *, replica: bool = False) -> None:
        super().__init__()
        widths = (1, 32, 16, 8)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [same(inputs, outputs, 3), nn.ReLU(), nn.MaxPool1d(2)]
        for inputs, outputs in ((8, 8), (8, 16), (16, 32)):
            layers += [same(inputs, outputs, 3), nn.ReLU(), Repeat()]
        self.layers = nn.Sequential(*layers, same(32, 1, 3), nn.Sigmoid() if replica else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layers(x)
        return output
