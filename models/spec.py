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
class StepSpec:
    """How a network is run that keeps state, step by step.

    Its graph takes ``noisy`` (rows, 1, samples) mV, ``state`` (rows, `state`) and ``lookahead`` (a
    whole number of samples), and gives ``answer`` (rows, 2, samples) mV, the samples of a look-ahead
    ago and their spread, and ``next_state``.

    Parameters
    ----------
    multiple
        A step takes a multiple of so many samples.
    longest
        Samples that it may take at once.
    state
        Numbers that a row carries from step to step.
    led_by
        So many of them, the first, begin as the stream's first sample in mV; the others as 0.
    lookahead
        Longest look-ahead that it can be asked for, samples.
    context
        Samples after which its answers are as good as they get.
    learns
        Samples of a training example; those of the context are not scored.
    """

    multiple: int
    longest: int
    state: int
    led_by: int
    lookahead: int
    context: int
    learns: int


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
    exported
        Makes what is exported in its place: the same weights, inputs and outputs, computed in the way
        that runtimes are fastest with. None where that is what `build` makes.
    deviations
        Where `build` departs from the publication, for a stream's sake; empty where it does not.
    replica
        Makes the network as published, defects included and without normalisation, for Track S:
        (batch, leads, samples) of the data set's z-score → the same shape. None where nothing was
        published.
    replica_parameters
        Its number of trained numbers, as published; 0 where there is none.
    steps
        How it keeps state; None for a network that answers whole windows. `window` is then what the
        guard looks back on.
    more_patients
        It also learns from the QT Database.
    lookahead_ms
        Look-ahead that it runs with unless told otherwise.
    """

    name: str
    title: str
    paper: str
    fs: float
    window: int
    leads: int
    parameters: int
    normalisation: str
    build: "Callable[..., nn.Module]"
    exported: "Callable[[], nn.Module] | None" = None
    deviations: str = ""
    replica: "Callable[[], nn.Module] | None" = None
    replica_parameters: int = 0
    steps: StepSpec | None = None
    more_patients: bool = False
    lookahead_ms: float = 300.0

    @property
    def learns(self) -> int:
        """Samples of a training example."""
        return self.steps.learns if self.steps else self.window


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
    lookahead_ms: float = 300.0
