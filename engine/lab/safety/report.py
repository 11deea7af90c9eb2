"""Tables of track safety, as CSV, JSON and Markdown."""

import csv
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.lab.parts import code_sha256, fingerprint
from engine.lab.results import write_results
from engine.lab.safety.summary import NOISY, summarise
from engine.lab.safety.track import SafetySettings

_BEATS = ("beats", "beats_undetected", "beats_erased", "beats_added")
_FIGURES: dict[str, tuple[str, ...]] = {
    "noise": ("bypassed_percent", "invented_per_hour", "detected_per_hour", "longest_run_s", "runs_over_3_s"),
    "flat line": ("bypassed_percent", "invented_per_hour", "runs_over_3_s"),
    "asystole": ("bypassed_percent", "invented_per_hour", "asystole_shown_ms", *_BEATS),
    "fibrillation": (
        "bypassed_percent",
        "fibrillation_s",
        "fibrillation_hidden_s",
        "fibrillation_r",
        "fibrillation_amplitude",
    ),
    "pacing": ("bypassed_percent", "invented_per_hour", "longest_run_s", *_BEATS),
    "lead swap": ("bypassed_percent", *_BEATS, "recovered_s"),
    "bad input": ("bypassed_percent", *_BEATS, "recovered_s"),
}
_SHAPES = ("bypassed_percent", *_BEATS, "v_beats", "v_beat_r")
_WAVES = ("bypassed_percent", "p_wave_r", "st_bias_uv", "st_low_uv", "st_high_uv")


def figures_of(group: str) -> tuple[str, ...]:
    """Names of the figures that are listed for a group of cases."""
    if group in _FIGURES:
        return _FIGURES[group]
    return _SHAPES if group.startswith("ectopic") else _WAVES


def write_safety(rows: list[dict[str, Any]], settings: SafetySettings, folder: Path) -> str:
    """Write ``safety.csv``, ``safety.json``, the summary alone, and ``report.md``; returns the last."""
    manifest = {
        "hop_ms": settings.hop_ms,
        "seconds": settings.seconds,
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }
    text = safety_markdown(rows)
    report = {"track": "safety", "manifest": manifest, "summary": summarise(rows)}
    write_results(folder / "safety.json", report)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "safety.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    (folder / "report.md").write_text(text, encoding="utf-8")
    return text


def safety_markdown(rows: list[dict[str, Any]]) -> str:
    """A summary, and a table for each group of cases; a row per system, case, and guard off or on."""
    lines = ["# Track safety", "", *_summary(rows)]
    for group in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == group]
        # Leave out figures that no case of the group has.
        names = [name for name in figures_of(group) if any(row.get(name) is not None for row in members)]
        head = ["system", "look-ahead ms", "case", "s", "guard", *(name.replace("_", " ") for name in names)]
        lines += [f"## {group}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for row in members:
            about = [row["system"], f"{row['lookahead_ms']:g}", row["case"], f"{row['seconds']:.0f}"]
            cells = [*about, row["guard"], *(_cell(row.get(name)) for name in names)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """A row per system and guard. A pair of figures is without noise / with em at 6 dB."""
    head = (
        "system | look-ahead ms | guard | invented per hour of noise | runs over 3 s | noise bypassed % | "
        "asystole shown ms | flutter bypassed % | flutter hidden s | recovered s | beats | erased | added | "
        "bypassed % | V-beat r | P-wave r | ST µV, bias (95 %)"
    )
    lines = ["## All cases", "", "Pairs: without noise / with em at 6 dB.", ""]
    lines += [f"| {head} |", "|---" * len(head.split("|")) + "|"]
    for row in summarise(rows):
        single = (
            "invented_per_hour",
            "runs_over_3_s",
            "noise_bypassed_percent",
            "asystole_shown_ms",
            "fibrillation_bypassed_percent",
            "fibrillation_hidden_s",
            "recovered_s",
            "beats",
            "beats_erased",
            "beats_added",
        )
        cells = [row["system"], f"{row['lookahead_ms']:g}", row["guard"], *(_cell(row[n]) for n in single)]
        cells += [
            f"{_cell(row[name])} / {_cell(row[name + NOISY])}"
            for name in ("bypassed_percent", "v_beat_r", "p_wave_r")
        ]
        cells.append(" / ".join(_st(row, ending) for ending in ("", NOISY)))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _st(row: dict[str, Any], ending: str) -> str:
    bias, low, high = (row[f"st_{name}_uv{ending}"] for name in ("bias", "low", "high"))
    return "" if bias is None else f"{bias:+.0f} ({low:+.0f} … {high:+.0f})"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value:.0f}"
