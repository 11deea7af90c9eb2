"""Backends by name: the table that lists them, and how one is chosen and opened.

A new backend is a file that defines a `Runtime`, and an `Entry` of the name ``BACKEND``, and a line
in `TABLE`. All else is read off the table: what ``--backend`` takes, with which options, and the order
in which ``auto`` asks.
"""

import logging
from functools import partial
from importlib import import_module

from engine.backends.adapters import Steps, Windows, adapt
from engine.backends.base import Entry, Progress, Runtime
from engine.backends.gpu.find import find_gpu
from engine.backends.gpu.heartbeat import Heartbeat, silence
from engine.backends.reliable import Reliable
from models.registry import ModelCard
from models.spec import ClassicalSpec, NetworkSpec
from streamer.errors import InputError

TABLE = {
    "tensorrt": "engine.backends.tensorrt.runtime",
    "cuda": "engine.backends.cuda",
    "onnx": "engine.backends.onnxrt",
    "torch": "engine.backends.pytorch",
    "numpy": "engine.backends.filters",
}
"""Every backend by its name, and the module that knows it; the fastest first, as ``auto`` asks."""


def entry_of(name: str) -> Entry:
    """What the module of a backend says of it."""
    entry: Entry = import_module(TABLE[name]).BACKEND
    return entry


def auto_order() -> tuple[str, ...]:
    """What ``auto`` asks for a network, in turn."""
    return tuple(name for name in TABLE if not entry_of(name).classical)


BACKENDS = ("auto", *auto_order())
"""What ``--backend`` takes for a network."""
OPTIONS = {name: entry_of(name).options for name in TABLE if entry_of(name).options}
"""What may follow a name after a colon, as in ``cuda:fp16``."""
NUMPY = next(name for name in TABLE if entry_of(name).classical)
"""What runs the classical systems, and nothing else."""

_logger = logging.getLogger(__name__)


def why_not(name: str) -> str | None:
    """Say why a backend cannot run here and what to do; None where it can."""
    name, *options = name.split(":")
    entry = entry_of(name) if name in TABLE else None
    for option in options:
        if entry is None or option not in entry.options:
            allowed = ", ".join(f"{each}:{word}" for each, words in OPTIONS.items() for word in words)
            return f"it has no option {option!r}; there are: {allowed}"
    if entry is None:
        return f"there is no such backend; allowed: {', '.join(('auto', *auto_order()))}"
    return entry.why_not(options)


def choose_backend(name: str, spec: NetworkSpec | ClassicalSpec | None = None) -> str:
    """The backend that is meant; ``auto`` means the first of the table that runs here.

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
        name = _first(auto_order())
    reason = why_not(name) or _why_no_options(name, spec)
    if reason is not None:
        raise InputError(f"backend {name!r} cannot be used: {reason}")
    return name


def _first(names: tuple[str, ...]) -> str:
    """The first that runs here; where none does the first that needs no GPU, for its reason is told."""
    runs = (name for name in names if why_not(name) is None)
    return next(runs, next(name for name in names if not entry_of(name).on_gpu))


def _why_no_options(name: str, spec: NetworkSpec | None) -> str | None:
    """Why a network cannot be run with the options of a backend; None where it can."""
    name, *options = name.split(":")
    if spec and spec.steps and options:
        # None was tried on a network whose errors come back to it.
        return (
            f"{spec.name} keeps state and runs in fp32, as it stands; use {name} without {':'.join(options)}"
        )
    return None


def explain_auto(chosen: str) -> str:
    """One line: what ``auto`` chose, and why it passed over what it asks before that."""
    order = auto_order()
    before = order[: order.index(chosen)] if chosen in order else ()
    if before and find_gpu() is None:
        reasons = ["there is no NVIDIA GPU"]
    else:
        reasons = [f"{name}: {why_not(name) or 'did not open'}" for name in before]
    return "; ".join([f"auto chose {chosen}, asking {', '.join(order)} in turn", *reasons])


def open_backend(name: str, card: ModelCard, threads: int = 1) -> Windows | Steps:
    """Load a system into the backend that is meant; ``auto`` takes the first that opens.

    A classical system runs in numpy. A runtime on a GPU comes with a heartbeat, which keeps the GPU
    awake between calls.

    Raises
    ------
    InputError
        As `choose_backend`, or if the backend cannot take this system, or the model's file is not
        the one that its card says.
    """
    return adapt(_open_runtime(name, card, threads), card.spec)


def open_reliable(name: str, card: ModelCard, threads: int = 1) -> Windows | Steps:
    """Load a system as `open_backend` does, so that a failing runtime does not end the run.

    Where ``auto`` was asked for, what it would have taken next stands by.
    """
    first, order = _open_runtime(name, card, threads), auto_order()
    others = order[order.index(first.name) + 1 :] if name == "auto" and first.name in order else ()
    substitutes = [partial(_open_runtime, each, card, threads) for each in others if why_not(each) is None]
    return adapt(Reliable(first, card.spec, substitutes), card.spec)


def prepare_backend(name: str, card: ModelCard, progress: Progress) -> None:
    """Build ahead what opening would build, as a TensorRT plan, and tell the progress.

    Raises
    ------
    InputError
        If a backend that was named cannot take this network; ``auto`` then opens another.
    """
    chosen, *options = choose_backend(name, card.spec).split(":")
    prepare = entry_of(chosen).prepare
    if prepare is None:
        return
    try:
        prepare(card, options, progress)
    except InputError:
        if name != "auto":
            raise


def _open_runtime(name: str, card: ModelCard, threads: int) -> Runtime:
    if name == "auto" and isinstance(card.spec, NetworkSpec):
        order = auto_order()
        # A GPU that is there may still refuse this network.
        for each in order:
            if entry_of(each).on_gpu and why_not(each) is None:
                try:
                    return _open(each, card, threads)
                except (InputError, RuntimeError, ImportError, OSError) as error:
                    _logger.warning("auto passes over %s: %s", each, error)
        name = _first(tuple(each for each in order if not entry_of(each).on_gpu))
    return _open(choose_backend(name, card.spec), card, threads)


def _open(name: str, card: ModelCard, threads: int) -> Runtime:
    name, *options = name.split(":")
    entry = entry_of(name)
    runtime = entry.open(card, options, threads)
    if not entry.on_gpu:
        return runtime
    return Heartbeat(runtime, silence(card.spec, placed=runtime.places is not None))
