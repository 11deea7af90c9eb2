"""Turn trained weights into the ONNX graph that every other backend runs, and prove it equal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.graphs import open_session, take_out
from models.half import to_half
from models.registry import ModelCard
from models.spec import NetworkSpec
from models.storage import read_weights, write_weights
from models.trace import Signature, build_network, trace
from streamer.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import nn

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
        `HALF_PARITY_MV`, in one of two shapes; or as `models.trace.trace`.
    """
    import onnxruntime as ort

    if spec.steps and precision == "fp16":
        raise InputError(f"{spec.name} keeps state and is exported in fp32 alone; leave out --precision fp16")
    network = build_network(spec, spec.build, weights)
    graph = trace(spec, weights).SerializeToString()
    temporary = output.with_suffix(".tmp")
    temporary.write_bytes(to_half(graph) if precision == "fp16" else graph)
    session = ort.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
    try:
        difference = _parity(session, network, Signature.of(spec), precision)
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
    network = build_network(spec, spec.build, weights)
    model = trace(spec, weights, named=True)
    known = read_weights(weights)
    take_out(model, known, card.weights_path.name)
    card.onnx_path.parent.mkdir(exist_ok=True)
    with _kept_unless_whole(card.onnx_path, card.weights_path):
        write_weights(card.weights_path, known)
        card.onnx_path.write_bytes(model.SerializeToString())
        return _parity(open_session(card), network, Signature.of(spec))


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


def _parity(
    session: "InferenceSession", network: "nn.Module", signature: Signature, precision: str = "fp32"
) -> float:
    """Largest difference between what ONNX Runtime and torch make of examples, mV; refused if large."""
    import torch

    allowed = HALF_PARITY_MV if precision == "fp16" else PARITY_MV
    largest = 0.0
    for example in signature.examples:
        fed = {name: value.numpy() for name, value in zip(signature.inputs, example, strict=True)}
        with torch.inference_mode():
            expected = network(*example)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for found, right in zip(session.run(None, fed), expected, strict=True):
            if found.shape != right.shape:
                raise RuntimeError(f"the graph gives shape {found.shape}, the network {tuple(right.shape)}")
            difference = float(np.abs(found - right.numpy()).max())
            # Written so that NaN fails.
            if not difference <= allowed:
                raise RuntimeError(
                    f"the graph differs from the network by {difference:g} mV (> {allowed:g}) "
                    f"where {signature.inputs[0]} is {fed[signature.inputs[0]].shape}"
                )
            largest = max(largest, difference)
    return largest
