"""DRNN: a recurrent denoiser, one LSTM and a small network on each of its states.

Paper: Antczak, "Deep Recurrent Neural Networks for ECG Signal Denoising", 2018 (arXiv 1807.11551).
Source: the version in github.com/fperdigon/DeepFilter at cbe65b0 (MIT).

Deviations: none in the network. 25 281 parameters: Keras' LSTM has one vector of biases where torch
has two, so the second one stays zero and is not trained.
"""

from torch import Tensor, nn

UNITS = 64


class DRNN(nn.Module):
    """Cleans one lead: (batch, 1, samples) → the same shape; any length, each window by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, UNITS)
        second = self.recurrent.get_parameter("bias_hh_l0")
        nn.init.zeros_(second)
        second.requires_grad_(False)
        self.head = nn.Sequential(
            nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, UNITS), nn.ReLU(), nn.Linear(UNITS, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        # Time first: the only layout that TensorRT knows.
        states, _ = self.recurrent(x.permute(2, 0, 1))
        output: Tensor = self.head(states).permute(1, 2, 0)
        return output
