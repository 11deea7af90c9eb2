"""Turn trained weights into the ONNX graph that every other backend runs, and prove it equal."""

import json
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import registry
from models.half import to_half
from models.registry import ModelCard, NetworkSpec, sha256
from streamer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

PARITY_MV = 1e-4
"""Largest difference allowed between the graph in ONNX Runtime and the network in torch."""
HALF_PARITY_MV = 1e-2
"""The same for a graph in half precision."""


def export_onnx(spec: NetworkSpec, weights: Path, output: Path, precision: str = "fp32") -> float:
    """Write the graph, free of paths and other traces of this machine; returns the parity in mV.

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
    import onnx
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if spec.steps and precision == "fp16":
        raise InputError(f"{spec.name} keeps state and is exported in fp32 alone; leave out --precision fp16")
    if not weights.is_file():
        raise InputError(f"no weights at {weights}; give --run, or train with `ecg-stream train {spec.name}`")
    network = spec.build().eval()
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, ValueError, SafetensorError) as error:
        raise InputError(f"{weights} does not hold weights of {spec.name!r}: {error}") from error
    signature = _signature(spec, network)
    with warnings.catch_warnings():
        # torch 2.13's exporter trips over its own deprecation.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        warnings.filterwarnings("ignore", ".*_check_is_size.*", FutureWarning)
        # Of a GRU's weights, listed once more, and of axes that share a name.
        warnings.filterwarnings("ignore", ".*were assigned during export.*|.*shares the same shape.*")
        # Of the loop that a GRU becomes: the exporter looks at its own tensors.
        warnings.filterwarnings("ignore", r"The \.grad attribute of a Tensor that is not a leaf", UserWarning)
        program = torch.onnx.export(
            network,
            signature.example,
            dynamo=True,
            dynamic_shapes=signature.free,
            input_names=signature.inputs,
            output_names=signature.outputs,
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
    difference = _difference(temporary, network, signature)
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


def _difference(path: Path, network: "nn.Module", signature: _Signature) -> float:
    """Largest difference between what ONNX Runtime and torch make of the example."""
    import onnxruntime as ort
    import torch

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = {name: value.numpy() for name, value in zip(signature.inputs, signature.example, strict=True)}
    with torch.inference_mode():
        expected = network(*signature.example)
    expected = expected if isinstance(expected, tuple) else (expected,)
    pairs = zip(session.run(None, fed), expected, strict=True)
    return max(float(np.abs(found - right.numpy()).max()) for found, right in pairs)


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
        "full_training_command": f"ecg-stream train {spec.name}" + (" --full" if spec.steps else ""),
        "protocol": (
            "Track F: 15 DS1 patients (both leads, as single leads or, for a network of two, as pairs) "
            "and the training part of NSTDB noise; 4 other DS1 patients choose the step that is kept"
        ),
        "data": (
            "MIT-BIH Arrhythmia Database 1.0.0 and MIT-BIH Noise Stress Test Database 1.0.0, PhysioNet"
            + ("; QT Database 1.0.0, PhysioNet: 40 records" if spec.more_patients else "")
        ),
        "data_licence": "Open Data Commons Attribution License v1.0",
        "attribution": (
            "Moody & Mark, IEEE Eng. in Med. and Biol. 20(3), 2001 (doi 10.13026/C2F305); Moody, Muldrow "
            "& Mark, Computers in Cardiology 11, 1984 (doi 10.13026/C2HS3T); Goldberger et al., "
            "Circulation 101(23), 2000"
            + (
                "; Laguna, Mark, Goldberger & Moody, Computers in Cardiology 24, 1997 (doi 10.13026/C24K53)"
                if spec.more_patients
                else ""
            )
        ),
        "parity_mv": difference,
        "weights_sha256": sha256(card.weights_path),
        "onnx_sha256": sha256(card.onnx_path),
    }
    # What a run knows better than what is usual.
    trained |= {key: training.pop(key) for key in set(trained) & set(training)}
    path = registry.WEIGHTS / f"{spec.name}.json"
    path.write_text(json.dumps(trained, indent=2) + "\n", encoding="utf-8")
    return difference
