"""Plans that are built ahead, for the GPUs of a ward, on a machine that may have none."""

from importlib import import_module
from pathlib import Path

from engine.backends.base import Progress
from engine.backends.gpu.find import Gpu, find_gpu, why_no_gpu
from engine.backends.tensorrt.build import build_plan, check_target
from engine.backends.tensorrt.flavours import CLASSIC, FLAVOURS, RTX, Capability, Flavour
from engine.backends.tensorrt.plan_graph import plan_graph
from engine.backends.tensorrt.plans import write_plan
from engine.backends.tensorrt.runtime import plan_key
from models.registry import find_network
from streamer.console.installed import how_to_install
from streamer.errors import InputError


def export_plan(
    name: str,
    graph: bytes,
    output: Path,
    *,
    flavour: str,
    capability: Capability | None,
    precision: str,
    rows: tuple[int, ...],
    progress: Progress,
) -> Path:
    """Build a plan and write it, with all that it depends on, as a run keeps its own.

    Parameters
    ----------
    output
        File, or a folder in which it gets the name that a run looks for.
    capability
        Compute capability to build for; None is that of the GPU here.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the library is not installed, cannot build for this capability, or refuses the network; or
        the network keeps state, and the precision is another than fp32.
    """
    spec = find_network(name)
    if spec.steps and precision != "fp32":
        raise InputError(
            f"{name} keeps state and is exported in fp32 alone; leave out --precision {precision}"
        )
    if flavour not in FLAVOURS:
        raise InputError(f"--flavour {flavour!r} is unknown; allowed: {', '.join(FLAVOURS)}")
    library = FLAVOURS[flavour]
    if library.version is None:
        raise InputError(f"{library.package} is not installed; run `{how_to_install(library.extra)}`")
    gpu = _gpu(library, capability)
    graph = plan_graph(spec, graph)
    key = plan_key(spec, graph, library, gpu, precision, rows)
    target = None if isinstance(gpu, Gpu) else gpu
    trt = import_module(library.module)
    plan = build_plan(trt, graph, precision, key.rows, target, progress, samples=key.samples)
    path = output / key.file_name if output.is_dir() else output
    write_plan(path, key, plan)
    return path


def _gpu(library: Flavour, capability: Capability | None) -> Gpu | Capability:
    """What to build for: the RTX flavour needs a capability alone, the classic one the GPU itself."""
    gpu = find_gpu()
    if library is RTX:
        wanted = capability or (gpu.capability if gpu else None)
        if wanted is None:
            raise InputError(f"{why_no_gpu()}; name the ward's with --compute-capability, {RTX.served}")
        check_target(library, wanted)
        return wanted
    if gpu is None or (capability is not None and capability != gpu.capability):
        raise InputError(
            f"{CLASSIC.package} times its kernels on the GPU that it builds for: build on a machine with "
            f"that GPU ({gpu or why_no_gpu()}), or use --flavour rtx"
        )
    return gpu
