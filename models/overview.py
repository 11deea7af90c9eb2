"""All that is known of each system, as one record: what ``ecg-stream models`` shows."""

from dataclasses import asdict
from typing import Any

from models.benches.track_s_figures import figures_of
from models.registry import find_system, load_card
from models.spec import ClassicalSpec
from streamer.errors import InputError

_NOISE, _SNR = "emb", 0.0
"""Condition by which the list compares systems: everything at once, as loud as the ECG."""
_SEED_SNR = -4.0
"""SNR of Track S by which the list says whether a network is the published one."""


def overview(name: str) -> dict[str, Any]:
    """Facts, and what the card knows besides, of a system.

    Returns
    -------
    dict
        JSON. ``weights`` says whether it can run, ``track_s`` is what `figures_of` gives. ``training``,
        ``track_f`` and the licence of the data stand there where the card knows them.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    spec = find_system(name)
    classical = isinstance(spec, ClassicalSpec)
    facts = {
        "name": name,
        "kind": "classical" if classical else "network",
        "title": spec.title,
        "paper": spec.paper,
        "fs_hz": spec.fs,
        "window": spec.window,
        "leads": spec.leads,
        "parameters": spec.parameters,
        "normalisation": spec.normalisation,
        "deviations": spec.deviations,
        "track_s": figures_of(name),
    }
    if not isinstance(spec, ClassicalSpec) and spec.replica_parameters:
        facts["published_parameters"] = spec.replica_parameters
    try:
        trained = load_card(name).trained
    except InputError as error:
        return {**facts, "weights": False, "why_not": str(error)}
    if trained is None:
        return {**facts, "weights": True}
    known = ("training", "training_command", "full_training_command", "track_f", "data", "data_licence")
    card = asdict(trained)
    return {
        **facts,
        "weights": True,
        "budget": trained.training.budget,
        **{name: card[name] for name in known},
    }


def improvement(facts: dict[str, Any]) -> str:
    """Track F's improvement under `_NOISE` at `_SNR` as text, dB; empty where nobody has measured it."""
    for row in facts.get("track_f") or ():
        if (row["noise"], row["snr"]) == (_NOISE, _SNR):
            return f"{row['improvement_db']:+.1f}"
    return ""


def as_published(facts: dict[str, Any]) -> str:
    """Track S's SNR out under `_NOISE` at `_SEED_SNR` as text, dB: ours, in brackets what was published.

    Empty where nothing was published.
    """
    for row in facts["track_s"]:
        if row["snr_db"] == _SEED_SNR and row["published_db"] is not None:
            ours = "–" if row["snr_out_db"] is None else f"{row['snr_out_db']:.2f}"
            return f"{ours} ({row['published_db']:.2f})"
    return ""


def sentences(facts: dict[str, Any]) -> dict[str, str]:
    """What the list has no room for, by heading, for people."""
    training = facts.get("training", {})
    shown = {
        "what": facts["title"],
        "paper": facts["paper"],
        "window": f"{facts['window']} samples, {facts['window'] / facts['fs_hz']:.2f} s "
        f"at {facts['fs_hz']:g} Hz",
        "leads": _LEADS[facts["leads"]],
        "parameters": f"{facts['parameters']:,}",
        "normalisation": facts["normalisation"],
        "changed for a stream": facts["deviations"] or "nothing",
    }
    if facts.get("published_parameters", facts["parameters"]) != facts["parameters"]:
        shown["parameters"] += f" ({facts['published_parameters']:,} as published)"
    if training:
        shown["trained"] = (
            f"{facts['budget']} (steps × windows), {training['minutes']:g} min on {training['machine']}: "
            f"{facts['training_command']}"
        )
        shown["full training"] = facts["full_training_command"]
        shown["data"] = f"{facts['data']} ({facts['data_licence']})"
    for row in facts.get("track_f") or ():
        if row["noise"] != "none":
            shown[f"{row['noise']} {row['snr']:g} dB"] = (
                f"{row['improvement_db']:+.2f} dB ({row['improvement_low_db']:+.2f} … "
                f"{row['improvement_high_db']:+.2f}) at {row['delay_ms']:.0f} ms"
            )
    for row in facts["track_s"]:
        ours = "not run" if row["snr_out_db"] is None else f"{row['snr_out_db']:.2f} dB"
        epochs = f" after {row['epochs']} epochs" if row["epochs"] else ""
        claim = "" if row["published_db"] is None else f", published {row['published_db']:.2f}"
        shown[f"Track S, {row['mixing']} {row['snr_db']:g} dB"] = f"{ours}{epochs}{claim}"
    if not facts["weights"]:
        shown["weights"] = facts["why_not"]
    return shown


_LEADS = {
    1: "one: every lead by itself",
    2: "two: pairs in the stream's order; a lead alone twice, an odd one with the lead before it",
}
