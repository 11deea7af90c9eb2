"""A network in torch as captured CUDA graphs: its memory, and one graph for each shape.

A graph holds the copies from and to pinned memory too, and its shape and addresses are fixed; all
share the buffers. Not for two threads at once.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.backends.gpu.graphs import Key, Ports, Shape, dtype_of, sizes

_WARMUP_RUNS = 3


def capture_lanes(
    network: Callable[..., tuple[Any, ...]], ports: Mapping[Key, Ports]
) -> "dict[Key, CudaLane]":
    """One graph for each shape, by the same keys.

    Parameters
    ----------
    network
        Takes the inputs as tensors on the GPU, in the order of the ports, and gives the outputs.
    """
    import torch

    largest = sizes(ports.values())

    def zeros(name: str, **where: Any) -> Any:
        return torch.zeros(largest[name], dtype=getattr(torch, dtype_of(name).name), **where)

    taken = {name: None for each in ports.values() for name in each.inputs}
    pinned = {name: zeros(name, pin_memory=True) for name in largest}
    device = {name: zeros(name, device="cuda") for name in taken}
    stream = torch.cuda.Stream()
    return {key: CudaLane(network, stream, each, pinned, device) for key, each in ports.items()}


def _shaped(memory: dict[str, Any], shapes: dict[str, Shape]) -> dict[str, Any]:
    """The first of each tensor's numbers, in its shape."""
    return {name: memory[name][: math.prod(shape)].view(shape) for name, shape in shapes.items()}


class CudaLane:
    """One shape: the graph that copies in, computes and copies out.

    Parameters
    ----------
    pinned, device
        Memory on the host for all tensors, and on the GPU for those that go in; without a shape.
    """

    def __init__(
        self,
        network: Callable[..., tuple[Any, ...]],
        stream: Any,
        ports: Ports,
        pinned: dict[str, Any],
        device: dict[str, Any],
    ) -> None:
        import torch

        self._torch, self._stream = torch, stream
        self._events = [torch.cuda.Event(enable_timing=True, external=True) for _ in range(4)]
        self._graph = torch.cuda.CUDAGraph()
        arriving, leaving = _shaped(pinned, ports.inputs), _shaped(pinned, ports.outputs)
        # The same memory as numpy sees it.
        self.inputs = {name: tensor.numpy() for name, tensor in arriving.items()}
        self.outputs = {name: tensor.numpy() for name, tensor in leaving.items()}
        on_device = list(_shaped(device, ports.inputs).values())
        begun, arrived, computed, ended = self._events
        with torch.inference_mode():
            # What the first runs choose, compile and allocate cannot be captured.
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARMUP_RUNS):
                    network(*on_device)
            stream.synchronize()
            # Another network may be running in another thread meanwhile.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                begun.record()
                for tensor, host in zip(on_device, arriving.values(), strict=True):
                    tensor.copy_(host, non_blocking=True)
                arrived.record()
                results = network(*on_device)
                computed.record()
                for host, tensor in zip(leaving.values(), results, strict=True):
                    host.copy_(tensor, non_blocking=True)
                ended.record()
        # A graph knows addresses alone: what lies there must live as long, the weights too.
        self._kept = network, arriving, on_device, results, leaving

    def run(self) -> tuple[int, int]:
        """Launch it and wait; returns how long the copies to the device and back took, ns."""
        with self._torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        begun, arrived, computed, ended = self._events
        return round(1e6 * begun.elapsed_time(arrived)), round(1e6 * computed.elapsed_time(ended))
