"""The network in torch as one captured CUDA graph a call: any NVIDIA GPU, without TensorRT.

A window takes a hundred small kernels, and starting each of them from Python costs more than it
computes: 1356 µs eager against 276 µs as a graph on an H200. The graph also holds the copies from
and to pinned memory. ``cuda:fp16`` runs convolutions in half precision, and ``cuda:inductor``
compiles the network first (225 µs), which takes a minute and a C compiler at the start.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.backends.base import Entry, Options, Runtime
from engine.backends.gpu.find import find_gpu, why_no_gpu
from engine.backends.gpu.graphs import GraphRuntime, PlacedRuntime, largest_sizes
from engine.backends.gpu.shapes import FIXED_ROWS, Size, check_rows, ports_by_size
from engine.backends.parity import check_parity
from engine.backends.places import PLACES, Places
from engine.backends.ports import Ports, Shape, dtype_of
from engine.backends.pytorch import load_network
from models.registry import ModelCard
from models.spec import NetworkSpec, StepSpec
from models.torch_needed import why_no_torch
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

Network = Callable[..., Sequence[Any]]
"""Takes the inputs as tensors on the GPU, in the order of the ports, and gives the outputs."""
_WARMUP_RUNS = 3


def open_cuda(
    card: ModelCard,
    options: Options = (),
    threads: int = 1,
    rows: tuple[int, ...] = FIXED_ROWS,
    places: int = PLACES,
) -> Runtime:
    """Capture a network, and check that it cleans as ONNX Runtime does.

    The states of a network that keeps one stay on the GPU.

    Parameters
    ----------
    options
        ``fp16`` for convolutions in half precision, in place of true single precision without TF32;
        ``inductor`` to compile with torch's inductor before capturing.
    rows
        Row counts that have a graph of their own; other batches are filled up.
    places
        Rows whose states there is room for on the GPU; never fewer than the largest batch.

    Raises
    ------
    InputError
        If torch finds no GPU, or the output differs from ONNX Runtime's by more than
        `engine.backends.parity.PARITY_MV`.
    """
    half, inductor = "fp16" in options, "inductor" in options
    name = "cuda" + ":fp16" * half + ":inductor" * inductor
    network = _network(card, half, inductor)
    runtime: Runtime
    if card.network.steps:
        runtime = _placed(name, card.network, card.network.steps, network, check_rows(rows), places)
    else:
        runtime = GraphRuntime(name, card.spec, capture(network, ports_by_size(card.spec, rows)))
    check_parity(card, runtime, "fp16" if half else "fp32")
    return runtime


def _network(card: ModelCard, half: bool, inductor: bool) -> Network:
    """The network on the GPU, and torch's settings for it."""
    import torch

    if not torch.cuda.is_available():
        raise InputError(f"torch {torch.__version__} finds no GPU that it can use; use onnx or torch")
    # Shapes never change, so the fastest algorithm is looked for once.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    module = load_network(card)
    fold_batch_norms(module)
    module = module.cuda()
    if card.network.steps:
        return module
    if half:
        # Autocast would convert the weights again in every replay.
        for each in module.modules():
            if isinstance(each, torch.nn.Conv1d | torch.nn.ConvTranspose1d | torch.nn.Linear):
                each.half()
    network: Any = torch.compile(module, dynamic=False) if inductor else module

    def clean(noisy: Any) -> tuple[Any]:
        with torch.autocast("cuda", torch.float16, enabled=half):
            return (network(noisy).float(),)

    return clean


def _placed(
    name: str, spec: NetworkSpec, steps: StepSpec, network: Network, rows: tuple[int, ...], count: int
) -> PlacedRuntime:
    from engine.backends.gpu.torch_states import TorchStates

    spare, count = rows[-1], max(count, rows[-1])
    states = TorchStates(steps, spare + count)
    graphs = capture(states.stepped(network), ports_by_size(spec, rows, Ports.placed))
    return PlacedRuntime(name, spec, graphs, states, Places(range(spare, spare + count)))


def fold_batch_norms(network: "nn.Module") -> None:
    """Put each batch norm that directly follows a convolution into its weights: a kernel less each."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            layer, norm = module[index], module[index + 1]
            if isinstance(layer, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d):
                module[index], module[index + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()


def capture(network: Network, ports: Mapping[Size, Ports]) -> "dict[Size, TorchGraph]":
    """One graph for each shape; all share one stream and the buffers."""
    import torch

    largest = largest_sizes(ports.values())

    def zeros(name: str, **where: Any) -> Any:
        return torch.zeros(largest[name], dtype=getattr(torch, dtype_of(name).name), **where)

    taken = {name: None for each in ports.values() for name in each.inputs}
    pinned = {name: zeros(name, pin_memory=True) for name in largest}
    device = {name: zeros(name, device="cuda") for name in taken}
    stream = torch.cuda.Stream()
    return {size: TorchGraph(network, stream, each, pinned, device) for size, each in ports.items()}


def _shaped(memory: dict[str, Any], shapes: dict[str, Shape]) -> dict[str, Any]:
    """The first of each tensor's numbers, in its shape."""
    return {name: memory[name][: math.prod(shape)].view(shape) for name, shape in shapes.items()}


class TorchGraph:
    """One shape: the graph that copies in, computes and copies out.

    Parameters
    ----------
    pinned, device
        Memory on the host for all tensors, and on the GPU for those that go in; without a shape.
    """

    def __init__(
        self, network: Network, stream: Any, ports: Ports, pinned: dict[str, Any], device: dict[str, Any]
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


def _why_not(options: Options) -> str | None:
    if find_gpu() is None:
        return f"{why_no_gpu()}; use onnx or torch"
    missing = why_no_torch()
    if missing:
        return missing
    from importlib.metadata import version

    torch = version("torch")
    if torch.endswith("+cpu"):
        return f"torch {torch} is the build without CUDA; install the one with it"
    if tuple(int(part) for part in torch.split(".")[:2]) < (2, 9):
        return f"torch {torch} cannot time inside a CUDA graph; install 2.9 or newer"
    return None


BACKEND = Entry(_why_not, open_cuda, options=("fp16", "inductor"), on_gpu=True)
