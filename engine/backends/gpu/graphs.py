"""What TensorRT and torch have in common on a GPU: captured graphs, and batches and hops cut to them.

A graph has one shape, so there is a lane for every row count that is run, and for a network that
keeps state for every row count and number of samples. All are captured on opening: none is left to
be made while a stream waits.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Batch, State, check_batch, check_step
from engine.backends.gpu.shapes import check_rows, fixed_samples, pieces, stretches
from models.spec import StepSpec

Shape = tuple[int, ...]
Key = TypeVar("Key", int, tuple[int, int])
"""What tells lanes apart: rows, or rows and samples."""
_WHOLE_NUMBERS = ("lookahead",)


@dataclass(frozen=True)
class Ports:
    """Shapes of what a lane takes and gives, by their names in the exported graph and in its order."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]

    @classmethod
    def of_windows(cls, rows: int, leads: int, window: int) -> "Ports":
        """For a network that answers windows."""
        return cls({"noisy": (rows, leads, window)}, {"cleaned": (rows, leads, window)})

    @classmethod
    def of_step(cls, rows: int, samples: int, steps: StepSpec) -> "Ports":
        """For a network that keeps state; see `models.spec.StepSpec`."""
        state = rows, steps.state
        return cls(
            {"noisy": (rows, 1, samples), "state": state, "lookahead": ()},
            {"answer": (rows, 2, samples), "next_state": state},
        )


def dtype_of(name: str) -> np.dtype[Any]:
    """Type of a port: single precision, but whole numbers of samples."""
    return np.dtype(np.int64 if name in _WHOLE_NUMBERS else np.float32)


def sizes(ports: Iterable[Ports]) -> dict[str, int]:
    """Numbers that each port holds at most, where all lanes share their memory."""
    largest: dict[str, int] = {}
    for each in ports:
        for name, shape in (each.inputs | each.outputs).items():
            largest[name] = max(largest.get(name, 0), math.prod(shape))
    return largest


class Lane(Protocol):
    """A graph that copies pinned memory to the GPU, computes, and copies back."""

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        """Pinned memory that it reads."""
        ...

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]:
        """Pinned memory that it writes, valid until any lane of the backend runs again."""
        ...

    def run(self) -> tuple[int, int]:
        """Launch it and wait; returns how long the copies to the device and back took, ns."""
        ...


class GraphWindows:
    """`engine.backends.base.Backend` over lanes; who inherits makes `_lanes`, one for each of `_ports`.

    Other batches are filled up. Not for two threads at once.
    """

    def __init__(self, leads: int, window: int, rows: tuple[int, ...]) -> None:
        self.leads, self._window = leads, window
        self.fixed_rows = check_rows(rows)
        self.transfers_ns = (0, 0)
        self._ports = {count: Ports.of_windows(count, leads, window) for count in self.fixed_rows}
        self._lanes: Mapping[int, Lane] = {}

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory, all else is made before."""
        check_batch(batch, self.leads, self._window)
        cleaned = np.empty_like(batch)
        to_device = to_host = 0
        for part, count in pieces(len(batch), self.fixed_rows):
            rows, lane = part.stop - part.start, self._lanes[count]
            # Rows that are left over keep what they held: no row sees another.
            lane.inputs["noisy"][:rows] = batch[part]
            there, back = lane.run()
            cleaned[part] = lane.outputs["cleaned"][:rows]
            to_device, to_host = to_device + there, to_host + back
        self.transfers_ns = to_device, to_host
        return cleaned


class GraphSteps:
    """`engine.backends.base.StepBackend` over lanes, as `GraphWindows`.

    Other batches are filled up, and a hop is taken in as many steps as it needs: a network that keeps
    state answers the same. The state lives on the host, 41 kB a row, and goes there and back with
    every step. Not for two threads at once.
    """

    def __init__(self, leads: int, steps: StepSpec, rows: tuple[int, ...]) -> None:
        self.leads, self.steps = leads, steps
        self.fixed_rows, self._fixed_samples = check_rows(rows), fixed_samples(steps)
        self.transfers_ns = (0, 0)
        # In the order of a plan's profiles.
        self._ports = {
            (count, samples): Ports.of_step(count, samples, steps)
            for samples in self._fixed_samples
            for count in self.fixed_rows
        }
        self._lanes: Mapping[tuple[int, int], Lane] = {}

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) with their state; answer and state are new memory."""
        check_step(samples, state, lookahead, self.steps)
        answer, after = np.empty((len(samples), 2, samples.shape[2]), np.float32), state.copy()
        to_device = to_host = 0
        for part, count in pieces(len(samples), self.fixed_rows):
            rows = part.stop - part.start
            for stretch, length in stretches(samples.shape[2], self._fixed_samples):
                lane = self._lanes[count, length]
                # Rows that are left over keep what they held: no row sees another.
                lane.inputs["noisy"][:rows] = samples[part, :, stretch]
                lane.inputs["state"][:rows] = after[part]
                lane.inputs["lookahead"][...] = lookahead
                there, back = lane.run()
                answer[part, :, stretch] = lane.outputs["answer"][:rows]
                after[part] = lane.outputs["next_state"][:rows]
                to_device, to_host = to_device + there, to_host + back
        self.transfers_ns = to_device, to_host
        return answer, after
