"""The report of the signals: what is kept of the parts, tables of it, and what fails."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.lab.evaluate.conformance.grid import counted
from engine.lab.evaluate.conformance.judged import GRADES
from engine.lab.evaluate.conformance.pictures import draw
from engine.lab.evaluate.conformance.run import GRID, PICTURE_HZ, ConformanceSettings
from engine.lab.parts import Result, code_sha256, fingerprint
from engine.lab.results import write_results

_KEY = ("test", "stimulus", "what", "limit", "grade", "unit")
_GRID_ROWS = {
    "must_count": ("0.5–5 mV, 40–120 ms, 30–300 bpm", "±1 bpm or 1 %"),
    "must_not_count": ("0.15 mV, or 1 mV × 10 ms", "no heart rate"),
}


def conformance_report(results: list[Result], settings: ConformanceSettings) -> dict[str, Any]:
    """A row for each figure, with what every system shows at every rate, and the grids' counts.

    ``values`` of a row holds by system and rate: raw, cleaned, whether raw and whether cleaned passes,
    and the share of what was shown that was raw passed on.
    """
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    grids = []
    for result in results:
        system, fs = result["system"], str(result["fs"])
        for row in result["rows"]:
            named = {"test": result["test"]} | row
            kept = rows.setdefault(
                tuple(named[part] for part in _KEY), {part: named[part] for part in _KEY} | {"values": {}}
            )
            figures = ("raw", "cleaned", "raw_passes", "passes", "bypassed")
            kept["values"].setdefault(system, {})[fs] = [row[figure] for figure in figures]
        if result["test"] in GRID:
            grids.append({"system": system, "fs": result["fs"]} | counted(result["cells"]))
    manifest = {
        "rates": list(settings.rates),
        "delay_ms": {result["system"]: result["delay_ms"] for result in results if result["fs"] == 360}
        or {result["system"]: result["delay_ms"] for result in results},
        "weights_sha256": {name: fingerprint(name) for name in settings.models},
        "code_sha256": code_sha256(),
        "version": version("ecg-stream"),
    }
    return {"track": "conformance", "manifest": manifest, "rows": list(rows.values()), "grid": grids}


def write_conformance(results: list[Result], settings: ConformanceSettings, folder: Path) -> None:
    """Write ``conformance.json``, ``report.md`` and a picture for each test."""
    report = conformance_report(results, settings)
    write_results(folder / "conformance.json", report)
    draw(results, folder)
    (folder / "report.md").write_text(conformance_markdown(report), encoding="utf-8")


def conformance_markdown(report: dict[str, Any]) -> str:
    """The whole report."""
    systems = list(report["manifest"]["delay_ms"])
    lines = [
        conformance_summary(report),
        "## How to read it",
        "",
        "An amplifier without a high-pass (to 150 Hz or 0.4 of its rate; 2 µV of noise) samples what is at "
        "the electrodes at each rate, and it goes through every stage: resampling, network or filter, guard, "
        "and back to the device's rate. The heart rate is the one that a screen says of each trace. Raw is "
        "what the device sampled; `identity` is raw with the engine around it. The limits are what these "
        "sources say, not from a standard that we hold:",
        "",
        *(f"- {grade}: {meaning}." for grade, meaning in GRADES.items()),
        "",
        f"Figures are at {PICTURE_HZ} Hz (or at the first rate that was run); one that fails is bold. Rates "
        "at which the verdict is another stand behind it. *raw shown*: the guard did not believe the "
        "network, and more than half of what was judged is raw.",
    ]
    for test in dict.fromkeys(row["test"] for row in report["rows"]):
        mine = [row for row in report["rows"] if row["test"] == test]
        # Pictures are drawn of one rate.
        drawn = [f"![{test}]({test}.png)", ""] if PICTURE_HZ in report["manifest"]["rates"] else []
        lines += ["", f"## {test}", "", *drawn]
        heads = ["stimulus", "figure", "limit", "grade", "raw", *systems]
        lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        lines += [_line(row, systems) for row in mine]
    if report["grid"]:
        lines += ["", "## T7, T8: cells of the grid whose heart rate is wrong", ""]
        lines += ["![grid](T7.png)", ""]
        lines += list(_wrong_cells(report["grid"])) or ["None."]
    return "\n".join(lines) + "\n"


def conformance_summary(report: dict[str, Any]) -> str:
    """How many figures pass, by test and system, over all rates; and which fail of the default network."""
    delays = report["manifest"]["delay_ms"]
    systems = list(delays)
    rates = ", ".join(f"{fs:g}" for fs in report["manifest"]["rates"])
    lines = [
        "# Signals that a monitor must show",
        "",
        f"Figures that pass, of those judged, at {rates} Hz together.",
        "",
        "| test | raw | " + " | ".join(f"{name}, {delays[name]:.0f} ms" for name in systems) + " |",
        "|---|---|" + "---|" * len(systems),
    ]
    for test in dict.fromkeys(row["test"] for row in report["rows"]):
        mine = [row for row in report["rows"] if row["test"] == test]
        cells = []
        for system, column in ((systems[0], 2), *((name, 3) for name in systems)):
            verdicts = [value[column] for row in mine for value in row["values"][system].values()]
            cells.append(f"{sum(verdicts)}/{len(verdicts)}")
        lines.append(f"| {test} | " + " | ".join(cells) + " |")
    for name, (which, _) in _GRID_ROWS.items() if report["grid"] else ():
        cells = []
        for system, kind in ((systems[0], "raw"), *((name, "cleaned") for name in systems)):
            mine = [row for row in report["grid"] if row["system"] == system]
            passed, judged = (sum(row[key] for row in mine) for key in (f"{name}_{kind}", name))
            cells.append(f"{passed}/{judged}")
        lines.append(f"| {'T7' if name == 'must_count' else 'T8'}: {which} | " + " | ".join(cells) + " |")
    lines += ["", f"What fails of `{systems[0]}`:", ""]
    lines += list(_failures(report["rows"], systems[0])) or ["- nothing"]
    return "\n".join(lines) + "\n"


def _failures(rows: list[dict[str, Any]], system: str) -> Iterator[str]:
    for row in rows:
        wrong = {fs: value for fs, value in row["values"][system].items() if not value[3]}
        if wrong:
            said = ", ".join(f"{_figure(value[1], row['unit'])} at {fs} Hz" for fs, value in wrong.items())
            raw = " (raw too)" if all(not value[2] for value in wrong.values()) else ""
            yield f"- {row['test']}, {row['stimulus']}: {row['what']} {said}; limit {row['limit']}{raw}"


def _line(row: dict[str, Any], systems: list[str]) -> str:
    cells = [row["stimulus"], row["what"], row["limit"], row["grade"]]
    first = next(iter(row["values"].values()))
    cells.append(_figure(_shown(first)[0], row["unit"]))
    for system in systems:
        values = row["values"][system]
        _, cleaned, _, passes, bypassed = _shown(values)
        text = _figure(cleaned, row["unit"])
        text = text if passes else f"**{text}**"
        other = [fs for fs, value in values.items() if value[3] != passes]
        text += f" ({'fails' if passes else 'passes'} at {', '.join(other)})" if other else ""
        cells.append(text + (", *raw shown*" if bypassed > 0.5 else ""))
    return "| " + " | ".join(cells) + " |"


def _shown(values: dict[str, list[Any]]) -> list[Any]:
    """What stands in the table: of the pictures' rate, or of the first."""
    return values.get(str(PICTURE_HZ), next(iter(values.values())))


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "not" if unit == "s" else "none"
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value, 4) + 0.0:.3g} {unit}"


def _wrong_cells(grids: list[dict[str, Any]]) -> Iterator[str]:
    for row in grids:
        for name, (_, limit) in _GRID_ROWS.items():
            wrong = row[f"{name}_wrong"]
            if wrong:
                said = "; ".join(
                    f"{height:g} mV × {width} ms at {bpm}: {'none' if told is None else f'{told:g}'}"
                    for height, width, bpm, told in wrong
                )
                yield f"- {row['system']} at {row['fs']} Hz ({limit}): {said}"
