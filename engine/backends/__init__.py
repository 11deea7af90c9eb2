"""Runtimes by name, what each needs, and the order in which `auto` asks them."""

import logging
from collections.abc import Callable
from importlib.metadata import version

from engine.backends.base import AnyBackend, Backend, StepBackend
from engine.backends.gpu.find import find_gpu, why_no_gpu
from engine.backends.tensorrt.flavours import choose_flavour, why_none
from models.registry import ModelCard
from models.spec import ClassicalSpec, NetworkSpec, StepSpec
from models.torch_needed import why_no_torch
from streamer.console.installed import why_missing
from streamer.errors import InputError

ON_GPU = ("tensorrt", "cuda")
AUTO_ORDER = (*ON_GPU, "onnx", "torch")
BACKENDS = ("auto", "onnx", "torch", "cuda", "tensorrt")
OPTIONS = {"cuda": ("fp16", "inductor"), "tensorrt": ("fp16",)}
"""What may follow a name after a colon, as in ``cuda:fp16``."""
NUMPY = "numpy"
"""What runs the classical systems, and nothing else."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""

_logger = logging.getLogger(__name__)


def why_not(name: str) -> str | None:
    """Say why a backend cannot run here and what to do; None where it can."""
    name, *options = name.split(":")
    for option in options:
        if option not in OPTIONS.get(name, ()):
            allowed = ", ".join(f"{each}:{word}" for each, words in OPTIONS.items() for word in words)
            return f"it has no option {option!r}; there are: {allowed}"
    if name == "onnx":
        return why_missing(["onnxruntime"])
    if name == "torch":
        return why_no_torch()
    if name not in ("cuda", "tensorrt"):
        return f"there is no such backend; allowed: {', '.join(BACKENDS)}"
    gpu = find_gpu()
    if name == "tensorrt":
        if gpu is None or choose_flavour(gpu) is None:
            return f"{gpu or why_no_gpu()}; {why_none(gpu)}; use {'cuda, ' if gpu else ''}onnx or torch"
        return why_missing(["onnx"], "train") if "fp16" in options else None
    if gpu is None:
        return f"{why_no_gpu()}; use onnx or torch"
    missing = why_no_torch()
    if missing:
        return missing
    torch = version("torch")
    if torch.endswith("+cpu"):
        return f"torch {torch} is the build without CUDA; install the one with it"
    if tuple(int(part) for part in torch.split(".")[:2]) < (2, 9):
        return f"torch {torch} cannot time inside a CUDA graph; install 2.9 or newer"
    return None


def _no_steps(name: str, spec: NetworkSpec | ClassicalSpec | None) -> str | None:
    """Why a backend cannot run a network that keeps state; None where it can, or where it keeps none."""
    name, *options = name.split(":")
    if isinstance(spec, NetworkSpec) and spec.steps and options:
        # Neither was tried on a network whose errors come back to it.
        return (
            f"{spec.name} keeps state and runs in fp32, as it stands; use {name} without {':'.join(options)}"
        )
    return None


def choose_backend(name: str, spec: NetworkSpec | ClassicalSpec | None = None) -> str:
    """The backend that is meant; ``auto`` means the first of `AUTO_ORDER` that runs here.

    Parameters
    ----------
    spec
        What it shall run: a classical system runs in numpy. None stands for any network.

    Raises
    ------
    InputError
        If the backend that was named cannot run here, or not this: nothing else is taken in its place.
    """
    if isinstance(spec, ClassicalSpec):
        if name not in ("auto", NUMPY):
            raise InputError(
                f"model {spec.name!r} is no network and runs in numpy alone; leave out --backend {name}"
            )
        return NUMPY
    if name == NUMPY:
        raise InputError("backend 'numpy' runs classical systems alone; for a network use onnx or torch")
    if name == "auto":
        name = next((each for each in AUTO_ORDER if why_not(each) is None), "onnx")
    reason = why_not(name) or _no_steps(name, spec)
    if reason is not None:
        raise InputError(f"backend {name!r} cannot be used: {reason}")
    return name


def explain_auto(chosen: str) -> str:
    """One line: what ``auto`` chose, and why it passed over what it asks before that."""
    before = AUTO_ORDER[: AUTO_ORDER.index(chosen)] if chosen in AUTO_ORDER else ()
    if before and find_gpu() is None:
        reasons = ["there is no NVIDIA GPU"]
    else:
        reasons = [f"{name}: {why_not(name) or 'did not open'}" for name in before]
    return "; ".join([f"auto chose {chosen}, asking {', '.join(AUTO_ORDER)} in turn", *reasons])


def open_backend(name: str, card: ModelCard, threads: int = 1) -> AnyBackend:
    """Load a system into the backend that is meant; ``auto`` takes the first that opens.

    A classical system runs in numpy. One that runs on a GPU comes with a heartbeat, which keeps it
    awake between calls.

    Raises
    ------
    InputError
        As `choose_backend`, or if the backend cannot take this system, or the model's file is not
        the one that its card says.
    """
    if isinstance(card.spec, ClassicalSpec):
        from engine.backends.filters import FilterBackend

        choose_backend(name, card.spec)
        return FilterBackend(card.spec)
    if name == "auto":
        # A GPU that is there may still refuse this network.
        for each in ON_GPU:
            if why_not(each) is None:
                try:
                    return _open(each, card, threads)
                except (InputError, RuntimeError, ImportError, OSError) as error:
                    _logger.warning("auto passes over %s: %s", each, error)
        name = next((each for each in AUTO_ORDER if each not in ON_GPU and why_not(each) is None), "onnx")
    return _open(choose_backend(name, card.spec), card, threads)


def prepare_backend(name: str, card: ModelCard, progress: Progress) -> None:
    """Build ahead what opening would build, a TensorRT plan, while somebody watches how far it is.

    Raises
    ------
    InputError
        If a backend that was named cannot take this network; ``auto`` then opens another.
    """
    chosen, *options = choose_backend(name, card.spec).split(":")
    if chosen != "tensorrt":
        return
    from engine.backends.gpu.shapes import FIXED_ROWS
    from engine.backends.tensorrt.runtime import prepare_plan

    card.check_file(card.onnx_path)
    precision = "fp16" if "fp16" in options else "fp32"
    try:
        prepare_plan(card, precision, FIXED_ROWS, progress, bytes)
    except InputError:
        if name != "auto":
            raise


def _open(name: str, card: ModelCard, threads: int) -> AnyBackend:
    name, *options = name.split(":")
    card.check_file(card.weights_path if name in ("torch", "cuda") else card.onnx_path)
    steps = card.network.steps
    if steps:
        return _open_steps(name, card, steps, threads)
    if name == "onnx":
        from engine.backends.onnxrt import OnnxBackend

        return OnnxBackend(card, threads)
    if name == "torch":
        from engine.backends.pytorch import TorchBackend

        return TorchBackend(card, threads)
    from engine.backends.gpu.heartbeat import Heartbeat

    precision = "fp16" if "fp16" in options else "fp32"
    if name == "cuda":
        from engine.backends.cuda import CudaBackend

        on_gpu: Backend = CudaBackend(card, precision, "inductor" in options)
    else:
        from engine.backends.tensorrt.runtime import TrtBackend

        on_gpu = TrtBackend(card, precision)
    return Heartbeat(on_gpu, card.spec.leads, card.spec.window)


def _open_steps(name: str, card: ModelCard, steps: StepSpec, threads: int) -> StepBackend:
    if name == "onnx":
        from engine.backends.onnxrt import OnnxSteps

        return OnnxSteps(card, steps, threads)
    if name == "torch":
        from engine.backends.pytorch import TorchSteps

        return TorchSteps(card, steps, threads)
    from engine.backends.gpu.heartbeat import StepHeartbeat

    if name == "cuda":
        from engine.backends.cuda import CudaSteps

        return StepHeartbeat(CudaSteps(card, steps))
    from engine.backends.tensorrt.runtime import TrtSteps

    return StepHeartbeat(TrtSteps(card, steps))
