"""What a network, or a classical system, expects and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Windows = NDArray[np.float32]
"""Windows in mV, shape (rows, leads, window)."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network and its facts.

    Parameters
    ----------
    name
        The word for ``--model``.
    title, paper
        What it is, and the publication that it follows.
    fs
        Sampling rate it was made for, Hz.
    window
        Samples that it sees at once.
    leads
        Leads that it takes together. A network of one lead cleans each lead by itself; how leads
        are paired for one of two says `engine.lead_groups`.
    parameters
        Number of trained numbers; a test counts them.
    normalisation
        What happens to the scale of the input, always inside the exported graph.
    build
        Makes the untrained ``torch.nn.Module``: (batch, leads, window) mV → the same shape.
    deviations
        Where `build` departs from the publication, for a stream's sake; empty where it does not.
    replica
        Makes the network as published, defects included and without normalisation, for Track S:
        (batch, leads, samples) of the data set's z-score → the same shape. None where nothing was
        published.
    replica_parameters
        Its number of trained numbers, as published; 0 where there is none.
    """

    name: str
    title: str
    paper: str
    fs: float
    window: int
    leads: int
    parameters: int
    normalisation: str
    build: "Callable[[], nn.Module]"
    deviations: str = ""
    replica: "Callable[[], nn.Module] | None" = None
    replica_parameters: int = 0


@dataclass(frozen=True)
class ClassicalSpec:
    """A system that needs no training, and its facts; fields as in `NetworkSpec`.

    Parameters
    ----------
    filter
        Cleans windows: (rows, leads, window) mV → new memory of the same shape.
    """

    name: str
    title: str
    paper: str
    fs: float
    window: int
    normalisation: str
    filter: Callable[[Windows], Windows]
    deviations: str = ""
    leads: int = 1
    parameters: int = 0
