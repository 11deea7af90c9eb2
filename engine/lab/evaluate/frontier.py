"""The frontier: quality against delay for every system, beside offline filters.

Track F at one input SNR, each system at several look-aheads; clinical figures are drawn against look-ahead
+ hop.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.config import EngineConfig
from engine.lab.evaluate.report import summarise
from engine.lab.evaluate.track_f import OFFLINE, EvaluateSettings, evaluate, evaluated_data
from engine.lab.parts import Progress, Result, code_sha256, fingerprint
from engine.lab.results import write_results
from models.registry import load_card
from models.spec import ClassicalSpec
from streamer.errors import InputError

FIGURES = {
    "snr_out_db": "SNR out (dB)",
    "qrs_f1": "QRS F1 at ±150 ms",
    "st_error_uv": "ST error (µV)",
    "p_wave_r": "P-wave correlation",
}
"""What is drawn against the delay, and how the axis is called."""
UNAIDED = ("identity", "butterworth")
"""Systems that do not use look-ahead: they run without."""


@dataclass(frozen=True)
class FrontierSettings:
    """What to compare.

    Parameters
    ----------
    evaluated
        Settings of Track F; each system runs at those of its look-aheads that it can have.
    """

    evaluated: EvaluateSettings

    def of_each(self) -> Iterator[EvaluateSettings]:
        """Settings of each system.

        Raises
        ------
        InputError
            If a system can have none of the look-aheads.
        """
        for name in self.evaluated.models:
            asked = (0.0,) if name in UNAIDED else self.evaluated.lookaheads_ms
            possible = tuple(ms for ms in asked if self._is_possible(name, ms))
            if not possible:
                listed = ", ".join(f"{ms:g}" for ms in asked)
                raise InputError(f"{name} can have none of the look-aheads {listed} ms at this hop")
            yield replace(self.evaluated, models=(name,), lookaheads_ms=possible)

    def _is_possible(self, name: str, lookahead_ms: float) -> bool:
        try:
            EngineConfig.of(load_card(name).spec, lookahead_ms, self.evaluated.hop_ms)
        except InputError:
            return False
        return True


_TICKS_MS = (25, 50, 100, 200, 500, 1000)


def frontier(settings: FrontierSettings, out: Path, progress: Progress) -> dict[str, Any]:
    """Score every system at every delay; writes ``frontier.json``, ``.md`` and ``.png``, returns the first.

    Parts that are done are kept in ``out/parts``. Where ``out`` holds a frontier of the same records, noise
    and lengths already, the systems that are asked for take the place of their rows there, and the others
    stay, each with the code that it was scored by.
    """
    results: list[Result] = []
    each = list(settings.of_each())
    for index, one in enumerate(each):

        def show(what: str, done: int, total: int, index: int = index) -> None:
            progress(what, index * total + done, len(each) * total)

        results += evaluate(one, out, show)
    rows = summarise(_once(results))
    evaluated = settings.evaluated
    report = {
        "what": "frontier",
        "manifest": {
            "records": evaluated.records,
            "noises": evaluated.noises,
            "snrs_db": evaluated.snrs,
            "hop_ms": evaluated.hop_ms,
            "seconds": evaluated.seconds,
            "start": evaluated.start,
            "data_sha256": evaluated_data(evaluated),
            "weights_sha256": {name: fingerprint(name) for name in evaluated.models},
            "code_sha256": dict.fromkeys(evaluated.models, code_sha256()),
            "version": version("ecg-stream"),
        },
        "kinds": {name: kind_of(name) for name in evaluated.models},
        "rows": [row for row in rows if row["lead"] == "first"],
    }
    if (out / "frontier.json").is_file():
        report = _added_to(json.loads((out / "frontier.json").read_text(encoding="utf-8")), report)
    write_results(out / "frontier.json", report)
    (out / "frontier.md").write_text(markdown(report), encoding="utf-8")
    draw(report, out / "frontier.png")
    return report


_OF_SYSTEMS = ("weights_sha256", "code_sha256")


def _added_to(before: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """A report with the rows that an earlier one has of other systems."""
    was, now = before["manifest"], json.loads(json.dumps(report["manifest"]))
    differs = [name for name in now if name not in (*_OF_SYSTEMS, "version") and now[name] != was.get(name)]
    if differs:
        raise InputError(
            f"the frontier that is there was made with other {', '.join(differs)}; give another --out"
        )
    new = {row["system"] for row in report["rows"]} | set(report["kinds"])
    for name in _OF_SYSTEMS:
        now[name] = {**was[name], **now[name]}
    return {
        **report,
        "manifest": now,
        "kinds": {**before["kinds"], **report["kinds"]},
        "rows": [row for row in before["rows"] if row["system"] not in new] + report["rows"],
    }


def kind_of(name: str) -> str:
    """How a system is drawn: ``classical``, ``windows`` or ``state``."""
    spec = load_card(name).spec
    if isinstance(spec, ClassicalSpec):
        return "classical"
    return "state" if spec.steps else "windows"


def _once(results: list[Result]) -> list[Result]:
    """Keep each offline filter once: every system's run has scored it again."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for result in results:
        first = result["scores"][0]
        key = (first["system"], first["delay_ms"], first["noise"], first["snr"], first["own_drift"])
        if key not in seen:
            seen.add(key)
            kept.append(result)
    return kept


def markdown(report: dict[str, Any]) -> str:
    """The frontier as a table per condition, in order of delay."""
    manifest = report["manifest"]
    lines = [
        "# Frontier",
        "",
        f"{len(manifest['records'])} DS2 records, {manifest['seconds']:g} s each; delay is look-ahead + hop. "
        "Mean over records; SNR with its 95 % bootstrap interval. Within spread: share of samples whose "
        "error is no larger than the spread that the system states.",
    ]
    conditions = dict.fromkeys((row["noise"], row["snr"]) for row in report["rows"])
    for noise, snr in conditions:
        rows = [row for row in report["rows"] if (row["noise"], row["snr"]) == (noise, snr)]
        lines += ["", f"## {noise}, {snr:g} dB", ""]
        lines += [
            "| delay ms | system | SNR out | 95 % | QRS F1 | ST µV | P-wave r | within spread |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in sorted(
            rows, key=lambda row: (row["delay_ms"] is None, row["delay_ms"], -row["snr_out_db"])
        ):
            delay = "offline" if row["delay_ms"] is None else f"{row['delay_ms']:.0f}"
            interval = f"{row['snr_out_low_db']:.1f} … {row['snr_out_high_db']:.1f}"
            cells = [delay, row["system"], f"{row['snr_out_db']:.2f}", interval]
            cells += [_text(row["qrs_f1"], 3), _text(row["st_error_uv"], 0), _text(row["p_wave_r"], 2)]
            cells.append(_text(row["within_spread"], 2))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw every figure against the delay: a row per condition, a panel per figure."""
    from matplotlib.figure import Figure

    rows, kinds = report["rows"], report["kinds"]
    conditions = list(dict.fromkeys((row["noise"], row["snr"]) for row in rows))
    figure = Figure(figsize=(4 * len(FIGURES) + 2, 0.6 + 3.6 * len(conditions)), layout="constrained")
    panels = figure.subplots(len(conditions), len(FIGURES), squeeze=False, sharex=True)
    networks = [name for name in kinds if kinds[name] == "windows"]
    for condition, line in zip(conditions, panels, strict=True):
        here = [row for row in rows if (row["noise"], row["snr"]) == condition]
        for axes, (figure_name, title) in zip(line, FIGURES.items(), strict=True):
            for name, kind in kinds.items():
                points = sorted(
                    (row["delay_ms"], row[figure_name])
                    for row in here
                    if row["system"] == name and row[figure_name] is not None
                )
                if points:
                    axes.plot(*zip(*points, strict=True), label=name, **_style(name, kind, networks))
            for name in OFFLINE:
                for row in here:
                    if row["system"] == name and row[figure_name] is not None:
                        axes.axhline(row[figure_name], color="0.4", ls=":", lw=1, label=f"{name}, needs all")
            axes.set_title(f"{condition[0]} {condition[1]:g} dB: {title}", fontsize="small")
            axes.set_xscale("log")
            axes.set_xticks(_TICKS_MS, [str(ms) for ms in _TICKS_MS])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
    for axes in panels[-1]:
        axes.set_xlabel("delay (ms)")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=100)


def _style(name: str, kind: str, networks: list[str]) -> dict[str, Any]:
    if kind == "state":
        return {"color": "tab:red", "lw": 2.2, "marker": "o", "ms": 5, "zorder": 5}
    if kind == "classical":
        return {"color": "0.45", "lw": 1, "ls": "--", "marker": "osv^Dx"[len(name) % 6], "ms": 4}
    index = networks.index(name)
    # Red is the stateful network.
    colour = [0, 1, 2, 4, 5, 6, 8, 9][index % 8]
    return {"color": f"C{colour}", "lw": 1, "marker": "osv^Dx"[index % 6], "ms": 4}
