"""A TensorRT plan on the GPU: its memory, and one captured graph for each of its profiles.

Memory, stream and graphs come from the driver itself (`engine.backends.gpu.driver`): a machine that
runs plans needs no torch, and what a call does is all in `TrtGraph`. Every profile has an execution
context and a graph of its own, since a graph holds one shape and its addresses; they share the
buffers. Not for two threads at once: TensorRT's contexts are not.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from engine.backends.gpu.driver import Stream
from engine.backends.gpu.graphs import largest_sizes
from engine.backends.gpu.shapes import Size
from engine.backends.ports import Ports, Shape, dtype_of

Load = Callable[[Callable[[bytes], Any]], Any]
"""Finds or builds a plan, and gives it to the library: what that makes of it is the engine."""


class LoadedPlan:
    """A plan, ready to run.

    Parameters
    ----------
    trt
        The imported library.
    load
        See `Load`.
    ports
        Of each profile, in the order of the profiles.
    staying
        Ports whose tensors are on the GPU alone: no graph copies them.

    Attributes
    ----------
    graphs
        By the same sizes.
    stream
        What they run on.
    addresses
        On the GPU, of the tensors of all of them.
    """

    def __init__(
        self, trt: Any, load: Load, ports: Mapping[Size, Ports], staying: frozenset[str] = frozenset()
    ) -> None:
        # Logger and runtime must live as long as the engine.
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._logger)
        self._engine: Any = load(self._runtime.deserialize_cuda_engine)
        self.stream = Stream()
        self.graphs: dict[Size, TrtGraph] = {}
        try:
            memory = {
                name: _Memory(self.stream, name, count, pinned=name not in staying)
                for name, count in largest_sizes(ports.values()).items()
            }
            self.addresses = {name: each.address for name, each in memory.items()}
            for profile, (size, each) in enumerate(ports.items()):
                self.graphs[size] = TrtGraph(self._engine, profile, self.stream, each, memory)
        except RuntimeError:
            self.close()
            raise

    def close(self) -> None:
        """Free contexts and engine, then the memory that they used."""
        self.stream.use()
        self.graphs.clear()
        del self._engine, self._runtime
        self.stream.close()


class _Memory:
    """Room for one tensor on the GPU, and pinned on the host where it goes there or comes from there."""

    def __init__(self, stream: Stream, name: str, size: int, *, pinned: bool) -> None:
        self._pinned = stream.pinned((size,), dtype_of(name)) if pinned else None
        self.address = stream.memory(size * dtype_of(name).itemsize)

    def shaped(self, shape: Shape) -> NDArray[Any] | None:
        """The first of the pinned numbers, in this shape; None where none are pinned."""
        return None if self._pinned is None else self._pinned[: math.prod(shape)].reshape(shape)


def _pinned(shapes: Mapping[str, Shape], memory: Mapping[str, _Memory]) -> dict[str, NDArray[Any]]:
    """Those of the tensors that are pinned, in their shapes."""
    found = {name: memory[name].shaped(shape) for name, shape in shapes.items()}
    return {name: array for name, array in found.items() if array is not None}


class TrtGraph:
    """One profile: its context, and the graph that copies in, computes and copies out."""

    def __init__(
        self, engine: Any, profile: int, stream: Stream, ports: Ports, memory: dict[str, _Memory]
    ) -> None:
        self._stream = stream
        self._events = [stream.event() for _ in range(4)]
        self.inputs, self.outputs = _pinned(ports.inputs, memory), _pinned(ports.outputs, memory)
        self.context = engine.create_execution_context()
        if self.context is None:
            raise RuntimeError("the GPU has no memory left for the network")
        _check(self.context.set_optimization_profile_async(profile, stream.handle), "the profile")
        stream.synchronize()
        for name, shape in ports.inputs.items():
            # What has no axes is in no profile.
            if shape:
                _check(self.context.set_input_shape(name, shape), f"the shape of {name!r}")
        for name in (*ports.inputs, *ports.outputs):
            _check(self.context.set_tensor_address(name, memory[name].address), f"the address of {name!r}")
        # Where the first run reads must be numbers that the network can take.
        for name, pinned in self.inputs.items():
            stream.to_device(memory[name].address, pinned)
        # The first run compiles and allocates what is missing, which no graph can hold.
        _check(self.context.execute_async_v3(stream.handle), "the first run")
        stream.synchronize()
        if hasattr(self.context, "is_stream_capturable"):
            _check(self.context.is_stream_capturable(), "to be captured")
        with stream.capture() as self._graph:
            self._events[0].record()
            for name, pinned in self.inputs.items():
                stream.to_device(memory[name].address, pinned)
            self._events[1].record()
            _check(self.context.execute_async_v3(stream.handle), "the captured run")
            self._events[2].record()
            for name, pinned in self.outputs.items():
                stream.to_host(pinned, memory[name].address)
            self._events[3].record()

    def run(self) -> tuple[int, int]:
        """Launch it and wait; returns how long the copies to the device and back took, ns."""
        self._stream.use()
        self._graph.launch()
        self._stream.synchronize()
        begun, arrived, computed, ended = self._events
        return arrived.since(begun), ended.since(computed)


def _check(done: bool, what: str) -> None:
    if not done:
        raise RuntimeError(f"TensorRT refuses {what}")
