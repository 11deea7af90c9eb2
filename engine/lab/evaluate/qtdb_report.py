"""The report of the QTDB bench: our figures on isolated and on streamed beats beside the published ones."""

import csv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lab.evaluate.pictures import plot_examples
from engine.lab.evaluate.qtdb import BLOCK_S, StreamedSettings, manifest, qtdb_data
from engine.lab.parts import Result, code_sha256, fingerprint
from engine.lab.results import write_results
from models.benches.qtdb import PARENTS, TEST_RECORDS, TRAIN_RECORDS
from models.benches.qtdb_scores import METRICS

PUBLISHED = {
    "FIR": (47.46, 0.676, 66.2, 0.692),
    "IIR": (35.65, 0.594, 61.1, 0.736),
    "FCN-DAE (by DeepFilter's authors)": (10.63, 0.598, 94.5, 0.770),
    "FCN-DAE (by MECG-E's authors)": (6.63, 0.464, 50.9, 0.877),
    "DRNN": (6.70, 0.480, 50.0, 0.878),
    "DeepFilter": (5.20, 0.386, 50.4, 0.897),
    "DeScoD-ECG, 10 shots": (3.77, 0.329, 40.5, 0.926),
    "MECG-E": (3.445, 0.319, 37.6, 0.936),
}
"""`METRICS` by row, over 13 306 beats under both versions of the noise."""
_HEADS = ("SSD mV²", "MAD mV", "PRD %", "CosSim")
_DIGITS = (2, 3, 1, 3)
_BOOTSTRAPS = 2000


def summarise(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per system, run and delay: mean over beats of all versions, with its interval over records."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    about = ("system", "delay_ms", "weights", "epochs", "seed", "training_beats")
    for result in results:
        groups.setdefault(tuple(result.get(name) for name in about), []).append(result)
    rows = []
    for key, members in groups.items():
        records = [record for member in members for record in member["records"]]
        names = list(dict.fromkeys(record["record"] for record in records))
        # Both noise versions of a record are resampled together, because they have the same beats.
        owner = np.array([names.index(record["record"]) for record in records])
        beats = np.array([record["beats"] for record in records], np.float64)
        weights = np.bincount(owner, beats)
        row = dict(zip(about, key, strict=True))
        row["versions"] = sorted(member["noise_version"] for member in members)
        row["beats"] = int(beats.sum())
        for metric in METRICS:
            values = np.array([record[metric] for record in records])
            sums = np.bincount(owner, beats * values)
            low, high = _interval(sums, weights)
            row |= {metric: float(sums.sum() / weights.sum()), f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row)
    return rows


def _interval(sums: NDArray[Any], weights: NDArray[Any]) -> tuple[float, float]:
    """95 % bootstrap interval over records of a mean over beats."""
    drawn = np.random.default_rng(0).integers(len(sums), size=(_BOOTSTRAPS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / weights[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def write_qtdb(runs: list[Result], results: list[Result], settings: StreamedSettings, folder: Path) -> str:
    """Write ``summary.json``, ``report.md``, ``scores.csv``, ``qtdb.png`` and ``examples.png``.

    Parameters
    ----------
    runs
        Results of filters and of networks trained for the bench (`models.benches.qtdb_results`).
    results
        Of `engine.lab.evaluate.qtdb`.

    Returns
    -------
    str
        The report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cut = runs + [result for result in results if result["part"] == "beats"]
    streamed = [result for result in results if result["part"] == "streamed"]
    known = {
        "settings": manifest(settings),
        "data_sha256": qtdb_data(settings.data_dir),
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }
    report = {
        "track": "qtdb",
        "manifest": known,
        "beats": summarise(cut),
        "streamed": summarise(streamed),
    }
    text = markdown(report)
    write_results(folder / "summary.json", report)
    (folder / "report.md").write_text(text, encoding="utf-8")
    _write_scores(cut, streamed, folder / "scores.csv")
    plot_qtdb(report, folder / "qtdb.png")
    plot_examples([result["example"] | result for result in streamed if "example" in result], folder)
    return text


def _write_scores(cut: list[Result], streamed: list[Result], path: Path) -> None:
    """A line per part, system, version and record."""
    about = ("system", "delay_ms", "weights", "epochs", "noise_version")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["part", *about, "record", "beats", *METRICS])
        writer.writeheader()
        for part, results in (("beats", cut), ("streamed", streamed)):
            for result in results:
                known = {"part": part} | {name: result.get(name) for name in about}
                writer.writerows(known | record for record in result["records"])


def markdown(report: dict[str, Any]) -> str:
    """Both tables of a ``summary.json``, and how they differ from the published ones."""
    settings = report["manifest"]["settings"]
    lines = [
        "# QTDB bench: beats under baseline wander",
        "",
        f"The {len(TEST_RECORDS)} test records of Romero et al. 2021 (DeepFilter), `bw` of NSTDB, as high as "
        "0.2 to 2 times the beat; mean over beats, 95 % bootstrap interval over records. Lower is better "
        "but for CosSim. PRD has the literature's own denominator.",
        "",
        "## Beats cut out, as published",
        "",
        "| system | training | noise versions | beats | " + " | ".join(_HEADS) + " |",
        "|---|---|---|---|" + "---|" * len(METRICS),
    ]
    for row in _by_ssd(report["beats"]):
        versions = " + ".join(str(each) for each in row["versions"])
        lines.append(
            f"| {row['system']} | {_training(row)} | {versions} | {row['beats']:,} | {_cells(row)} |"
        )
    for name, figures in PUBLISHED.items():
        shown = " | ".join(f"{value:g}" for value in figures)
        lines.append(f"| published: {name} | | 1 + 2 | 26,612 | {shown} |")
    lines += [
        "",
        "The filters' rows say whether this is the same bench: all test records are here, the draws of the "
        f"noise are our own. Of the 91 training records {len(TRAIN_RECORDS)} are, and the authors trained "
        "until the loss no longer fell: a network's row says what the epochs that it had come to, not what "
        "it could. Track F's weights learned other leads, every kind of noise, and a baseline that the "
        "0.5 Hz filter defines, not a beat's end points.",
        "",
        "## Streamed",
        "",
        "| system | delay | beats | " + " | ".join(_HEADS) + " |",
        "|---|---|---|" + "---|" * len(METRICS),
    ]
    for row in _by_ssd(report["streamed"]):
        delay = f"{row['delay_ms']:.0f} ms"
        lines.append(f"| {row['system']} | {delay} | {row['beats']:,} | {_cells(row)} |")
    lines += [
        "",
        f"The first {settings['seconds']:g} s of the same records through the engine, weights of Track F "
        f"(nobody trained on {' or '.join(PARENTS.values())}, of which {' and '.join(PARENTS)} are "
        "excerpts), beats cut from the output at the same places and not aligned. What differs from the "
        "table above: the record's own drift is removed beforehand (zero-phase 0.5 Hz), as on Track F; the "
        "noise runs on, less its mean, and keeps its ratio to the record's median beat for "
        f"{BLOCK_S:g} s; the zeros round a beat are not scored. So the two tables cannot be compared line "
        "by line.",
    ]
    return "\n".join(lines) + "\n"


def _by_ssd(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: float(row["ssd"]))


def _training(row: dict[str, Any]) -> str:
    if row["epochs"]:
        return f"{row['epochs']} epochs of {row['training_beats']:,} beats"
    return f"weights of {row['weights']}" if row["weights"] else "none"


def _cells(row: dict[str, Any]) -> str:
    return " | ".join(
        f"{row[metric]:.{digits}f} ({row[f'{metric}_low']:.{digits}f} … {row[f'{metric}_high']:.{digits}f})"
        for metric, digits in zip(METRICS, _DIGITS, strict=True)
    )


def plot_qtdb(report: dict[str, Any], path: Path) -> None:
    """Draw a panel per figure: every row as a point with its interval, published ones hollow."""
    from matplotlib.figure import Figure

    ours = [(row, "o") for row in _by_ssd(report["streamed"])]
    ours += [(row, "s") for row in _by_ssd(report["beats"])]
    labels = [_label(row) for row, _ in ours] + [f"published: {name}" for name in PUBLISHED]
    figure = Figure(figsize=(13, 1.5 + 0.22 * len(labels)), layout="constrained")
    panels = figure.subplots(1, len(METRICS), sharey=True)
    for place, (axes, metric) in enumerate(zip(panels, METRICS, strict=True)):
        for line, (row, marker) in enumerate(ours):
            reach = [[row[metric] - row[f"{metric}_low"]], [row[f"{metric}_high"] - row[metric]]]
            colour = "C0" if marker == "o" else "C1"
            axes.errorbar(row[metric], line, xerr=reach, fmt=marker, color=colour, ms=4, lw=1)
        for line, figures in enumerate(PUBLISHED.values(), len(ours)):
            axes.plot(figures[place], line, "D", color="black", mfc="none", ms=4)
        if metric == "ssd":
            axes.set_xscale("log")
        axes.set_xlabel(_HEADS[place])
        axes.grid(alpha=0.3)
    panels[0].set_yticks(range(len(labels)), labels, fontsize="small")
    panels[0].invert_yaxis()
    figure.savefig(path, dpi=90)


def _label(row: dict[str, Any]) -> str:
    if row["delay_ms"] is not None:
        return f"{row['system']}, streamed, {row['delay_ms']:.0f} ms"
    return f"{row['system']}, beats cut out, training: {_training(row)}"
