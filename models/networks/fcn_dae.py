"""FCN-DAE: a fully convolutional denoising autoencoder that compresses 32 times.

Paper: Chiang et al., "Noise Reduction in ECG Signals Using Fully Convolutional Denoising
Autoencoders", IEEE Access 7, 2019 (doi 10.1109/ACCESS.2019.2912036). Source: the authors' code,
github.com/sophie091524/Noise-Reduction-in-ECG-Signals at 612bf60.

Deviations: none in the network. 80 223 parameters.
"""

from torch import Tensor, nn

KERNEL = 16
DOWN = ((1, 40, 2), (40, 20, 2), (20, 20, 2), (20, 20, 2), (20, 40, 2), (40, 1, 1))
UP = ((1, 1, 1), (1, 40, 2), (40, 20, 2), (20, 20, 2), (20, 20, 2), (20, 40, 2))
"""Inputs, outputs and stride of each layer."""


class FCNDAE(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; samples divide by 32."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in DOWN:
            # As Keras pads: an even kernel gets its extra sample at the end.
            pad = KERNEL - stride
            layers += [
                nn.ConstantPad1d((pad // 2, pad - pad // 2), 0.0),
                nn.Conv1d(inputs, outputs, KERNEL, stride=stride),
                nn.BatchNorm1d(outputs),
                nn.ELU(),
            ]
        for inputs, outputs, stride in UP:
            layers += [_grow(inputs, outputs, stride), nn.BatchNorm1d(outputs), nn.ELU()]
        self.layers = nn.Sequential(*layers, _grow(40, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layers(x)
        return output


def _grow(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Transposed convolution that multiplies the length by its stride."""
    if stride == 2:
        return nn.ConvTranspose1d(inputs, outputs, KERNEL, stride=2, padding=KERNEL // 2 - 1)
    # One sample too long: the newest is dropped, as in Keras.
    return nn.Sequential(
        nn.ConvTranspose1d(inputs, outputs, KERNEL, padding=KERNEL // 2 - 1), nn.ConstantPad1d((0, -1), 0.0)
    )
