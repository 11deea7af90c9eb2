"""TensorRT: a network compiled for one kind of GPU, replayed as captured CUDA graphs.

The same for both libraries, which say the same names (`flavours`). What happens on the GPU stands in
`capture`, how calls are cut to what is compiled in `engine.backends.gpu.graphs`.
"""

import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from engine.backends.base import Entry, Options, Progress, Runtime
from engine.backends.gpu.find import Gpu, dotted, find_gpu, why_no_gpu
from engine.backends.gpu.graphs import GraphRuntime
from engine.backends.gpu.shapes import FIXED_ROWS, check_rows, fixed_samples, ports_by_size
from engine.backends.parity import check_parity
from engine.backends.places import PLACES
from engine.backends.tensorrt.build import build_plan
from engine.backends.tensorrt.capture import LoadedPlan
from engine.backends.tensorrt.flavours import Capability, Flavour, choose_flavour, why_none
from engine.backends.tensorrt.plan_graph import plan_graph
from engine.backends.tensorrt.plans import PlanKey, find_or_build
from engine.backends.tensorrt.states import open_placed
from models.graphs import graph_of
from models.registry import ModelCard
from models.spec import NetworkSpec
from streamer.console.installed import why_missing
from streamer.errors import InputError

T = TypeVar("T")


def plan_key(
    spec: NetworkSpec,
    graph: bytes,
    flavour: Flavour,
    gpu: Gpu | Capability,
    precision: str,
    rows: tuple[int, ...],
) -> PlanKey:
    """What a plan depends on. A classic one holds kernels that were timed on this very GPU."""
    capability = gpu.capability if isinstance(gpu, Gpu) else gpu
    where = dotted(capability)
    if flavour.name == "classic" and isinstance(gpu, Gpu):
        where = f"{where} {gpu.name} CUDA {dotted(gpu.cuda)}"
    return PlanKey(
        network=spec.name,
        graph=hashlib.sha256(graph).hexdigest(),
        flavour=flavour.name,
        version=flavour.version or "",
        gpu=where,
        precision=precision,
        rows=check_rows(rows),
        samples=fixed_samples(spec) if spec.steps else (),
    )


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
    graph = plan_graph(card.network, graph_of(card))
    key = plan_key(card.network, graph, flavour, gpu, precision, rows)

    def build() -> bytes:
        # A card newer than the library has no name in it yet: a plan that names none runs on all.
        named = flavour.name == "rtx" and gpu.capability in flavour.capabilities
        capability = gpu.capability if named else None
        trt = import_module(flavour.module)
        return build_plan(trt, graph, precision, key.rows, capability, progress, samples=key.samples)

    return find_or_build(key, build, load)


def open_tensorrt(
    card: ModelCard,
    options: Options = (),
    threads: int = 1,
    rows: tuple[int, ...] = FIXED_ROWS,
    places: int = PLACES,
) -> Runtime:
    """Load a plan, or build it first, and check that it cleans as ONNX Runtime does.

    The states of a network that keeps one stay on the GPU.

    Parameters
    ----------
    options
        ``fp16`` for convolutions in half precision.
    rows
        Row counts that have a graph of their own; other batches are filled up.
    places
        Rows whose states there is room for on the GPU; never fewer than the largest batch.

    Raises
    ------
    InputError
        If there is no GPU or no library for it, the library refuses the network, or its output
        differs from ONNX Runtime's by more than `engine.backends.parity.PARITY_MV`.
    """
    precision = _precision(options)
    _, flavour = this_gpu()

    def load(give: Callable[[bytes], Any]) -> Any:
        return prepare_plan(card, precision, rows, lambda what, done, total: None, give)

    name, trt = ":".join(("tensorrt", *options)), import_module(flavour.module)
    spec = card.network
    runtime: Runtime
    if spec.steps:
        runtime = open_placed(name, spec, trt, load, check_rows(rows), places)
    else:
        plan = LoadedPlan(trt, load, ports_by_size(spec, rows))
        runtime = GraphRuntime(name, spec, plan.graphs, plan.close)
    try:
        check_parity(card, runtime, precision)
    except (InputError, RuntimeError):
        runtime.close()
        raise
    return runtime


def _precision(options: Options) -> str:
    return "fp16" if "fp16" in options else "fp32"


def _why_not(options: Options) -> str | None:
    gpu = find_gpu()
    flavour = choose_flavour(gpu) if gpu else None
    if flavour is None:
        return f"{gpu or why_no_gpu()}; {why_none(gpu)}; use {'cuda, ' if gpu else ''}onnx or torch"
    return why_missing(["onnx", "onnxscript"] if "fp16" in options else ["onnx"], flavour.extra)


def _prepare(card: ModelCard, options: Options, progress: Progress) -> None:
    prepare_plan(card, _precision(options), FIXED_ROWS, progress, bytes)


BACKEND = Entry(_why_not, open_tensorrt, options=("fp16",), prepare=_prepare, on_gpu=True)
