"""From an ONNX graph to a serialized TensorRT plan, with either flavour, and why not where not."""

from typing import Any

from engine.backends.base import Progress
from engine.backends.gpu.find import dotted
from engine.backends.tensorrt.flavours import Capability, Flavour
from models.half import to_half
from streamer.errors import InputError

PRECISIONS = ("fp32", "fp16")
_WORKSPACE = 256 << 20


def build_plan(
    trt: Any,
    graph: bytes,
    precision: str,
    rows: tuple[int, ...],
    capability: Capability | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    samples: tuple[int, ...] = (),
) -> bytes:
    """Compile a graph.

    The network is strongly typed: every layer computes in the type that the graph gives it.
    ``fp32`` is true single precision, without TF32. Each shape has an optimisation profile of its
    own, so that it is fixed when its kernels are chosen. Profiles stand in the order of `rows`, or
    where there are `samples`, in the order of these and for each in that of `rows`.

    Parameters
    ----------
    trt
        The imported library.
    rows
        Sizes of the free first axis that all inputs share, but those that are a mere number.
    samples
        Sizes of the last axis, where that is free too: in the graph of a network that keeps state.
    capability
        Compute capability to build for, without a GPU (RTX); None builds for the GPU at hand.

    Raises
    ------
    InputError
        If the library refuses the network; the message holds all that it said.
    """
    logger = _logger(trt)
    builder = trt.Builder(logger)
    # Both TensorRT 10 and 11 know this flag; 11 has no other kind of network.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(to_half(graph) if precision == "fp16" else graph):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        said = "; ".join(f"{error.node_operator()} ({error.node_name()}): {error.desc()}" for error in errors)
        raise InputError(f"{trt.__name__} {trt.__version__} cannot take this network: {said}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE)
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
        # Without it the RTX flavour may allocate while it runs, which no CUDA graph can hold.
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    _add_profiles(builder, network, config, rows, samples)
    if capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(target(trt, capability), 0)
    # The config holds no reference to its monitor.
    monitor = _monitor(trt, progress)
    config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if monitor.interrupted:
        raise KeyboardInterrupt
    if plan is None:
        said = "; ".join(logger.errors) or "no reason given"
        raise InputError(f"{trt.__name__} {trt.__version__} cannot build this network: {said}")
    return bytes(plan)


def target(trt: Any, capability: Capability) -> Any:
    """The library's word for a compute capability that it can build for without a GPU."""
    return getattr(trt.ComputeCapability, f"SM{capability[0]}{capability[1]}")


def check_target(flavour: Flavour, capability: Capability) -> None:
    """Raise InputError unless a flavour can build for this compute capability without such a GPU."""
    if capability not in flavour.capabilities:
        allowed = " ".join(dotted(each) for each in flavour.capabilities)
        raise InputError(
            f"{flavour.package} builds for compute capability {allowed}, and not for {dotted(capability)}"
        )


def _add_profiles(
    builder: Any, network: Any, config: Any, rows: tuple[int, ...], samples: tuple[int, ...]
) -> None:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    shapes = {tensor.name: tuple(tensor.shape) for tensor in inputs if tuple(tensor.shape)}
    for name, shape in shapes.items():
        inner = shape[1:-1] if samples else shape[1:]
        if shape[0] != -1 or -1 in inner:
            allowed = "first axis and its last one" if samples else "first axis"
            raise InputError(f"input {name!r} has shape {shape}; its {allowed} alone must be free")
    for length in samples or (-1,):
        for count in rows:
            profile = builder.create_optimization_profile()
            for name, (_, *rest) in shapes.items():
                fixed = count, *(length if size == -1 else size for size in rest)
                profile.set_shape(name, fixed, fixed, fixed)
            if config.add_optimization_profile(profile) < 0:
                said = f"{count} rows" + (f" of {length} samples" if samples else "")
                raise InputError(f"{said} are refused as a size of this network")


def _logger(trt: Any) -> Any:
    """A logger that keeps what was wrong: a failed build returns None and says why only there."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split()))

    return Logger()


def _monitor(trt: Any, progress: Progress) -> Any:
    """Hand on the innermost phase that has steps; Ctrl-C cancels the build."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self.steps: dict[str, int] = {}
            self.interrupted = False

        def _tell(self, phase: str, done: int) -> bool:
            # An exception cannot cross the library; False tells it to stop.
            try:
                progress(phase, done, self.steps[phase])
            except KeyboardInterrupt:
                self.interrupted = True
            return not self.interrupted

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return self._tell(phase_name, step + 1)

        def phase_finish(self, phase_name: str) -> None:
            # The last step of a phase is not always reported.
            self._tell(phase_name, self.steps[phase_name])

    return Monitor()
