"""Results of Track S: one line per run in a file that is committed, and the table made from it."""

import json
from pathlib import Path
from typing import Any

from models.benches.result_lines import append_line, read_lines
from models.benches.track_s import Condition, Windows, load_examples, rmse_mv, snr_db
from models.benches.track_s_figures import PUBLISHED, SNRS
from models.benches.track_s_filters import FILTERS

RESULTS = "track-s.jsonl"


def result_row(
    name: str, condition: Condition, test: tuple[Windows, Windows], output: Windows
) -> dict[str, Any]:
    """Row of one system under one condition in a results file; `test` is (noisy, reference)."""
    noisy, reference = test
    return {
        "system": name,
        "noise": condition.noise,
        "mixing": condition.mixing if condition.noise == "emb" else None,
        "snr_db": condition.snr_db,
        "snr_in_db": round(snr_db(reference, noisy), 4),
        "snr_out_db": round(snr_db(reference, output), 4),
        "rmse_mv": round(rmse_mv(reference, output), 4),
    }


def score_filters(folder: Path, condition: Condition, data_dir: Path | None = None) -> None:
    """Add the rows of the untrained systems: the input, and the filters of the seed table."""
    test = load_examples(condition, data_dir=data_dir).test
    known = read_results(folder)
    for name, filtered in FILTERS.items():
        row = result_row(name, condition, test, filtered(test[0]))
        if row not in known:
            append_result(folder, row)


def append_result(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to the folder's results file."""
    append_line(folder / RESULTS, row)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Every result of a folder; of a run that was repeated the last."""
    return read_lines(folder / RESULTS, ("system", "noise", "mixing", "snr_db", "epochs", "seed"))


def read_unfinished(folder: Path) -> dict[tuple[str, str, float], str]:
    """What runs of ``emb`` without a result have come to, by system, mixing and SNR (dB): for people."""
    finished = {(row["system"], row["mixing"], row["snr_db"]) for row in read_results(folder)}
    found = {}
    for log in sorted(folder.glob("*/log.jsonl")):
        for system, mixing in PUBLISHED:
            for level in SNRS:
                begun = f"{system}-emb-{mixing}-{level:g}dB-"
                lines = log.read_text(encoding="utf-8").splitlines()
                if log.parent.name.startswith(begun) and (system, mixing, level) not in finished and lines:
                    last, planned = json.loads(lines[-1]), log.parent.name.removeprefix(begun).split("-")[0]
                    curve = f"[curve](results/{folder.name}/{log.parent.name}/log.jsonl)"
                    found[system, mixing, level] = (
                        f"epoch {last['epoch']} of {planned}, loss {last['loss']:.3f} ({curve})"
                    )
    return found


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of a results file, ours beside what was published."""
    lines = [
        "# Track S: do our networks land on the published numbers?",
        "",
        "The seed table's own protocol: random windows of 2 × 256 samples, the same patients and the same "
        "noise in training and test. SNR out in dB, mean over 2000 test windows, DC included; in brackets "
        "what was published, and how far we are from it.",
        "",
        "| system | noise | mixing | epochs | " + " | ".join(f"{snr:g} dB" for snr in SNRS) + " |",
        "|---|---|---|---|" + "---|" * len(SNRS),
    ]
    order = ("system", "noise", "mixing", "epochs")
    groups: dict[tuple[Any, ...], dict[float, float]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(part) for part in order), {})[row["snr_db"]] = row["snr_out_db"]
    ran = {(system, mixing) for system, _, mixing, _ in groups}
    groups |= {
        (system, "emb", mixing, None): {} for system, mixing in PUBLISHED if (system, mixing) not in ran
    }
    for (system, noise, mixing, epochs), ours in groups.items():
        published = dict(zip(SNRS, PUBLISHED.get((system, mixing), ()), strict=False))
        cells = [_cell(ours.get(snr), published.get(snr)) for snr in SNRS]
        lines.append(f"| {system} | {noise} | {mixing or ''} | {epochs or ''} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(ours: float | None, published: float | None) -> str:
    if ours is None:
        return f"(published {published:.2f})" if published is not None else ""
    if published is None:
        return f"{ours:.2f}"
    return f"{ours:.2f} ({published:.2f}, {ours - published:+.2f})"
