"""The plain U-Net of the CIADNet study, and the body that CIADNet shares with it.

Source: github.com/mallocobject/DANCE at a39f1e9 (7 Nov 2025), which has no publication of its own;
the plan is that of Ronneberger, Fischer & Brox, MICCAI 2015 (doi 10.1007/978-3-319-24574-4_28). Skips
are added, not concatenated, there is no batch norm, and the last layer is linear.

Deviations: none in the network. 157 858 parameters.
"""

from collections.abc import Callable

from torch import Tensor, nn

from models.networks.parts import LinearUpsample, same, same_transposed

CHANNELS = (2, 16, 32, 64, 128)
KERNELS = (11, 5, 5, 5)


class SeedUNet(nn.Module):
    """Cleans pairs of leads: (batch, 2, samples) → the same shape; samples divide by 16.

    Parameters
    ----------
    shrink
        Makes what follows each encoder convolution of so many channels; None leaves it out.
    """

    def __init__(self, shrink: Callable[[int], nn.Module] | None = None) -> None:
        super().__init__()
        levels = list(zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False))
        self.down = nn.ModuleList(_level(i, o, kernel, shrink) for i, o, kernel in levels)
        self.pool = nn.MaxPool1d(2)
        self.bottom = nn.Sequential(same(CHANNELS[-1], CHANNELS[-1], 3), nn.LeakyReLU())
        self.grow = LinearUpsample()
        self.up = nn.ModuleList(same_transposed(o, i, kernel) for i, o, kernel in reversed(levels))
        self.activation = nn.LeakyReLU()

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            skips.append(down(x))
            x = self.pool(skips[-1])
        x = self.bottom(x)
        for up in self.up:
            x = up(self.grow(x) + skips.pop())
            if skips:
                x = self.activation(x)
        return x


def _level(
    inputs: int, outputs: int, kernel: int, shrink: Callable[[int], nn.Module] | None
) -> nn.Sequential:
    convolved = [same(inputs, outputs, kernel), nn.LeakyReLU()]
    return nn.Sequential(*convolved, *([shrink(outputs), nn.LeakyReLU()] if shrink else []))
