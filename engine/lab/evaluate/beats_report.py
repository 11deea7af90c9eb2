"""The tables of `ecg-stream evaluate beats`, made from its rows alone."""

from typing import Any

import numpy as np

from engine.lab.detectors import OURS
from engine.lab.evaluate.beats import DATABASES
from engine.lab.parts import Result
from models.beat_matching import BeatCount

_STRESS = "nstdb"


def beats_markdown(rows: list[Result]) -> str:
    """Two tables for each database: over rates, and the worst records of our detector."""
    lines = [
        "# Beats found in raw leads",
        "",
        "By the rules of EC57: ±150 ms, one to one, the first five minutes not scored (ten-second records "
        "from the first to the last mark), flutter left out. Gross over all beats; average F1 over records; "
        "V: sensitivity to ventricular beats. Jitter: 95th percentile over a record's beats, without its "
        "median, mean over records. Cost: processor time a second of a lead, on the machine at hand. The "
        "lead is resampled to the rate.",
    ]
    for database in dict.fromkeys(row["database"] for row in rows):
        mine = [row for row in rows if row["database"] == database]
        lines += ["", f"## {database}: {len(mine[0]['records'])} records", "", f"{DATABASES[database]}.", ""]
        if database == _STRESS:
            lines += _by_noise(mine)
            continue
        lines += ["| detector | Hz | Se | +P | F1 | average F1 | V | worst | jitter | cost |"]
        lines += ["|---|---|---|---|---|---|---|---|---|---|"]
        lines += [_line(row) for row in mine]
        for row in (row for row in mine if row["detector"] == OURS):
            poor = [record for record in row["records"] if not _count(record).f1 >= 0.95]
            named = ", ".join(f"{each['record']} ({_count(each).f1:.3f})" for each in poor)
            lines += ["", f"{OURS} at {row['fs']:g} Hz below 0.95: {named or 'none'}."]
    return "\n".join(lines) + "\n"


def _by_noise(rows: list[Result]) -> list[str]:
    """F1 and what it is made of at each level of noise, of both patients together."""
    # As spelt in a record's name, 118e24: a minus is an underscore.
    levels = sorted({_level(record) for row in rows for record in row["records"]}, reverse=True)
    lines = ["F1 (Se, +P) of both patients together.", ""]
    lines += ["| detector | Hz | " + " | ".join(f"{level} dB" for level in levels) + " |"]
    lines += ["|---|---|" + "---|" * len(levels)]
    for row in rows:
        cells = []
        for level in levels:
            counts = [_count(record) for record in row["records"] if _level(record) == level]
            gross = sum(counts, BeatCount(0, 0, 0))
            cells.append(f"{gross.f1:.3f} ({gross.sensitivity:.3f}, {gross.predictivity:.3f})")
        lines.append(f"| {row['detector']} | {row['fs']:g} | " + " | ".join(cells) + " |")
    return lines


def _level(record: dict[str, Any]) -> int:
    return int(record["record"].partition("e")[2].replace("_", "-"))


def _count(record: dict[str, Any]) -> BeatCount:
    return BeatCount(record["found"], record["missed"], record["invented"])


def _line(row: Result) -> str:
    counts = {record["record"]: _count(record) for record in row["records"]}
    gross = sum(counts.values(), BeatCount(0, 0, 0))
    worst = min(counts, key=lambda name: np.nan_to_num(counts[name].f1))
    v_found, v_missed = (sum(record[key] for record in row["records"]) for key in ("v_found", "v_missed"))
    jitter = [record["jitter_ms"] for record in row["records"] if record["jitter_ms"] is not None]
    cells = [
        row["detector"],
        f"{row['fs']:g}",
        f"{gross.sensitivity:.4f}",
        f"{gross.predictivity:.4f}",
        f"{gross.f1:.4f}",
        f"{np.nanmean([count.f1 for count in counts.values()]):.4f}",
        f"{v_found / (v_found + v_missed):.4f}" if v_found + v_missed else "",
        f"{worst} {counts[worst].f1:.3f}",
        f"{np.mean(jitter):.1f} ms" if jitter else "",
        f"{row['cost_us']:.0f} µs",
    ]
    return "| " + " | ".join(cells) + " |"
