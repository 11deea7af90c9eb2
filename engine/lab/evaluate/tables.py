"""The short tables of the documents, made from the committed result files alone."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.lab.evaluate.beats_report import beats_markdown
from engine.lab.evaluate.conformance.report import conformance_summary
from engine.lab.evaluate.hospitals import HospitalSettings, hospitals_markdown
from engine.lab.evaluate.pictures import plot_f1
from engine.lab.evaluate.qtdb_report import markdown as qtdb_markdown
from engine.lab.evaluate.report import BUDGETS, snr_text
from engine.lab.evaluate.stress import StressSettings, stress_data
from engine.lab.parts import Result, code_sha256, fingerprint
from engine.lab.results import write_results
from models.benches.track_s_results import RESULTS, read_results
from models.benches.track_s_results import markdown as track_s_markdown
from streamer.errors import InputError

TRACK_F, TRACK_S, STRESS, QTDB = "track-f", "track-s", "stress", "qtdb"
LOW_DELAY, CONFORMANCE = "lowdelay", "conformance"
"""Folders of the tracks in a folder of results."""

# F1 at ±150 ms without denoising: NeuroKit's own detector and its Pan–Tompkins, by SNR.
_PUBLISHED_F1 = {24: (0.991, 1.0), 18: (0.974, 0.999), 12: (0.907, 0.958), 6: (0.796, 0.779)}
_PUBLISHED_F1 |= {0: (0.617, 0.615), -6: (0.471, 0.482)}


def tables(folder: Path) -> str:
    """Every table for which a folder of results holds the figures, as Markdown.

    Raises
    ------
    InputError
        If it holds none.
    """
    texts = [
        _track_f(json.loads((folder / track / "summary.json").read_text(encoding="utf-8")))
        for track in (LOW_DELAY, TRACK_F)
        if (folder / track / "summary.json").is_file()
    ]
    if (folder / TRACK_S / RESULTS).is_file():
        texts.append(track_s_markdown(read_results(folder / TRACK_S)))
    if (folder / STRESS / "stress.json").is_file():
        rows = json.loads((folder / STRESS / "stress.json").read_text(encoding="utf-8"))["rows"]
        texts.append(stress_markdown(rows))
    if (folder / QTDB / "summary.json").is_file():
        texts.append(qtdb_markdown(json.loads((folder / QTDB / "summary.json").read_text(encoding="utf-8"))))
    if (folder / CONFORMANCE / "conformance.json").is_file():
        found = json.loads((folder / CONFORMANCE / "conformance.json").read_text(encoding="utf-8"))
        texts.append(conformance_summary(found))
    if not texts:
        raise InputError(
            f"{folder} holds no results; it should have {TRACK_F}/summary.json, {TRACK_S}/{RESULTS}, "
            f"{STRESS}/stress.json, {QTDB}/summary.json or {CONFORMANCE}/conformance.json, as `ecg-stream "
            f"evaluate track-f --out {folder}/{TRACK_F}` writes it"
        )
    return "\n".join(texts)


def _track_f(report: dict[str, Any]) -> str:
    """Gain over the input by noise and SNR, a table per noise, systems in order of their mean gain."""
    settings = report["manifest"]["settings"]
    rows = [row for row in report["rows"] if row["lead"] == "first"]
    gains: dict[tuple[str, Any], dict[tuple[str, Any], dict[str, Any]]] = {}
    clean: dict[tuple[str, Any], dict[str, float]] = {}
    for row in rows:
        system = (row["system"], row["delay_ms"])
        if row["snr"] is None:
            clean.setdefault(system, {})[row["own_drift"]] = row["snr_out_db"]
        else:
            gains.setdefault(system, {})[row["noise"], row["snr"]] = row
    mean = {
        system: sum(row["improvement_db"] for row in found.values()) / len(found)
        for system, found in gains.items()
    }
    order = sorted(mean, key=lambda system: -mean[system])
    lines = [
        "# Track F: unseen patients, unseen noise, streamed",
        "",
        f"{len(settings['records'])} test records, {settings['seconds']:g} s of each, gain over the input in "
        f"dB with its 95 % interval over records. {BUDGETS}",
    ]
    trained = {name: facts.get("training", "") for name, facts in report["systems"].items()}
    for noise in settings["noises"]:
        snrs = settings["snrs"]
        heads = ["system", "delay", "training", *(f"{snr:g} dB" for snr in snrs)]
        lines += ["", f"## {noise}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for system in order:
            cells = [_gain(gains[system][noise, snr]) for snr in snrs]
            about = [system[0], _delay(system[1]), trained[system[0]]]
            lines.append("| " + " | ".join(about + cells) + " |")
    lines += [
        "",
        "## All noises, and clean input",
        "",
        "| system | delay | parameters | training | MMAC/s | mean gain | clean in: SNR out "
        "| without own drift |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for system in order:
        facts = report["systems"][system[0]]
        size = f"{facts['parameters']:,}" if facts.get("parameters") else ""
        work = f"{facts['macs_per_s'] / 1e6:.1f}" if facts.get("macs_per_s") else ""
        kept, removed = (snr_text(clean[system][drift]) for drift in ("keep", "remove"))
        about = [system[0], _delay(system[1]), size, trained[system[0]], work]
        cells = [*about, f"{mean[system]:+.2f}", kept, removed]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _gain(row: dict[str, Any]) -> str:
    names = ("improvement_db", "improvement_low_db", "improvement_high_db")
    # Adding zero turns -0.0 into 0.0.
    mean, low, high = (f"{round(row[name], 1) + 0.0:+.1f}" for name in names)
    return f"{mean} ({low} … {high})"


def _delay(delay_ms: float | None) -> str:
    return "offline" if delay_ms is None else f"{delay_ms:.0f} ms"


def write_stress(rows: list[Result], settings: StressSettings, folder: Path) -> str:
    """Write ``stress.json``, ``report.md`` and ``f1.png``; returns the report."""
    manifest = {
        "hop_ms": settings.hop_ms,
        "seconds": settings.seconds,
        "data_sha256": stress_data(settings),
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }
    text = stress_markdown(rows)
    report = {"track": "stress", "manifest": manifest, "rows": rows}
    write_results(folder / "stress.json", report)
    (folder / "report.md").write_text(text, encoding="utf-8")
    plot_f1(rows, folder / "f1.png")
    return text


def write_hospitals(rows: list[Result], settings: HospitalSettings, folder: Path) -> None:
    """Write ``hospitals.json`` and ``report.md``."""
    manifest = {
        "hop_ms": settings.hop_ms,
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }
    write_results(folder / "hospitals.json", {"track": "hospitals", "manifest": manifest, "rows": rows})
    (folder / "report.md").write_text(hospitals_markdown(rows), encoding="utf-8")


def write_beats(rows: list[Result], folder: Path) -> None:
    """Write ``beats.json``, a line for each detector, database and rate, and ``report.md``."""
    manifest = {"code_sha256": code_sha256(), "version": version("ecg-stream")}
    write_results(folder / "beats.json", {"track": "beats", "manifest": manifest, "rows": rows})
    (folder / "report.md").write_text(beats_markdown(rows), encoding="utf-8")


def stress_markdown(rows: list[Result]) -> str:
    """F1 of both detectors by system and level."""
    levels = sorted({row["snr_nst_db"] for row in rows}, reverse=True)
    systems = list(dict.fromkeys((row["system"], row["delay_ms"]) for row in rows))
    lines = [
        "# Stress: beats found in records 118e24 … 119e_6",
        "",
        "F1 of the XQRS / gqrs detectors, both patients together; `identity` is the input as it is. "
        "Published for the input, at ±150 ms: NeuroKit / Pan–Tompkins.",
    ]
    for block, tolerance in (("noisy", 150), ("noisy", 50), ("clean", 150)):
        lines += ["", f"## {block} blocks, ±{tolerance} ms", ""]
        lines += ["| system | delay | " + " | ".join(f"{level} dB" for level in levels) + " |"]
        lines += ["|---|---|" + "---|" * len(levels)]
        for system in systems:
            cells = []
            for level in levels:
                wanted = (*system, level, block, tolerance)
                pair = [row["f1"] for row in rows if _stress_key(row) == wanted]
                cells.append(" / ".join(f"{f1:.3f}" for f1 in pair))
            lines.append(f"| {system[0]} | {_delay(system[1])} | " + " | ".join(cells) + " |")
        if (block, tolerance) == ("noisy", 150):
            known = [_PUBLISHED_F1.get(level, ()) for level in levels]
            cells = [" / ".join(f"{f1:.3f}" for f1 in pair) for pair in known]
            lines.append("| published, input | | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _stress_key(row: Result) -> tuple[Any, ...]:
    return (row["system"], row["delay_ms"], row["snr_nst_db"], row["block"], row["tolerance_ms"])
