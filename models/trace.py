"""A network's graph as torch's exporter traces it, in a process of its own.

torch 2.13 keeps, from one export of a recurrent network to the next in the same process, how many steps
the first one took: the second graph has that number frozen into it, or none comes of it.
"""

import logging
import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.spec import NetworkSpec
from models.storage import load_weights
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Example = tuple["Tensor", ...]
"""What a network takes once, in order."""


@dataclass(frozen=True)
class Signature:
    """What goes into a graph and comes out.

    Parameters
    ----------
    inputs, outputs
        Names, in order.
    examples
        What may go in, in two shapes: the graph is traced with the first.
    free
        Of each input, the axes that may have any length.
    """

    inputs: list[str]
    outputs: list[str]
    examples: tuple[Example, Example]
    free: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, spec: NetworkSpec) -> "Signature":
        """That of a network; see `models.export.export_onnx`."""
        import torch

        generator = torch.Generator().manual_seed(0)
        steps = spec.steps
        if steps is None:
            one, other = (torch.randn(rows, spec.leads, spec.window, generator=generator) for rows in (2, 5))
            return cls(["noisy"], ["cleaned"], ((one,), (other,)), ((0,),))

        def example(rows: int, blocks: int, lookahead: int) -> Example:
            samples = torch.randn(rows, 1, blocks * steps.multiple, generator=generator)
            state = 0.1 * torch.randn(rows, steps.state, generator=generator)
            return samples, state, torch.tensor(lookahead)

        # Sizes that occur nowhere else: the exporter takes equal ones for the same.
        examples = example(3, 13, steps.lookahead // 3), example(7, 4, steps.lookahead)
        inputs, outputs = ["noisy", "state", "lookahead"], ["answer", "next_state"]
        return cls(inputs, outputs, examples, ((0, 2), (0,), ()))


def build_network(spec: NetworkSpec, build: "Callable[[], nn.Module]", weights: Path) -> "nn.Module":
    """A network with trained weights, ready to run.

    Raises
    ------
    InputError
        If the weights are missing or belong to another network.
    """
    if not weights.is_file():
        raise InputError(f"no weights at {weights}; give --run, or train with `ecg-stream train {spec.name}`")
    network = build().eval()
    try:
        load_weights(network, weights)
    except InputError as error:
        raise InputError(f"{weights} does not hold weights of {spec.name!r}: {error}") from error
    return network


def trace(spec: NetworkSpec, weights: Path, named: bool = False) -> Any:
    """The graph, ``onnx.ModelProto``, simplified by the exporter and free of traces of this machine.

    Parameters
    ----------
    spec
        Goes to another process: what it builds with must be importable there.
    named
        Leave every weight as it is, under its name in the state dict: nothing is folded into it.

    Raises
    ------
    InputError
        As `build_network`.
    RuntimeError
        If the exporter fails, or an axis that should be free is not.
    """
    import onnx

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        model = onnx.load_from_string(child.submit(_trace, spec, weights, named).result())
    check_free(model, Signature.of(spec))
    return model


def check_free(model: Any, signature: Signature) -> None:
    """Raise RuntimeError unless the axes of a graph are free that should be."""
    axes = {each.name: each.type.tensor_type.shape.dim for each in model.graph.input}
    frozen = [
        f"axis {axis} of {name!r} at {axes[name][axis].dim_value}"
        for name, free in zip(signature.inputs, signature.free, strict=True)
        for axis in free
        if not axes[name][axis].dim_param
    ]
    if frozen:
        raise RuntimeError(f"the exporter froze {', '.join(frozen)}")


def _trace(spec: NetworkSpec, weights: Path, named: bool) -> bytes:
    """The same in this process, serialized."""
    import onnx
    import torch

    # Its workers would spin and wait for each other on a busy machine.
    torch.set_num_threads(1)
    network = build_network(spec, spec.exported or spec.build, weights)
    signature = Signature.of(spec)
    with _quiet():
        program = torch.onnx.export(
            network,
            signature.examples[0],
            dynamo=True,
            dynamic_shapes=_ranges(spec),
            input_names=signature.inputs,
            output_names=signature.outputs,
            external_data=False,
            verbose=False,
            optimize=False,
        )
        if program is None:
            raise RuntimeError("torch exported nothing")
        graph = program.model.graph
        known = [value for name, value in graph.initializers.items() if name in network.state_dict()]
        if named:
            # What may be given from outside is no constant, so the exporter cannot fold it.
            graph.inputs.extend(known)
        program.optimize()
        if named:
            for value in known:
                graph.inputs.remove(value)
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    serialized: bytes = model.SerializeToString()
    return serialized


def _ranges(spec: NetworkSpec) -> tuple[Any, ...]:
    """How long the free axes may be, as the exporter wants to know it."""
    import torch

    rows = torch.export.Dim("rows", min=1, max=4096)
    steps = spec.steps
    if steps is None:
        return ({0: rows},)
    count = steps.multiple * torch.export.Dim("steps", min=1, max=steps.longest // steps.multiple)
    return {0: rows, 2: count}, {0: rows}, None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's complaints about itself from the screen."""
    # One notes every weight that it must leave alone, the other that torchvision is not there.
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "torch.onnx")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch 2.13's exporter trips over its own deprecation.
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            warnings.filterwarnings("ignore", ".*_check_is_size.*", FutureWarning)
            # Of a GRU's weights, listed once more, and of axes that share a name.
            warnings.filterwarnings("ignore", ".*were assigned during export.*|.*shares the same shape.*")
            # Of the loop that a GRU becomes: the exporter looks at its own tensors.
            warnings.filterwarnings(
                "ignore", r"The \.grad attribute of a Tensor that is not a leaf", UserWarning
            )
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _strip(model: Any) -> None:
    """Clear what the exporter notes beside the graph: source lines with absolute paths."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
