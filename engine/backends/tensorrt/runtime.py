"""TensorRT: a network compiled for one kind of GPU, replayed as captured CUDA graphs.

The same for both libraries, which say the same names (`engine.backends.tensorrt.flavours`). What happens on
the GPU stands in `engine.backends.tensorrt.capture`, how batches are cut in `engine.backends.gpu.graphs`.
"""

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from engine.backends.gpu.find import Gpu, dotted, find_gpu, why_no_gpu
from engine.backends.gpu.graphs import GraphSteps, GraphWindows, Key, Ports
from engine.backends.gpu.shapes import FIXED_ROWS, check_rows, fixed_samples
from engine.backends.onnxrt import graph_of
from engine.backends.parity import check_parity, check_step_parity
from engine.backends.tensorrt.build import Progress, build_plan
from engine.backends.tensorrt.capture import LoadedPlan
from engine.backends.tensorrt.flavours import Capability, Flavour, choose_flavour, why_none
from engine.backends.tensorrt.plans import PlanKey, find_or_build
from models.registry import ModelCard
from models.spec import NetworkSpec, StepSpec
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
        samples=fixed_samples(spec.steps) if spec.steps else (),
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
    graph = graph_of(card)
    key = plan_key(card.network, graph, flavour, gpu, precision, rows)

    def build() -> bytes:
        # A card newer than the library has no name in it yet: a plan that names none runs on all.
        named = flavour.name == "rtx" and gpu.capability in flavour.capabilities
        capability = gpu.capability if named else None
        trt = import_module(flavour.module)
        return build_plan(trt, graph, precision, key.rows, capability, progress, samples=key.samples)

    return find_or_build(key, build, load)


class TrtBackend(GraphWindows):
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

    def __init__(self, card: ModelCard, precision: str = "fp32", rows: tuple[int, ...] = FIXED_ROWS) -> None:
        self.name = "tensorrt" if precision == "fp32" else f"tensorrt:{precision}"
        super().__init__(card.spec.leads, card.spec.window, rows)
        self._plan = _load(card, precision, self.fixed_rows, self._ports)
        self._lanes = self._plan.lanes
        try:
            check_parity(card, precision, self.fixed_rows, self.infer)
        except (InputError, RuntimeError):
            self.close()
            raise

    def close(self) -> None:
        """Free the plan and its memory."""
        self._plan.close()


class TrtSteps(GraphSteps):
    """The same for a network that keeps state, in single precision alone."""

    name = "tensorrt"

    def __init__(self, card: ModelCard, steps: StepSpec, rows: tuple[int, ...] = FIXED_ROWS) -> None:
        super().__init__(card.spec.leads, steps, rows)
        self._plan = _load(card, "fp32", self.fixed_rows, self._ports)
        self._lanes = self._plan.lanes
        try:
            check_step_parity(card, steps, self.fixed_rows, self.step)
        except (InputError, RuntimeError):
            self.close()
            raise

    def close(self) -> None:
        """Free the plan and its memory."""
        self._plan.close()


def _load(
    card: ModelCard, precision: str, rows: tuple[int, ...], ports: Mapping[Key, Ports]
) -> LoadedPlan[Key]:
    _, flavour = this_gpu()

    def load(give: Callable[[bytes], Any]) -> Any:
        return prepare_plan(card, precision, rows, lambda what, done, total: None, give)

    return LoadedPlan(import_module(flavour.module), load, ports)
