"""Tables of waves: how much of each is left, limits of agreement with manual marks, and ST changes."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.lab.evaluate.frontier import UNAIDED
from engine.lab.evaluate.waves.marks import DATABASES, SETTLES_S
from engine.lab.evaluate.waves.measures import HEIGHTS, INTERVALS
from engine.lab.evaluate.waves.run import REFERENCE, ST_VIEW, WavesSettings, waves_data
from engine.lab.parts import Result, code_sha256, fingerprint
from engine.lab.results import write_results

LEAST_UV = {"P": 30.0, "QRS": 0.0, "T": 50.0}
"""Waves of the reference lower than this, from peak to peak, are not counted: noise leaves as much."""
KNOWN_SPREADS = 2.0
"""A wave is known where it is so many times as high as the mean spread that the network states within it."""
_FITS = ("height", "r", "lag_ms", "held")
_MISSED = ("QT", "P")


def summarise(results: list[Result]) -> list[dict[str, Any]]:
    """A row for each system, database, condition and measure.

    Returns
    -------
    list of dict
        ``beats``, ``leads``, ``mean`` and ``sd`` over beats, ``median`` as the mean over leads of a lead's
        median, and ``p95``, the 95th percentile of the absolute value over beats.
    """
    rows = []
    for result in results:
        if result["part"] != "waves":
            continue
        about = {key: result[key] for key in ("system", "lookahead_ms", "database", "condition")}
        for what, values in _measures(result["rows"]).items():
            rows.append(about | {"what": what} | _statistics(values))
    return rows


def _measures(beats: list[dict[str, Any]]) -> dict[str, list[tuple[str, float]]]:
    """Values of each measure, with the lead of each."""
    values: dict[str, list[tuple[str, float]]] = {}
    for beat in beats:
        kept = dict(beat)
        for wave, least in LEAST_UV.items():
            high = kept.pop(f"{wave} height_uv", 0.0)
            doubt = kept.pop(f"{wave} doubt_uv", None)
            if high < least:
                for what in _FITS:
                    kept.pop(f"{wave} {what}", None)
            elif doubt is not None and f"{wave} height" in kept:
                share = kept[f"{wave} height"]
                known = share * high > KNOWN_SPREADS * doubt
                kept[f"{wave} known"] = float(known)
                if known:
                    kept[f"{wave} height where known"] = share
        lead = kept.pop("lead")
        for what, value in kept.items():
            if " missed: " in what and what.split(" missed: ")[0] not in _MISSED:
                continue
            values.setdefault(what, []).append((lead, value))
    return values


def _statistics(values: list[tuple[str, float]]) -> dict[str, Any]:
    every = np.array([value for _, value in values])
    names = np.array([lead for lead, _ in values])
    medians = [float(np.median(every[names == lead])) for lead in np.unique(names)]
    return {
        "beats": len(every),
        "leads": len(medians),
        "mean": _rounded(every.mean()),
        "sd": _rounded(every.std(ddof=1)) if len(every) > 1 else None,
        "median": _rounded(np.mean(medians)),
        "p95": _rounded(np.percentile(np.abs(every), 95)),
    }


def _rounded(value: Any) -> float:
    return float(f"{float(value):.4g}")


def summarise_st(results: list[Result]) -> list[dict[str, Any]]:
    """A row for each system: what it does to ST itself; and one for each of its ST changes.

    Returns
    -------
    list of dict
        ``condition``, ``what`` (``moved`` and ``single`` in µV, or ``kept`` as a share), ``point``,
        ``median`` over leads, and ``low`` and ``high``, the 10th and 90th percentiles.
    """
    groups: dict[tuple[Any, ...], list[float]] = {}
    for result in results:
        for row in result["rows"] if result["part"] == "st" else ():
            of = (result["condition"], row["system"], result["lookahead_ms"])
            for what in ("moved", "single", "kept"):
                for point, value in row.get("kept" if what == "kept" else f"{what}_uv", {}).items():
                    key = (*of, what, row.get("when"), row.get("mv"), point)
                    groups.setdefault(key, []).append(value)
    rows = []
    for key, values in groups.items():
        low, median, high = (_rounded(each) for each in np.nanpercentile(values, (10, 50, 90)))
        names = ("condition", "system", "lookahead_ms", "what", "when", "mv", "point")
        about = dict(zip(names, key, strict=True))
        rows.append(about | {"leads": len(values), "median": median, "low": low, "high": high})
    return rows


def write_waves(results: list[Result], settings: WavesSettings, folder: Path) -> dict[str, Any]:
    """Write ``waves.json`` and ``report.md``; returns what the first holds."""
    report = {
        "track": "waves",
        "manifest": {
            "lookaheads_ms": settings.lookaheads_ms,
            "hop_ms": settings.hop_ms,
            "records": {name: settings.records_of(name) for name in settings.databases},
            "delineators": settings.delineators,
            "weights_sha256": {name: fingerprint(name) for name in settings.models},
            "data_sha256": waves_data(settings),
            "code_sha256": code_sha256(),
            "version": version("ecg-stream"),
        },
        "st": summarise_st(results),
        "rows": summarise(results),
    }
    write_results(folder / "waves.json", report)
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    return report


def markdown(report: dict[str, Any]) -> str:
    """The tables of a ``waves.json``."""
    rows = report["rows"]
    lines = [
        "# Waves: what is left of P, QRS, T and ST",
        "",
        "Leads with manual marks, streamed without the guard, noise from the test part of NSTDB, SNR over "
        "the lead (mean-removed powers). Clean: as recorded, with its own drift. True is the lead without "
        "noise and drift (zero-phase 0.5 Hz) at the manual marks. "
        + " ".join(
            f"`{name}`: {DATABASES[name]}; the first {SETTLES_S[name]:g} s are not measured."
            for name in report["manifest"]["records"]
        ),
    ]
    for database in report["manifest"]["records"] if rows else ():
        mine = [row for row in rows if row["database"] == database]
        lines += ["", f"## {database}: waves by their shape", "", *_shapes(mine)]
        lines += ["", f"## {database}: heights at the manual marks", "", *_heights(mine)]
        for name in report["manifest"]["delineators"]:
            lines += ["", f"## {database}: as the delineator {name} reads it", "", *_read(mine, name)]
    lines += ["", "## ST changes", "", _ST]
    # Rows of before noise was asked for name none.
    for condition in dict.fromkeys(row.get("condition", "clean") for row in report["st"]):
        mine = [row for row in report["st"] if row.get("condition", "clean") == condition]
        lines += ["", f"### {condition}", "", *_st(mine)]
    return "\n".join(lines) + "\n"


def _by_system(rows: list[dict[str, Any]]) -> Iterable[tuple[list[str], dict[str, dict[str, Any]]]]:
    """The first cells of each line, and the measures of that system and condition."""
    lines: dict[tuple[str, str, Any], dict[str, dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault((row["condition"], row["system"], row["lookahead_ms"]), {})[row["what"]] = row
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    for (condition, system, ahead), found in sorted(lines.items(), key=lambda x: conditions.index(x[0][0])):
        yield [condition, system, _ahead(system, ahead)], found


def _ahead(system: str, lookahead_ms: float) -> str:
    """Of those that need none nothing is said; the clean reference has the whole record."""
    return "" if system in (*UNAIDED, REFERENCE, ST_VIEW) else f"{lookahead_ms:.0f} ms"


def _shapes(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Least squares against the same wave of the true lead, each without its line: height as a share of "
        "the true one and r, median of a lead's beats, mean over leads (P waves of 30 µV, T waves of 50 µV "
        "and more). Known: beats whose wave is more than twice as high as the spread that the network states "
        "within it; height of these. Held: samples of the wave within the spread (68 % is meant). R late: "
        "95th percentile of how far the complex is moved.",
        "",
        "| noise | system | look-ahead | P height | P r | P known | its height | P held | T height | T r | "
        "T held | R late |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    wanted = (
        ("P height", "median", "{:.0%}"),
        ("P r", "median", "{:.2f}"),
        ("P known", "mean", "{:.0%}"),
        ("P height where known", "median", "{:.0%}"),
        ("P held", "mean", "{:.0%}"),
        ("T height", "median", "{:.0%}"),
        ("T r", "median", "{:.2f}"),
        ("T held", "mean", "{:.0%}"),
        ("QRS lag_ms", "p95", "{:.1f} ms"),
    )
    for cells, found in _by_system(rows):
        cells += [form.format(found[what][of]) if what in found else "" for what, of, form in wanted]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _limits(row: dict[str, Any] | None) -> str:
    """Mean difference and the 95 % limits of agreement, mean ± 1.96 SD."""
    if row is None or row["sd"] is None:
        return ""
    reach = 1.96 * row["sd"]
    return f"{row['mean']:+.0f} ({row['mean'] - reach:+.0f} … {row['mean'] + reach:+.0f})"


def _heights(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Output less true, µV: mean and 95 % limits of agreement (Bland and Altman: mean ± 1.96 SD over "
        "beats).",
        "",
        "| noise | system | look-ahead | " + " | ".join(HEIGHTS) + " |",
        "|---|---|---|" + "---|" * len(HEIGHTS),
    ]
    for cells, found in _by_system(rows):
        cells += [_limits(found.get(f"{what} at the marks")) for what in HEIGHTS]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _read(rows: list[dict[str, Any]], delineator: str) -> list[str]:
    every = [*INTERVALS, *HEIGHTS]
    units = ["ms"] * len(INTERVALS) + ["µV"] * len(HEIGHTS)
    lines = [
        "It is told where the beats are. Read less true, mean and 95 % limits of agreement; then beats of "
        "which it reads no QT and no P.",
        "",
        "| noise | system | look-ahead | "
        + " | ".join(f"{what}, {unit}" for what, unit in zip(every, units, strict=True))
        + " | no QT | no P |",
        "|---|---|---|" + "---|" * (len(every) + 2),
    ]
    for cells, found in _by_system(rows):
        cells += [_limits(found.get(f"{what}: {delineator}")) for what in every]
        missed = [found.get(f"{what} missed: {delineator}") for what in _MISSED]
        cells += [f"{row['mean']:.0%}" if row else "" for row in missed]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


_ST = (
    "ST is measured from the level before the QRS complex. Moved: what the system does to the ST of the lead "
    "as it was recorded, or as it was before noise; single: the same of a single beat, 95th percentile of "
    "its size. Kept: share of an ST change cut into the lead that is left, 1 to 6 s after a sudden one, 15 s "
    "after it and later, and after a slow one of 20 s. Median over leads (10th … 90th percentile)."
)


def _st(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| system | look-ahead | point | moved, µV | single, µV | change, mV | kept: sudden | later | slow |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    of: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["system"], row["lookahead_ms"], row["point"])
        of[(*key, row["what"]) if row["mv"] is None else (*key, row["mv"], row["when"])] = row
    heights = sorted({row["mv"] for row in rows if row["mv"] is not None})
    for system, ahead, point in dict.fromkeys(key[:3] for key in of):
        moved, single = (of.get((system, ahead, point, what)) for what in ("moved", "single"))
        first, beat = _spanned(moved, "+.0f"), _spanned(single, ".0f")
        for place, mv in enumerate(heights):
            cells = [system, _ahead(system, ahead), point, first, beat] if place == 0 else [""] * 5
            cells.append(f"{mv:+g}")
            for when in ("sudden", "later", "slow"):
                cells.append(_spanned(of.get((system, ahead, point, mv, when)), ".0%"))
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def _spanned(row: dict[str, Any] | None, form: str) -> str:
    return f"{row['median']:{form}} ({row['low']:{form}} … {row['high']:{form}})" if row else ""
