"""Tables of scores: means with their intervals, worst records, and a manifest of settings, data and code."""

import csv
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lab.evaluate.pictures import plot_examples, plot_snr
from engine.lab.evaluate.scores import Score
from engine.lab.evaluate.track_f import OFFLINE, WARMUP_S, EvaluateSettings, evaluated_data
from engine.lab.parts import Result, code_sha256, fingerprint
from engine.lab.results import write_results
from models.benches.track_f import LEAD
from models.macs import macs_per_s
from models.registry import load_card

NOISELESS_DB = 100.0
"""Above this SNR the error is only rounding."""
BUDGETS = (
    "Training: optimiser steps × windows per step. Budgets were unequal, so that a network's place says as "
    "much of its budget as of the network."
)
"""Printed wherever networks are ranked."""
_BOOTSTRAPS = 2000
_MEANS = (
    "snr_in_db",
    "snr_out_db",
    "snr_out_above_2hz_db",
    "rmse_mv",
    "prd_percent",
    "correlation",
    "max_error_mv",
    "drift_uv",
    "st_error_uv",
    "p_wave_r",
    "within_spread",
    "qrs_f1_raw",
    "qrs_f1",
    "qrs_sensitivity",
    "qrs_predictivity",
    "r_jitter_ms",
)
_COUNTS = ("beats", "beats_lost", "ventricular", "ventricular_lost")
_LOST = (
    " Lost: annotated beats, and the ventricular ones (V), of which less than half is left, of all records."
)
_GROUP = ("system", "delay_ms", "noise", "snr", "own_drift", "lead")


def snr_text(value: float, digits: int = 1) -> str:
    """An SNR for a table."""
    return "∞" if value > NOISELESS_DB else f"{value:.{digits}f}"


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over records."""
    draws = np.random.default_rng(seed).choice(values, (_BOOTSTRAPS, len(values)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def summarise(results: list[Result]) -> list[dict[str, Any]]:
    """One row per system, condition and lead: means, intervals, worst record, 10th percentile."""
    groups: dict[tuple[Any, ...], list[Score]] = {}
    for result in results:
        for score in (Score(**fields) for fields in result["scores"]):
            groups.setdefault(tuple(getattr(score, name) for name in _GROUP), []).append(score)
    return [dict(zip(_GROUP, key, strict=True)) | _row(members) for key, members in groups.items()]


def _row(members: list[Score]) -> dict[str, Any]:
    out = np.array([member.snr_out_db for member in members])
    gain = np.array([member.improvement_db for member in members])
    worst = int(np.argmin(gain))
    low, high = interval(out)
    gain_low, gain_high = interval(gain)
    return {
        "records": len(members),
        **{name: _mean([getattr(member, name) for member in members]) for name in _MEANS},
        **{name: sum(getattr(member, name) for member in members) for name in _COUNTS},
        "snr_out_low_db": low,
        "snr_out_high_db": high,
        "snr_out_p10_db": float(np.percentile(out, 10)),
        "improvement_db": float(gain.mean()),
        "improvement_low_db": gain_low,
        "improvement_high_db": gain_high,
        "worst_improvement_db": float(gain[worst]),
        "worst_record": members[worst].record,
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(known)) if known else None


def write_report(results: list[Result], settings: EvaluateSettings, out: Path) -> dict[str, Any]:
    """Write ``scores.csv``, ``summary.json``, ``report.md``, ``snr.png`` and ``examples.png``.

    Returns what ``summary.json`` holds.
    """
    out.mkdir(parents=True, exist_ok=True)
    scores = [score for result in results for score in result["scores"]]
    with (out / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(scores[0]))
        writer.writeheader()
        writer.writerows(scores)
    rows = summarise(results)
    manifest = _manifest(settings)
    report = {"track": "f", "manifest": manifest, "systems": _systems(settings), "rows": rows}
    write_results(out / "summary.json", report)
    (out / "report.md").write_text(markdown(report), encoding="utf-8")
    plot_snr(rows, out / "snr.png")
    plot_examples([result["example"] | _about(result) for result in results if "example" in result], out)
    return report


def _about(result: Result) -> dict[str, Any]:
    first = result["scores"][0]
    return {"system": first["system"], "delay_ms": first["delay_ms"]}


def _manifest(settings: EvaluateSettings) -> dict[str, Any]:
    """Settings, data, weights and code that the figures come from."""
    plain = asdict(replace(settings, data_dir=None, jobs=1))
    del plain["data_dir"], plain["jobs"]
    return {
        "settings": plain,
        "data_sha256": evaluated_data(settings),
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }


def _systems(settings: EvaluateSettings) -> dict[str, dict[str, Any]]:
    """Facts of each system that are listed beside its figures."""
    facts: dict[str, dict[str, Any]] = {}
    for name in settings.models:
        card = load_card(name)
        spec = card.spec
        facts[name] = {
            "title": spec.title,
            "leads": spec.leads,
            "parameters": spec.parameters,
            "macs_per_s": round(macs_per_s(spec, settings.hop_ms / 1000)),
            "training": card.trained.training.budget if card.trained else "",
        }
    return facts | {name: {"title": "needs the whole record: no stream"} for name in OFFLINE}


def markdown(report: dict[str, Any]) -> str:
    """The tables of a ``summary.json``."""
    settings = report["manifest"]["settings"]
    rows = report["rows"]
    lines = [
        "# Track F",
        "",
        f"{len(settings['records'])} DS2 records, lead {LEAD}, {settings['seconds']:g} s each from "
        f"second {settings['start']:g}, the first {WARMUP_S:g} s not scored; hop {settings['hop_ms']:g} ms; "
        "noise from the test part of NSTDB. SNR in dB, mean removed, against the zero-phase 0.5 Hz "
        "reference; mean over records with its 95 % bootstrap interval. An offline filter has no delay: "
        f"it needs the whole record.{_LOST if any(map(_counted, rows)) else ''}",
        "",
        *_systems_table(report["systems"]),
        "",
        "## Lead " + LEAD,
        "",
        *_table([row for row in rows if row["lead"] == "first"]),
    ]
    second = [row for row in rows if row["lead"] == "second"]
    if second:
        lines += ["", "## The second lead, of networks that take two", "", *_table(second)]
    return "\n".join(lines) + "\n"


def _systems_table(systems: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| system | what | leads | parameters | training | MMAC per second of a lead |",
        "|---|---|---|---|---|---|",
    ]
    for name, facts in systems.items():
        work = f"{facts['macs_per_s'] / 1e6:.1f}" if facts.get("macs_per_s") else ""
        size = f"{facts['parameters']:,}" if facts.get("parameters") else ""
        leads, training = facts.get("leads", ""), facts.get("training", "")
        lines.append(f"| {name} | {facts['title']} | {leads} | {size} | {training} | {work} |")
    return [*lines, "", BUDGETS]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    beats = any(row["qrs_f1"] is not None for row in rows)
    heads = ["noise", "SNR in", "system", "delay ms", "SNR out", "95 %", "p10", ">2 Hz", "gain"]
    heads += ["worst record", "RMSE mV", "PRD %", "r", "max mV", "drift µV", "ST µV"]
    counted = any(map(_counted, rows))
    heads += ["beats lost", "V lost"] if counted else []
    heads += ["F1 raw", "F1", "jitter p95 ms"] if beats else []
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        condition = row["noise"] if row["snr"] is not None else f"clean, own drift {row['own_drift']}"
        cells = [
            condition,
            snr_text(row["snr_in_db"]),
            row["system"],
            "offline" if row["delay_ms"] is None else f"{row['delay_ms']:.0f}",
            snr_text(row["snr_out_db"], 2),
            f"{snr_text(row['snr_out_low_db'], 2)} … {snr_text(row['snr_out_high_db'], 2)}",
            snr_text(row["snr_out_p10_db"], 2),
            snr_text(row["snr_out_above_2hz_db"], 2),
            *_gain(row),
            f"{row['rmse_mv']:.4f}",
            f"{row['prd_percent']:.1f}",
            f"{row['correlation']:.4f}",
            f"{row['max_error_mv']:.2f}",
            f"{row['drift_uv']:.0f}",
            _or_dash(row["st_error_uv"], ".0f"),
        ]
        if counted:
            cells += [_lost(row, "beats"), _lost(row, "ventricular")]
        if beats:
            cells += [_or_dash(row["qrs_f1_raw"], ".3f"), _or_dash(row["qrs_f1"], ".3f")]
            cells.append(_or_dash(row["r_jitter_ms"], ".1f"))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _gain(row: dict[str, Any]) -> tuple[str, str]:
    """Mean gain and the worst record's; there is none where the input is the reference itself."""
    if row["snr_in_db"] > NOISELESS_DB:
        return "–", f"{row['worst_record']}"
    return f"{row['improvement_db']:+.2f}", f"{row['worst_improvement_db']:+.2f} ({row['worst_record']})"


def _counted(row: dict[str, Any]) -> bool:
    """Whether beats were counted when the figures were made."""
    return bool(row.get("beats"))


def _lost(row: dict[str, Any], kind: str) -> str:
    """Share of beats of which less than half is left."""
    return f"{row[f'{kind}_lost'] / row[kind]:.1%}" if row.get(kind) else "–"


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
