"""Turn trained weights into the ONNX graph that every other backend runs, and prove it equal."""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from models import registry
from models.half import to_half
from models.registry import ModelCard, NetworkSpec, sha256
from streamer.errors import InputError

PARITY_MV = 1e-4
"""Largest difference allowed between the graph in ONNX Runtime and the network in torch."""
HALF_PARITY_MV = 1e-2
"""The same for a graph in half precision."""


def export_onnx(spec: NetworkSpec, weights: Path, output: Path, precision: str = "fp32") -> float:
    """Write the graph, free of paths and other traces of this machine; returns the parity in mV.

    Input ``noisy``, output ``cleaned``, both float32 (rows, leads, window) in mV, rows free, also
    where the precision is ``fp16`` (see `models.half`).

    Raises
    ------
    InputError
        If the weights are missing or belong to another network.
    RuntimeError
        If ONNX Runtime's output differs from torch's by more than `PARITY_MV`, or in half precision
        `HALF_PARITY_MV`.
    """
    import onnx
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not weights.is_file():
        raise InputError(
            f"no weights at {weights}; give --weights, or train with `ecg-stream train {spec.name}`"
        )
    network = spec.build().eval()
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, ValueError, SafetensorError) as error:
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
    graph = model.SerializeToString()
    temporary.write_bytes(to_half(graph) if precision == "fp16" else graph)
    with torch.inference_mode():
        expected = network(example).numpy()
    difference = float(np.abs(_run(temporary, example.numpy()) - expected).max())
    allowed = HALF_PARITY_MV if precision == "fp16" else PARITY_MV
    if not difference <= allowed:
        temporary.unlink()
        raise RuntimeError(f"the graph differs from the network by {difference:g} mV (> {allowed:g})")
    os.replace(temporary, output)
    return difference


def _strip(model: Any) -> None:
    """Clear what the exporter notes beside the graph: source lines with absolute paths."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for tensor in graph.initializer:
        del tensor.metadata_props[:]


def _run(path: Path, batch: np.ndarray) -> np.ndarray:
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"noisy": batch})[0]
    return result


def install_run(spec: NetworkSpec, run: Path) -> float:
    """Make a training run's weights the shipped ones: weights, graph and card; returns the parity.

    The card says what the weights were trained on, under which licence, and how.
    """
    report = run / "training.json"
    if not report.is_file():
        raise InputError(f"{run} is no finished training run: it has no training.json")
    registry.WEIGHTS.mkdir(exist_ok=True)
    card = ModelCard(spec, {})
    difference = export_onnx(spec, run / "weights.safetensors", card.onnx_path)
    shutil.copyfile(run / "weights.safetensors", card.weights_path)
    training = json.loads(report.read_text(encoding="utf-8"))
    trained = {
        "training": training,
        "training_command": training.get("command", f"ecg-stream train {spec.name}"),
        "full_training_command": f"ecg-stream train {spec.name}",
        "protocol": (
            "Track F: 15 DS1 patients (both leads, as single leads or, for a network of two, as pairs) "
            "and the training part of NSTDB noise; 4 other DS1 patients choose the step that is kept"
        ),
        "data": "MIT-BIH Arrhythmia Database 1.0.0 and MIT-BIH Noise Stress Test Database 1.0.0, PhysioNet",
        "data_licence": "Open Data Commons Attribution License v1.0",
        "attribution": (
            "Moody & Mark, IEEE Eng. in Med. and Biol. 20(3), 2001 (doi 10.13026/C2F305); Moody, Muldrow "
            "& Mark, Computers in Cardiology 11, 1984 (doi 10.13026/C2HS3T); Goldberger et al., "
            "Circulation 101(23), 2000"
        ),
        "parity_mv": difference,
        "weights_sha256": sha256(card.weights_path),
        "onnx_sha256": sha256(card.onnx_path),
    }
    path = registry.WEIGHTS / f"{spec.name}.json"
    path.write_text(json.dumps(trained, indent=2) + "\n", encoding="utf-8")
    return difference
