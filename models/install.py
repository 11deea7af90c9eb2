"""Make a training run's weights the shipped ones: weights, graph and card."""

import json
from pathlib import Path
from typing import Any

from models import registry
from models.card import Trained, Training, read_record, write_card
from models.export import store
from models.registry import ModelCard, sha256
from models.spec import NetworkSpec
from streamer.errors import InputError


def install_run(spec: NetworkSpec, run: Path) -> float:
    """Make a training run's weights the shipped ones: weights, graph and card; returns the parity.

    The card says what the weights were trained on, under which licence, and how. What the run's
    report says of that itself, as ``protocol``, ``data``, ``data_licence`` and ``attribution``, it says.

    Raises
    ------
    InputError
        If the run is not finished, its report is none, or its weights are another network's.
    """
    path = run / "training.json"
    if not path.is_file():
        raise InputError(f"{run} is no finished training run: it has no training.json")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        about = _about(spec) | {name: report[name] for name in _about(spec) if name in report}
        training = read_record(Training, _plain(report, spec), "the report")
    except ValueError as error:
        raise InputError(f"{path} is no report of a training run: {error}") from error
    registry.WEIGHTS.mkdir(exist_ok=True)
    card = ModelCard(spec)
    difference = store(card, run / "weights.safetensors")
    trained = Trained(
        training=training,
        training_command=training.command,
        full_training_command=f"ecg-stream train {spec.name}" + (" --full" if spec.steps else ""),
        **about,
        parity_mv=difference,
        weights_sha256=sha256(card.weights_path),
        onnx_sha256=sha256(card.onnx_path),
        guard=None,
        track_f=None,
    )
    write_card(card.card_path, trained)
    return difference


def _plain(report: dict[str, Any], spec: NetworkSpec) -> dict[str, Any]:
    """A report without what the card says elsewhere, and with what a trainer may leave out."""
    about = _about(spec)
    plain: dict[str, Any] = {"signal_s": None, "begun_with": None}
    plain |= {name: value for name, value in report.items() if name not in about}
    if plain["begun_with"]:
        plain["begun_with"] = _plain(plain["begun_with"], spec)
    return plain


def _about(spec: NetworkSpec) -> dict[str, str]:
    """What weights are trained on, unless their report says otherwise."""
    more = spec.more_patients
    return {
        "protocol": (
            "Track F: 15 DS1 patients (both leads, as single leads or, for a network of two, as pairs) "
            "and the training part of NSTDB noise; 4 other DS1 patients choose the step that is kept"
        ),
        "data": (
            "MIT-BIH Arrhythmia Database 1.0.0 and MIT-BIH Noise Stress Test Database 1.0.0, PhysioNet"
            + ("; QT Database 1.0.0, PhysioNet: 40 records" if more else "")
        ),
        "data_licence": "Open Data Commons Attribution License v1.0",
        "attribution": (
            "Moody & Mark, IEEE Eng. in Med. and Biol. 20(3), 2001 (doi 10.13026/C2F305); Moody, Muldrow "
            "& Mark, Computers in Cardiology 11, 1984 (doi 10.13026/C2HS3T); Goldberger et al., "
            "Circulation 101(23), 2000"
            + (
                "; Laguna, Mark, Goldberger & Moody, Computers in Cardiology 24, 1997 (doi 10.13026/C24K53)"
                if more
                else ""
            )
        ),
    }
