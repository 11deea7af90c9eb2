"""Write what an evaluation found onto the cards of the networks that are shipped."""

import json
from typing import Any

from models import registry
from models.registry import NETWORKS


def add_figures(report: dict[str, Any]) -> list[str]:
    """Put Track F's figures on every shipped network's card; returns their names.

    Parameters
    ----------
    report
        A ``summary.json`` of `engine.lab.evaluate.report`.
    """
    rows = [row for row in report["rows"] if row["lead"] == "first"]
    hashes = report["manifest"]["weights_sha256"]
    written = []
    for name in NETWORKS:
        path = registry.WEIGHTS / f"{name}.json"
        ours = [row for row in rows if row["system"] == name]
        if not ours or not path.is_file():
            continue
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["onnx_sha256"] != hashes[name]:
            continue  # measured with other weights
        card["track_f"] = [_figures(row) for row in ours]
        path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        written.append(name)
    return written


def add_guard_limits(name: str, limits: dict[str, Any]) -> None:
    """Put what the guard was set to for a network on its card, as ``guard``.

    Parameters
    ----------
    limits
        What `engine.lab.safety.guard_limits.find_limits` found with the weights that are shipped.
    """
    path = registry.WEIGHTS / f"{name}.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["guard"] = limits
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("delay_ms", "noise", "snr", "own_drift")
    rounded = ("snr_in_db", "snr_out_db", "improvement_db", "improvement_low_db", "improvement_high_db")
    return {name: row[name] for name in kept} | {name: round(row[name], 2) for name in rounded}
