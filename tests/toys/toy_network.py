"""A toy network: three convolutions over one lead, and the facts that ecg-stream wants of it."""

from typing import TYPE_CHECKING

from models.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn


def build() -> "nn.Module":
    """Make the untrained network: (batch, 1, 720) in mV → the same shape."""
    from torch import nn

    from models.networks.normalise import Normalised

    layers = nn.Sequential(
        nn.Conv1d(1, 16, 15, padding=7),
        nn.SiLU(),
        nn.Conv1d(16, 16, 15, padding=28, dilation=4),
        nn.SiLU(),
        nn.Conv1d(16, 1, 15, padding=7),
    )
    # Takes each window's mean and standard deviation out, and puts them back behind the network.
    return Normalised(layers)


SPEC = NetworkSpec(
    name="toy",
    title="three convolutions",
    paper="none: an example",
    fs=360.0,
    window=720,
    leads=1,
    parameters=4_353,
    normalisation="each window by its own mean and standard deviation",
    build=build,
)
