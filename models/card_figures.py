"""Write what an evaluation found onto the cards of the networks that are shipped."""

from dataclasses import replace
from typing import Any

from models.card import GuardLimits, TrackFRow, read_card, write_card
from models.registry import NETWORKS, ModelCard, load_card


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
    for name, spec in NETWORKS.items():
        path = ModelCard(spec).card_path
        ours = [row for row in rows if row["system"] == name]
        if not ours or not path.is_file():
            continue
        trained = read_card(path)
        if trained.weights_sha256 != hashes[name]:
            continue  # measured with other weights
        write_card(path, replace(trained, track_f=tuple(map(_figures, ours))))
        written.append(name)
    return written


def add_guard_limits(name: str, limits: GuardLimits) -> None:
    """Put what the guard was set to for a network on its card, as ``guard``.

    Parameters
    ----------
    limits
        What `engine.lab.safety.guard_limits.find_limits` found with the weights that are shipped.
    """
    card = load_card(name)
    if card.trained is None:
        raise TypeError(f"{name} is no network")
    write_card(card.card_path, replace(card.trained, guard=limits))


def _figures(row: dict[str, Any]) -> TrackFRow:
    kept = ("delay_ms", "noise", "snr", "own_drift")
    rounded = ("snr_in_db", "snr_out_db", "improvement_db", "improvement_low_db", "improvement_high_db")
    return TrackFRow(**{name: row[name] for name in kept}, **{name: round(row[name], 2) for name in rounded})
