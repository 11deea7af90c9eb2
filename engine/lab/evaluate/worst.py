"""Where cleaning fails: the stretches of Track F that leave worst, to be looked at."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.lab.evaluate.track_f import (
    WARMUP_S,
    Condition,
    EvaluateSettings,
    evaluated_data,
    stream_condition,
)
from engine.lab.parts import Part, Progress, Result, fingerprint, run_parts
from models.benches.track_f import FS
from models.metrics import snr_db

STRETCH_S = 4.0
"""Seconds of a stretch; they lie side by side."""


def find_worst(settings: EvaluateSettings, count: int, out: Path, progress: Progress) -> list[Result]:
    """The stretches with the lowest SNR out of one system at one look-ahead, worst first.

    Of a record no more than one is taken, so that the same fault is not shown ten times. A stretch holds
    ``record``, ``condition``, ``start`` (s from the record's begin), ``snr_in_db``, ``snr_out_db`` (mean
    removed), ``within_spread`` (share of samples whose error is no larger than the network says; None where
    it says nothing) and ``traces`` in mV: ``raw``, ``reference``, ``cleaned``, ``spread``.
    """
    (name,), (lookahead,) = settings.models, settings.lookaheads_ms
    weights, data = fingerprint(name), evaluated_data(settings)
    parts = [
        Part(
            f"{condition.label}: {name}",
            {
                "track": "worst",
                "system": name,
                "weights": weights,
                "lookahead_ms": lookahead,
                "condition": condition.label,
                "settings": [settings.hop_ms, settings.start, settings.seconds, settings.backend],
                "records": settings.records,
                "data": data,
            },
            worst_part,
            (settings, name, lookahead, condition),
        )
        for condition in settings.conditions
    ]
    results = run_parts(parts, out / "parts", settings.jobs, progress)
    found: dict[str, Result] = {}
    stretches = [each for result in results for each in result["stretches"]]
    for each in sorted(stretches, key=lambda each: float(each["snr_out_db"])):
        found.setdefault(each["record"], each)
    return list(found.values())[:count]


def worst_part(settings: EvaluateSettings, name: str, lookahead_ms: float, condition: Condition) -> Result:
    """The worst stretch of every record under one condition."""
    streamed = stream_condition(settings, name, lookahead_ms, condition)
    settled = slice(round(WARMUP_S * FS), None)
    stretches = []
    for record, played in streamed.played.items():
        heard, cleaned = played.leads[0], streamed.outputs[record][0, settled]
        spread = streamed.spreads[record][0, settled] if record in streamed.spreads else None
        length = round(STRETCH_S * FS)
        places = [slice(at, at + length) for at in range(0, len(cleaned) - length + 1, length)]
        shown = min(places, key=lambda place: snr_db(heard.reference[place], cleaned[place]))
        stretch = replace(heard, raw=heard.raw[shown], reference=heard.reference[shown])
        traces = {"raw": stretch.raw, "reference": stretch.reference, "cleaned": cleaned[shown]}
        within = None
        if spread is not None:
            traces["spread"] = spread[shown]
            within = stretch.within_spread(traces["cleaned"], traces["spread"])
        stretches.append(
            {
                "record": record,
                "condition": condition.label,
                "start": settings.start + WARMUP_S + shown.start / FS,
                "snr_in_db": stretch.snr_in_db,
                "snr_out_db": snr_db(stretch.reference, traces["cleaned"]),
                "within_spread": within,
                "traces": {what: np.round(trace, 4).tolist() for what, trace in traces.items()},
            }
        )
    return {"stretches": stretches}


def worst_markdown(stretches: list[Result], settings: EvaluateSettings) -> str:
    """The picture, and a line for each stretch."""
    lines = [
        "# Where it fails worst",
        "",
        f"{settings.models[0]} at {settings.lookaheads_ms[0]:g} ms of look-ahead on Track F: of each record "
        f"the {STRETCH_S:g} s with the lowest SNR out under any condition, worst first. Within: share of "
        "samples whose error is no larger than the network says (true spread: 68 %).",
        "",
        "![raw grey, reference black, cleaned green with its stated spread](worst.png)",
        "",
        "| | record, second | condition | SNR in, dB | out, dB | within |",
        "|---|---|---|---|---|---|",
    ]
    for place, each in enumerate(stretches, 1):
        within = "" if each["within_spread"] is None else f"{each['within_spread']:.0%}"
        lines.append(
            f"| {place} | {each['record']}, {each['start']:.0f} | {each['condition']} | "
            f"{each['snr_in_db']:.1f} | {each['snr_out_db']:.1f} | {within} |"
        )
    return "\n".join(lines) + "\n"


def draw_worst(stretches: list[Result], path: Path) -> None:
    """Two columns of panels: raw grey, reference black, cleaned green with its stated spread."""
    from matplotlib.figure import Figure

    rows = (len(stretches) + 1) // 2
    figure = Figure(figsize=(14, 0.4 + 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False, sharex=True)
    for place, (axes, each) in enumerate(zip(panels.flat, stretches, strict=False), 1):
        traces: dict[str, Any] = {what: np.array(trace) for what, trace in each["traces"].items()}
        seconds = np.arange(len(traces["reference"])) / FS
        middle = np.median(traces["raw"]) - np.median(traces["reference"])
        axes.plot(seconds, traces["raw"] - middle, color="0.7", lw=0.7)
        axes.plot(seconds, traces["reference"], color="black", lw=0.9)
        axes.plot(seconds, traces["cleaned"], color="tab:green", lw=0.9)
        if "spread" in traces:
            low, high = (traces["cleaned"] + sign * traces["spread"] for sign in (-1, 1))
            axes.fill_between(seconds, low, high, color="tab:green", alpha=0.2, lw=0)
        reach = 1.3 * max(np.abs(traces[what]).max() for what in ("reference", "cleaned"))
        axes.set_ylim(-reach, reach)
        axes.set_title(
            f"{place}. record {each['record']}, second {each['start']:.0f}, {each['condition']}: "
            f"{each['snr_in_db']:.1f} → {each['snr_out_db']:.1f} dB",
            loc="left",
            fontsize="small",
        )
    for axes in panels.flat[len(stretches) :]:
        axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("s")
    figure.savefig(path, dpi=80)
