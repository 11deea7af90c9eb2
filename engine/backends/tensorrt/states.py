"""States in the GPU's memory, and plans that take them from there and put them back.

The driver copies them between their places and the plan's own memory, within the GPU: a captured graph
has fixed addresses, and places change as rows come and go. Places that follow one another are one copy.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from engine.backends.base import State
from engine.backends.gpu.driver import Stream
from engine.backends.gpu.graphs import PlacedRuntime
from engine.backends.gpu.shapes import ports_by_size
from engine.backends.places import Places, Rows
from engine.backends.ports import Ports
from engine.backends.tensorrt.capture import Load, LoadedPlan, TrtGraph
from models.spec import NetworkSpec


def open_placed(
    name: str, spec: NetworkSpec, trt: Any, load: Load, rows: tuple[int, ...], count: int
) -> PlacedRuntime:
    """Load a plan of `plan_graph` and make room for `count` states, as in `open_tensorrt`."""
    ports = ports_by_size(spec, rows, Ports.planned)
    plan = LoadedPlan(trt, load, ports, frozenset({"state", "next_state"}))
    spare, count = rows[-1], max(count, rows[-1])
    _, numbers = next(iter(ports.values())).inputs["state"]
    try:
        states = DeviceStates(plan.stream, numbers, spare + count, spare)
    except RuntimeError:
        plan.close()
        raise
    taken, given = plan.addresses["state"], plan.addresses["next_state"]
    graphs = {size: PlacedGraph(graph, states, size[0], taken, given) for size, graph in plan.graphs.items()}
    return PlacedRuntime(name, spec, graphs, states, Places(range(spare, spare + count)), plan.close)


class DeviceStates:
    """Room for the states of many rows; `engine.backends.gpu.graphs.StatePool`.

    Parameters
    ----------
    stream
        What the plan runs on; gives the memory, and takes it back when it is closed.
    numbers
        Of a state, in single precision.
    rows
        How many places there are.
    at_once
        How many of them go to the host, or come from there, at a time.
    """

    def __init__(self, stream: Stream, numbers: int, rows: int, at_once: int) -> None:
        self._stream, self._numbers = stream, numbers
        self._bytes = numbers * np.dtype(np.float32).itemsize
        self._memory = stream.memory(rows * self._bytes)
        self._pinned = stream.pinned((at_once, numbers))

    def take(self, places: Rows, target: int) -> None:
        """Copy the states in these places to an address on the GPU, one after the other."""
        self._stream.use()
        for row, place, count in runs(places):
            self._stream.within(target + row * self._bytes, self._at(place), count * self._bytes)

    def put(self, places: Rows, source: int) -> None:
        """Copy states from an address on the GPU into these places; the host does not wait for it."""
        self._stream.use()
        for row, place, count in runs(places):
            self._stream.within(self._at(place), source + row * self._bytes, count * self._bytes)

    def read(self, places: Rows) -> State:
        """A copy of the states in these places."""
        state = np.empty((len(places), self._numbers), np.float32)
        self._stream.use()
        for part in self._parts(len(places)):
            for row, place, count in runs(places[part]):
                self._stream.to_host(self._pinned[row : row + count], self._at(place))
            self._stream.synchronize()
            state[part] = self._pinned[: len(state[part])]
        return state

    def write(self, places: Rows, state: State) -> None:
        """Put states into these places."""
        self._stream.use()
        for part in self._parts(len(places)):
            self._pinned[: len(state[part])] = state[part]
            for row, place, count in runs(places[part]):
                self._stream.to_device(self._at(place), self._pinned[row : row + count])
            # What is pinned is written again.
            self._stream.synchronize()

    def _at(self, place: int) -> int:
        return self._memory + place * self._bytes

    def _parts(self, rows: int) -> Iterator[slice]:
        for start in range(0, rows, len(self._pinned)):
            yield slice(start, start + len(self._pinned))


class PlacedGraph:
    """A plan's graph with the ports of `Ports.placed`; `engine.backends.gpu.graphs.CapturedGraph`.

    Parameters
    ----------
    rows
        How many the graph has.
    taken, given
        Addresses on the GPU of the states that it takes and gives.
    """

    def __init__(self, graph: TrtGraph, states: DeviceStates, rows: int, taken: int, given: int) -> None:
        self._graph, self._states, self._taken, self._given = graph, states, taken, given
        self._places: Rows = np.zeros(rows, np.int64)
        self.inputs = graph.inputs | {"places": self._places}
        self.outputs = graph.outputs

    def run(self) -> tuple[int, int]:
        """Run it between two copies within the GPU; returns how long the copies to and from it took, ns."""
        self._states.take(self._places, self._taken)
        transfers = self._graph.run()
        self._states.put(self._places, self._given)
        return transfers


def runs(places: Rows) -> Iterator[tuple[int, int, int]]:
    """Stretches of places that follow one another: the first row, its place, and how many there are."""
    starts = np.flatnonzero(np.diff(places, prepend=-2) != 1).tolist()
    for start, stop in pairwise([*starts, len(places)]):
        yield start, int(places[start]), stop - start
