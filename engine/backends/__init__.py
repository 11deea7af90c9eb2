"""Runtimes by name, what each needs, and the order in which `auto` asks them."""

from importlib.util import find_spec

from engine.backends.base import Backend
from models.registry import ModelCard
from models.spec import ClassicalSpec
from streamer.errors import InputError

AUTO_ORDER = ("onnx", "torch")
BACKENDS = ("auto", "onnx", "torch", "tensorrt")
NUMPY = "numpy"
"""What runs the classical systems, and nothing else."""


def why_not(name: str) -> str | None:
    """Say why a backend cannot run here and what to do; None where it can."""
    if name == "onnx":
        needed = ["onnxruntime"]
    elif name == "torch":
        needed = ["torch", "safetensors"]
    elif name == "tensorrt":
        return "this version has no TensorRT backend yet; use onnx or torch"
    else:
        return f"there is no such backend; allowed: {', '.join(BACKENDS)}"
    missing = [module for module in needed if find_spec(module) is None]
    if missing:
        return f"{' and '.join(missing)} not installed; run `pip install 'ecg-stream[train]'`"
    return None


def choose_backend(name: str) -> str:
    """The backend that is meant; ``auto`` means the first of `AUTO_ORDER` that runs here.

    Raises
    ------
    InputError
        If the backend that was named cannot run here: nothing else is taken in its place.
    """
    if name == "auto":
        name = next((each for each in AUTO_ORDER if why_not(each) is None), AUTO_ORDER[0])
    reason = why_not(name)
    if reason is not None:
        raise InputError(f"backend {name!r} cannot be used: {reason}")
    return name


def open_backend(name: str, card: ModelCard, threads: int = 1) -> Backend:
    """Load a model into the backend that `choose_backend` says; a classical system runs in numpy.

    Raises
    ------
    InputError
        If that backend cannot run here, or cannot run this system.
    """
    spec = card.spec
    if isinstance(spec, ClassicalSpec):
        if name not in ("auto", NUMPY):
            raise InputError(
                f"model {spec.name!r} is no network and runs in numpy alone; leave out --backend {name}"
            )
        from engine.backends.filters import FilterBackend

        return FilterBackend(spec)
    name = choose_backend(name)
    if name == "onnx":
        from engine.backends.onnxrt import OnnxBackend

        return OnnxBackend(card, threads)
    from engine.backends.pytorch import TorchBackend

    return TorchBackend(card, threads)
