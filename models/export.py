"""Turn trained weights into the ONNX graph that every other backend runs, and prove it equal."""

import os
import warnings
from pathlib import Path

import numpy as np

from models.registry import NetworkSpec
from streamer.errors import InputError

PARITY_MV = 1e-4
"""Largest difference allowed between the graph in ONNX Runtime and the network in torch."""


def export_onnx(spec: NetworkSpec, weights: Path, output: Path) -> float:
    """Write the graph, free of paths and other traces of this machine; returns the parity in mV.

    Input ``noisy``, output ``cleaned``, both float32 (rows, leads, window) in mV, rows free.

    Raises
    ------
    InputError
        If the weights are missing or belong to another network.
    RuntimeError
        If ONNX Runtime's output differs from torch's by more than `PARITY_MV`.
    """
    import onnx
    import torch
    from safetensors.torch import load_file

    if not weights.is_file():
        raise InputError(
            f"no weights at {weights}; give --weights, or train with `ecg-stream train {spec.name}`"
        )
    network = spec.build().eval()
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{weights} does not hold weights of {spec.name!r}: {error}") from error
    example = torch.randn(2, spec.leads, spec.window, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        # torch 2.13's exporter trips over its own deprecation.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=4096)},),
            input_names=["noisy"],
            output_names=["cleaned"],
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch exported nothing")
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    temporary = output.with_suffix(".tmp")
    temporary.write_bytes(model.SerializeToString())
    with torch.inference_mode():
        expected = network(example).numpy()
    difference = float(np.abs(_run(temporary, example.numpy()) - expected).max())
    if not difference <= PARITY_MV:
        temporary.unlink()
        raise RuntimeError(f"the graph differs from the network by {difference:g} mV (> {PARITY_MV:g})")
    os.replace(temporary, output)
    return difference


def _strip(model: "object") -> None:
    """Clear what the exporter notes beside the graph: source lines with absolute paths."""
    graph = model.graph  # type: ignore[attr-defined]
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del holder.metadata_props[:]  # type: ignore[attr-defined]
        holder.doc_string = ""  # type: ignore[attr-defined]
    for tensor in graph.initializer:
        del tensor.metadata_props[:]


def _run(path: Path, batch: np.ndarray) -> np.ndarray:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"noisy": batch})[0]
    return result
