"""Turn trained weights into the ONNX graph that every other backend runs, and prove it equal."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.graphs import open_session, take_out
from models.half import to_half
from models.registry import ModelCard
from models.spec import NetworkSpec
from models.storage import load_weights, read_weights, write_weights
from streamer.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor, nn

PARITY_MV = 1e-4
"""Largest difference allowed between the graph in ONNX Runtime and the network in torch."""
HALF_PARITY_MV = 1e-2
"""The same for a graph in half precision."""


def export_onnx(spec: NetworkSpec, weights: Path, output: Path, precision: str = "fp32") -> float:
    """Write the graph with its weights, free of traces of this machine; returns the parity in mV.

    Input ``noisy``, output ``cleaned``, both float32 (rows, leads, window) in mV, rows free, also
    where the precision is ``fp16`` (see `models.half`). Of a network that keeps state: see
    `models.spec.StepSpec`.

    Raises
    ------
    InputError
        If the weights are missing or belong to another network.
    RuntimeError
        If ONNX Runtime's output differs from torch's by more than `PARITY_MV`, or in half precision
        `HALF_PARITY_MV`.
    """
    import onnxruntime as ort

    if spec.steps and precision == "fp16":
        raise InputError(f"{spec.name} keeps state and is exported in fp32 alone; leave out --precision fp16")
    network = _network(spec, spec.build, weights)
    signature = _signature(spec, network)
    graph = _trace(_exported(spec, weights), signature).SerializeToString()
    temporary = output.with_suffix(".tmp")
    temporary.write_bytes(to_half(graph) if precision == "fp16" else graph)
    session = ort.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
    try:
        difference = _parity(session, network, signature, precision)
    except RuntimeError:
        temporary.unlink()
        raise
    os.replace(temporary, output)
    return difference


def store(card: ModelCard, weights: Path) -> float:
    """Write a network's files as the package ships them, each weight once; returns the parity in mV.

    Raises
    ------
    InputError, RuntimeError
        As `export_onnx`, or if the network has weights that it does not use. Nothing is kept then.
    """
    spec = card.network
    network = _network(spec, spec.build, weights)
    signature = _signature(spec, network)
    model = _trace(_exported(spec, weights), signature, named=True)
    known = read_weights(weights)
    take_out(model, known, card.weights_path.name)
    card.onnx_path.parent.mkdir(exist_ok=True)
    with _kept_unless_whole(card.onnx_path, card.weights_path):
        write_weights(card.weights_path, known)
        card.onnx_path.write_bytes(model.SerializeToString())
        return _parity(open_session(card), network, signature)


def _exported(spec: NetworkSpec, weights: Path) -> "nn.Module":
    """The network in the form that becomes the graph."""
    return _network(spec, spec.exported or spec.build, weights)


def _network(spec: NetworkSpec, build: "Callable[[], nn.Module]", weights: Path) -> "nn.Module":
    if not weights.is_file():
        raise InputError(f"no weights at {weights}; give --run, or train with `ecg-stream train {spec.name}`")
    network = build().eval()
    try:
        load_weights(network, weights)
    except InputError as error:
        raise InputError(f"{weights} does not hold weights of {spec.name!r}: {error}") from error
    return network


def _trace(network: "nn.Module", signature: "_Signature", named: bool = False) -> Any:
    """The graph, ``onnx.ModelProto``, simplified by the exporter.

    Parameters
    ----------
    named
        Leave every weight as it is, under its name in the state dict: nothing is folded into it.
    """
    import onnx
    import torch

    with _quiet():
        program = torch.onnx.export(
            network,
            signature.example,
            dynamo=True,
            dynamic_shapes=signature.free,
            input_names=signature.inputs,
            output_names=signature.outputs,
            external_data=False,
            verbose=False,
            optimize=False,
        )
        if program is None:
            raise RuntimeError("torch exported nothing")
        graph = program.model.graph
        weights = [value for name, value in graph.initializers.items() if name in network.state_dict()]
        if named:
            # What may be given from outside is no constant, so the exporter cannot fold it.
            graph.inputs.extend(weights)
        program.optimize()
        if named:
            for value in weights:
                graph.inputs.remove(value)
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's complaints about itself from the screen."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    # It notes every weight that it must leave alone.
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
        logger.setLevel(before)


@contextmanager
def _kept_unless_whole(*paths: Path) -> Iterator[None]:
    """Put files back as they were if what writes them fails."""
    before = {path: path.read_bytes() if path.is_file() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        raise


def _strip(model: Any) -> None:
    """Clear what the exporter notes beside the graph: source lines with absolute paths."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]


@dataclass(frozen=True)
class _Signature:
    """What goes into a graph and comes out: names, an example, and the axes that are free."""

    inputs: list[str]
    outputs: list[str]
    example: tuple["Tensor", ...]
    free: tuple[Any, ...]


def _signature(spec: NetworkSpec, network: "nn.Module") -> _Signature:
    import torch

    generator = torch.Generator().manual_seed(0)
    rows = torch.export.Dim("rows", min=1, max=4096)
    steps = spec.steps
    if steps is None:
        windows = torch.randn(2, spec.leads, spec.window, generator=generator)
        return _Signature(["noisy"], ["cleaned"], (windows,), ({0: rows},))
    # Sizes that occur nowhere else: the exporter takes equal ones for the same.
    samples = torch.randn(3, 1, 13 * steps.multiple, generator=generator)
    state = 0.1 * torch.randn(3, steps.state, generator=generator)
    count = steps.multiple * torch.export.Dim("steps", min=1, max=steps.longest // steps.multiple)
    example = (samples, state, torch.tensor(steps.lookahead // 3))
    inputs, outputs = ["noisy", "state", "lookahead"], ["answer", "next_state"]
    return _Signature(inputs, outputs, example, ({0: rows, 2: count}, {0: rows}, None))


def _parity(
    session: "InferenceSession", network: "nn.Module", signature: _Signature, precision: str = "fp32"
) -> float:
    """Largest difference between what ONNX Runtime and torch make of the example, mV; refused if large."""
    import torch

    fed = {name: value.numpy() for name, value in zip(signature.inputs, signature.example, strict=True)}
    with torch.inference_mode():
        expected = network(*signature.example)
    expected = expected if isinstance(expected, tuple) else (expected,)
    pairs = zip(session.run(None, fed), expected, strict=True)
    difference = max(float(np.abs(found - right.numpy()).max()) for found, right in pairs)
    allowed = HALF_PARITY_MV if precision == "fp16" else PARITY_MV
    # Written so that NaN fails.
    if not difference <= allowed:
        raise RuntimeError(f"the graph differs from the network by {difference:g} mV (> {allowed:g})")
    return difference
