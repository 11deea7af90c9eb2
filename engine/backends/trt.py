"""TensorRT: a network compiled for one kind of GPU, replayed as one captured CUDA graph a call.

One class for both libraries, which say the same names (`engine.backends.flavours`). Memory, stream
and graphs come from the driver itself (`engine.backends.cuda_driver`): a machine that runs plans
needs no torch, and what a call does is all in `_Lane`. Every row count has an execution context,
a profile and a graph of its own, since a graph holds one shape and its addresses; they share the
buffers. Not for two threads at once: TensorRT's contexts are not.
"""

import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import numpy as np

from engine.backends.base import Batch, check_batch
from engine.backends.build_plan import Progress, build_plan
from engine.backends.cuda_driver import Stream
from engine.backends.flavours import Capability, Flavour, choose_flavour, why_none
from engine.backends.gpu import Gpu, dotted, find_gpu, why_no_gpu
from engine.backends.onnxrt import graph_of
from engine.backends.parity import check_parity
from engine.backends.plans import PlanKey, find_or_build
from engine.backends.rows import FIXED_ROWS, check_rows, pieces
from models.registry import ModelCard
from streamer.errors import InputError

T = TypeVar("T")


def plan_key(
    name: str, graph: bytes, flavour: Flavour, gpu: Gpu | Capability, precision: str, rows: tuple[int, ...]
) -> PlanKey:
    """What a plan depends on. A classic one holds kernels that were timed on this very GPU."""
    capability = gpu.capability if isinstance(gpu, Gpu) else gpu
    where = dotted(capability)
    if flavour.name == "classic" and isinstance(gpu, Gpu):
        where = f"{where} {gpu.name} CUDA {dotted(gpu.cuda)}"
    checksum = hashlib.sha256(graph).hexdigest()
    return PlanKey(name, checksum, flavour.name, flavour.version or "", where, precision, check_rows(rows))


def this_gpu() -> tuple[Gpu, Flavour]:
    """The GPU here and the library that runs on it.

    Raises
    ------
    InputError
        If there is no GPU, or no library that serves it.
    """
    gpu = find_gpu()
    flavour = choose_flavour(gpu) if gpu else None
    if gpu is None or flavour is None:
        raise InputError(f"TensorRT cannot run: {gpu or why_no_gpu()}: {why_none(gpu)}")
    return gpu, flavour


def prepare_plan(
    card: ModelCard,
    precision: str,
    rows: tuple[int, ...],
    progress: Progress,
    load: Callable[[bytes], T | None],
) -> T:
    """The plan of a network for the GPU here, loaded: from the folder of plans, or built and kept."""
    gpu, flavour = this_gpu()
    graph = graph_of(card)
    key = plan_key(card.spec.name, graph, flavour, gpu, precision, rows)

    def build() -> bytes:
        # A card newer than the library has no name in it yet: a plan that names none runs on all.
        named = flavour.name == "rtx" and gpu.capability in flavour.capabilities
        capability = gpu.capability if named else None
        return build_plan(import_module(flavour.module), graph, precision, key.rows, capability, progress)

    return find_or_build(key, build, load)


class TrtBackend:
    """Runs a plan on the GPU, in single precision or, as ``tensorrt:fp16``, in half.

    Parameters
    ----------
    rows
        Row counts that have a graph of their own; other batches are filled up.

    Raises
    ------
    InputError
        If there is no GPU or no library for it, the library refuses the network, or its output
        differs from ONNX Runtime's by more than `engine.backends.parity.PARITY_MV`.
    """

    def __init__(
        self,
        card: ModelCard,
        precision: str = "fp32",
        rows: tuple[int, ...] = FIXED_ROWS,
    ) -> None:
        _, flavour = this_gpu()
        self.name = "tensorrt" if precision == "fp32" else f"tensorrt:{precision}"
        self.fixed_rows = check_rows(rows)
        self.transfers_ns = (0, 0)
        self.leads, self._window = card.spec.leads, card.spec.window
        trt = import_module(flavour.module)
        # Logger and runtime must live as long as the engine.
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._logger)
        self._engine: Any = prepare_plan(
            card,
            precision,
            self.fixed_rows,
            lambda what, done, total: None,
            self._runtime.deserialize_cuda_engine,
        )
        self._stream = Stream()
        largest = self.fixed_rows[-1], self.leads, self._window
        self._noisy, self._cleaned = self._stream.pinned(largest), self._stream.pinned(largest)
        addresses = self._stream.memory(self._noisy.nbytes), self._stream.memory(self._cleaned.nbytes)
        self._lanes: dict[int, _Lane] = {}
        try:
            for profile, count in enumerate(self.fixed_rows):
                noisy, cleaned = self._noisy[:count], self._cleaned[:count]
                self._lanes[count] = _Lane(self._engine, profile, self._stream, noisy, cleaned, addresses)
            check_parity(card, precision, self.fixed_rows, self.infer)
        except (InputError, RuntimeError):
            self.close()
            raise

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory, all else is made before."""
        check_batch(batch, self.leads, self._window)
        cleaned = np.empty_like(batch)
        to_device = to_host = 0
        self._stream.use()
        for part, count in pieces(len(batch), self.fixed_rows):
            rows = part.stop - part.start
            # Rows that are left over keep what they held: no row sees another.
            self._noisy[:rows] = batch[part]
            lane = self._lanes[count]
            lane.graph.launch()
            self._stream.synchronize()
            cleaned[part] = self._cleaned[:rows]
            there, back = lane.transfers_ns()
            to_device, to_host = to_device + there, to_host + back
        self.transfers_ns = to_device, to_host
        return cleaned

    def close(self) -> None:
        """Free contexts and engine, then the memory that they used."""
        self._stream.use()
        self._lanes.clear()
        del self._engine, self._runtime
        self._stream.close()


class _Lane:
    """One row count: its context, and the graph that copies in, computes and copies out.

    Parameters
    ----------
    noisy, cleaned
        Pinned memory of just this many rows.
    addresses
        Memory on the GPU for input and output.
    """

    def __init__(
        self,
        engine: Any,
        profile: int,
        stream: Stream,
        noisy: Batch,
        cleaned: Batch,
        addresses: tuple[int, int],
    ) -> None:
        self._events = [stream.event() for _ in range(4)]
        self.context = engine.create_execution_context()
        if self.context is None:
            raise RuntimeError("the GPU has no memory left for the network")
        names = {engine.get_tensor_mode(name).name: name for name in _tensors(engine)}
        _check(self.context.set_optimization_profile_async(profile, stream.handle), "the profile")
        stream.synchronize()
        _check(self.context.set_input_shape(names["INPUT"], noisy.shape), "the input's shape")
        for name, address in zip((names["INPUT"], names["OUTPUT"]), addresses, strict=True):
            _check(self.context.set_tensor_address(name, address), "the address")
        # The first run compiles and allocates what is missing, which no graph can hold.
        _check(self.context.execute_async_v3(stream.handle), "the first run")
        stream.synchronize()
        if hasattr(self.context, "is_stream_capturable"):
            _check(self.context.is_stream_capturable(), "to be captured")
        with stream.capture() as self.graph:
            self._events[0].record()
            stream.to_device(addresses[0], noisy)
            self._events[1].record()
            _check(self.context.execute_async_v3(stream.handle), "the captured run")
            self._events[2].record()
            stream.to_host(cleaned, addresses[1])
            self._events[3].record()

    def transfers_ns(self) -> tuple[int, int]:
        """How long the last launch copied to the device and back."""
        begun, arrived, computed, ended = self._events
        return arrived.since(begun), ended.since(computed)


def _tensors(engine: Any) -> list[str]:
    return [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]


def _check(done: bool, what: str) -> None:
    if not done:
        raise RuntimeError(f"TensorRT refuses {what}")
