"""What a runtime offers, and what the stages call: two thin adapters lie between (`adapters`)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.backends.places import Places, Rows
from models.registry import ModelCard
from models.spec import StepSpec

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Batch = NDArray[np.float32]
"""Windows in mV, shape (rows, leads, window)."""
State = NDArray[np.float32]
"""What rows carry from step to step, shape (rows, numbers)."""
Inputs = Mapping[str, NDArray[Any]]
"""What a network takes, by the names in its exported graph."""
Outputs = Sequence[NDArray[Any]]
"""What a network gives, in the order of its exported graph."""
Options = Sequence[str]
"""What follows a backend's name, as ``fp16`` in ``cuda:fp16``."""
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


class Runtime(ABC):
    """One network, loaded: arrays in, arrays out.

    `engine.backends.ports` says which arrays those are. They arrive checked, and all but a mere
    number begin with an axis of rows, any number of them.

    Attributes
    ----------
    name
        What the user may write after ``--backend``.
    fixed_rows
        Numbers of rows that it is fastest with, ascending; () where it has no preference.
    transfers_ns
        How long the last call copied to the device and back; (0, 0) where there is none.
    may_hang
        Whether a call may never return, as on a device that fails.
    places
        Where states may stay on the device from step to step; None where they come and go with every
        call.
    """

    name: str
    fixed_rows: tuple[int, ...] = ()
    transfers_ns: tuple[int, int] = (0, 0)
    may_hang: bool = False
    places: Places | None = None

    @abstractmethod
    def run(self, inputs: Inputs) -> Outputs:
        """Run the network once.

        Returns
        -------
        Outputs
            New memory. No row depends on another one.
        """

    def read(self, places: Rows) -> State:
        """A copy of the states in these places, (rows, numbers)."""
        raise NotImplementedError(f"{self.name} keeps no states")

    def write(self, places: Rows, state: State) -> None:
        """Put states (rows, numbers) into these places."""
        raise NotImplementedError(f"{self.name} keeps no states")

    def close(self) -> None:  # noqa: B027 - most runtimes hold nothing that must be given back
        """Give back what it holds; called once."""


@dataclass(frozen=True)
class Entry:
    """What a backend's module says of it, under the name ``BACKEND``; see `engine.backends.TABLE`.

    Parameters
    ----------
    why_not
        Says why it cannot run here with these options, and what to do; None where it can. Must
        import nothing slow.
    open
        Loads a system into it, with these options and for so many CPU threads.
    options
        What may follow its name after a colon.
    prepare
        Builds ahead what opening would build, and tells its progress.
    on_gpu
        It runs on a GPU: its network may be refused there, and it needs a heartbeat.
    classical
        It runs the classical systems, and no network.
    """

    why_not: Callable[[Options], str | None]
    open: Callable[[ModelCard, Options, int], Runtime]
    options: tuple[str, ...] = ()
    prepare: Callable[[ModelCard, Options, Progress], object] | None = None
    on_gpu: bool = False
    classical: bool = False


class Described(Protocol):
    """What every backend says of itself; see `Runtime`."""

    @property
    def name(self) -> str:
        """What ``--backend`` calls it."""

    @property
    def leads(self) -> int:
        """Leads that the network takes together, as one row."""

    @property
    def transfers_ns(self) -> tuple[int, int]:
        """How long the last call copied to the device and back."""

    @property
    def fixed_rows(self) -> tuple[int, ...]:
        """Numbers of rows that it is fastest with."""

    def close(self) -> None:
        """Give back what it holds; more than once does no harm."""


class Backend(Described, Protocol):
    """A network that answers windows."""

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory of the same shape."""


class StepBackend(Described, Protocol):
    """A stateful network; the state lives with the caller."""

    @property
    def steps(self) -> StepSpec:
        """How its steps are cut."""

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) mV with the state (rows, numbers) that came before them.

        Returns
        -------
        answer, state
            New memory, the answer (rows, 2, samples) mV: the samples of a look-ahead ago, cleaned,
            and their spread.
        """


class PlacedBackend(StepBackend, Protocol):
    """A stateful network whose states may stay on a device."""

    @property
    def places(self) -> Places | None:
        """Where; None where its runtime keeps none, and anew where another runtime took over."""

    def step_placed(
        self, samples: Batch, places: Rows, begin: Batch, lookahead: int
    ) -> tuple[Batch, NDArray[np.float32]]:
        """Take samples (rows, 1, samples) mV with the states in these places, which then hold those after.

        Parameters
        ----------
        begin
            (rows, 2): whether a row begins afresh (0 or 1), and with which sample, mV.

        Returns
        -------
        answer
            New memory, as of `step`.
        told
            (rows, 2), new memory: of the state after, its first number and the sum of all.
        """

    def read(self, places: Rows) -> State:
        """A copy of the states in these places."""

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places."""


AnyBackend = Backend | StepBackend


def keeps_state(backend: AnyBackend) -> "TypeIs[StepBackend]":
    """Whether a backend runs a stateful network."""
    return hasattr(backend, "step")


def keeps_places(backend: StepBackend) -> "TypeIs[PlacedBackend]":
    """Whether the states of a stateful network stay where it runs."""
    return getattr(backend, "places", None) is not None
