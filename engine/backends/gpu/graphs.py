"""A network as captured CUDA graphs: what TensorRT and torch have in common.

A graph has one shape, so there is one for every number of rows that is run, and for a stateful
network for every number of rows and samples. All are captured on opening: none is left to be made
while a stream waits.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.backends.base import Inputs, Outputs, Runtime, State
from engine.backends.gpu.shapes import Size, pieces, stretches
from engine.backends.places import Places, Rows
from engine.backends.ports import Ports, Spec


class CapturedGraph(Protocol):
    """A graph that copies pinned memory to the GPU, computes, and copies back."""

    @property
    def inputs(self) -> Mapping[str, NDArray[Any]]:
        """Pinned memory that it reads, by the names of the ports."""

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]:
        """Pinned memory that it writes, valid until any graph of the network runs again."""

    def run(self) -> tuple[int, int]:
        """Launch it and wait; returns how long the copies to the device and back took, ns."""


class GraphRuntime(Runtime):
    """Cuts every call to the shapes of the graphs, and joins what they give. Not for two threads at once.

    For systems that answer windows; `PlacedRuntime` takes the steps of those that keep state.

    Parameters
    ----------
    graphs
        By rows and samples.
    release
        Frees what the graphs use.
    """

    def __init__(
        self,
        name: str,
        spec: Spec,
        graphs: Mapping[Size, CapturedGraph],
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self._spec = name, spec
        self.fixed_rows = tuple(sorted({rows for rows, _ in graphs}))
        self._graphs, self._release = graphs, release

    def run(self, inputs: Inputs) -> Outputs:
        """Run graphs on all rows; the result is new memory, all else is made before."""
        noisy = inputs["noisy"]
        cleaned = np.empty(noisy.shape, np.float32)
        to_device = to_host = 0
        for part, count in pieces(len(noisy), self.fixed_rows):
            rows = part.stop - part.start
            graph = self._graphs[count, self._spec.window]
            # Rows that are left over keep what they held: no row depends on another.
            graph.inputs["noisy"][:rows] = noisy[part]
            there, back = graph.run()
            cleaned[part] = graph.outputs["cleaned"][:rows]
            to_device, to_host = to_device + there, to_host + back
        self.transfers_ns = to_device, to_host
        return [cleaned]

    def close(self) -> None:
        """Free graphs, network and memory."""
        self._graphs = {}
        self._release()


class StatePool(Protocol):
    """The device's memory for states: a place a row."""

    def read(self, places: Rows) -> State:
        """A copy of the states in these places."""

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places."""


class PlacedRuntime(Runtime):
    """Steps whose states stay on the device: none of their numbers comes back with an answer but two.

    Samples are taken in as many steps as they need, and answered as if it were one. Also takes and
    gives states as other runtimes do, by way of places that are kept spare. Not for two threads at
    once.

    Parameters
    ----------
    graphs
        By rows and samples; of `Ports.placed`.
    pool
        What the graphs take states from, and put them back to. Its first places, as many as the largest
        graph has rows, are spare.
    places
        The others.
    release
        Frees what the graphs and the pool use.
    """

    def __init__(
        self,
        name: str,
        spec: Spec,
        graphs: Mapping[Size, CapturedGraph],
        pool: StatePool,
        places: Places,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.places, self._spec = name, places, spec
        self.fixed_rows = tuple(sorted({rows for rows, _ in graphs}))
        self._fixed_samples = tuple(sorted({samples for _, samples in graphs}))
        self._graphs, self._pool, self._release = graphs, pool, release

    def run(self, inputs: Inputs) -> Outputs:
        """Take a step, with the states in places or with given ones; the results are new memory."""
        if "state" in inputs:
            return self._with_states(inputs)
        noisy, places = inputs["noisy"], inputs["places"]
        shapes = Ports.placed(self._spec, len(noisy), noisy.shape[2]).outputs.values()
        answer, told = (np.empty(shape, np.float32) for shape in shapes)
        to_device = to_host = 0
        for part, count in pieces(len(noisy), self.fixed_rows):
            rows = part.stop - part.start
            begin = inputs["begin"][part]
            for stretch, length in stretches(noisy.shape[2], self._fixed_samples):
                graph = self._graphs[count, length]
                given = graph.inputs
                given["noisy"][:rows] = noisy[part, :, stretch]
                given["places"][:rows], given["begin"][:rows] = places[part], begin
                # Rows that are left over begin afresh in places that nobody reads.
                given["places"][rows:], given["begin"][rows:] = np.arange(rows, count), (1, 0)
                given["lookahead"][...] = inputs["lookahead"]
                there, back = graph.run()
                answer[part, :, stretch] = graph.outputs["answer"][:rows]
                told[part] = graph.outputs["told"][:rows]
                begin = np.zeros_like(begin)
                to_device, to_host = to_device + there, to_host + back
        self.transfers_ns = to_device, to_host
        return [answer, told]

    def _with_states(self, inputs: Inputs) -> Outputs:
        noisy, state = inputs["noisy"], inputs["state"]
        shapes = Ports.of(self._spec, len(noisy), noisy.shape[2]).outputs.values()
        answer, after = (np.empty(shape, np.float32) for shape in shapes)
        to_device = to_host = 0
        for part, _ in pieces(len(noisy), self.fixed_rows):
            spare = np.arange(part.stop - part.start)
            self._pool.write(spare, state[part])
            begin = np.zeros((len(spare), 2), np.float32)
            lookahead = inputs["lookahead"]
            given = {"noisy": noisy[part], "places": spare, "begin": begin, "lookahead": lookahead}
            answer[part], _ = self.run(given)
            after[part] = self._pool.read(spare)
            to_device, to_host = to_device + self.transfers_ns[0], to_host + self.transfers_ns[1]
        self.transfers_ns = to_device, to_host
        return [answer, after]

    def read(self, places: Rows) -> State:
        """A copy of the states in these places."""
        return self._pool.read(places)

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places."""
        self._pool.write(places, state)

    def close(self) -> None:
        """Free the graphs and what they use; torch's memory goes with the last of them."""
        self._graphs = {}
        self._release()


def largest_sizes(ports: Iterable[Ports]) -> dict[str, int]:
    """Numbers that each port holds at most, where all graphs share their memory."""
    largest: dict[str, int] = {}
    for each in ports:
        for name, shape in (each.inputs | each.outputs).items():
            largest[name] = max(largest.get(name, 0), math.prod(shape))
    return largest
