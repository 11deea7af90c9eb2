"""Windows without a heart beat in which a heart rate would be shown, of raw and of cleaned; none may be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.guard.limits import limits_of
from engine.guard.wave_doubt import unsure_beats, unsure_of
from engine.lab.parts import Part, Progress, Result, code_sha256, data_sha256, fingerprint, run_parts
from engine.lab.replay import play
from engine.lab.results import write_results
from engine.lab.safety.no_heart import KINDS, no_heart
from engine.lab.safety.patient_rates import NOISES, patients_markdown, patients_part
from engine.marks import Mark
from engine.messages import Gap
from engine.pipeline import clean
from models.benches.track_f import FS, TEST_RECORDS
from models.registry import load_card
from streamer.chunk import Samples
from streamer.heart_rate import DOUBTED_S, LISTENED_S, confirmed_rate, heart_rate
from streamer.qrs import find_qrs
from streamer.records.find import find_record

EVERY_S = 2.0
"""A window ends so often, and reaches `LISTENED_S` back, or to the beginning."""
LEAD_S = 70.0
PER_LEAD = round(LEAD_S / EVERY_S)
"""Windows of one lead; another lead is another signal."""


@dataclass(frozen=True)
class RateSettings:
    """What to run. Fields carry the names of the command's options; `windows` in all, 0: patients alone."""

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (100.0,)
    hop_ms: float = 40.0
    windows: int = 10_000
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None

    @property
    def leads(self) -> int:
        """Leads of each kind of signal without a heart beat."""
        return max(1, math.ceil(self.windows / len(KINDS) / PER_LEAD))


def evaluate_rates(settings: RateSettings, out: Path, progress: Progress) -> list[Result]:
    """A row per system, look-ahead and kind of signal, kept in ``out/parts``.

    Returns
    -------
    list of dict
        ``system``, ``lookahead_ms``, ``kind``, ``windows``, and in how many of them raw and cleaned show a
        heart rate: ``raw``, ``cleaned``, with the rates, ``raw_bpm`` and ``cleaned_bpm``.
    """
    data = data_sha256(find_record(kind, "nstdb", settings.data_dir) for kind in ("bw", "em", "ma"))
    parts = []
    for name in settings.models:
        for lookahead in settings.lookaheads_ms:
            for kind in KINDS if settings.windows else ():
                key = {
                    "track": "rates",
                    "system": name,
                    "weights": fingerprint(name),
                    "limits": limits_of(load_card(name)).contradiction,
                    "lookahead_ms": lookahead,
                    "kind": kind,
                    "settings": [settings.hop_ms, settings.leads, settings.backend],
                    "data": data,
                }
                arguments = (settings, name, lookahead, kind)
                parts.append(Part(f"{kind}: {name} at {lookahead:g} ms", key, rates_part, arguments))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def evaluate_patients(settings: RateSettings, out: Path, progress: Progress) -> list[Result]:
    """A row per system, look-ahead and noise, kept in ``out/parts``: see `patients_part`."""
    records = [find_record(record, "mitdb", settings.data_dir) for record in TEST_RECORDS]
    data = data_sha256([*records, find_record("em", "nstdb", settings.data_dir)])
    parts = []
    for name in settings.models:
        for lookahead in settings.lookaheads_ms:
            for noise in NOISES:
                key = {
                    "track": "patient rates",
                    "system": name,
                    "weights": fingerprint(name),
                    "limits": limits_of(load_card(name)).contradiction,
                    "lookahead_ms": lookahead,
                    "noise": noise,
                    "settings": [settings.hop_ms, settings.backend],
                    "data": data,
                }
                config = EngineConfig.of(load_card(name).spec, lookahead, settings.hop_ms)
                arguments = (name, config, settings.backend, noise, TEST_RECORDS, settings.data_dir)
                parts.append(Part(f"{noise}: {name} at {lookahead:g} ms", key, patients_part, arguments))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def rates_part(settings: RateSettings, name: str, lookahead_ms: float, kind: str) -> Result:
    """One system on one kind of signal, as the engine releases it, with the guard."""
    card = load_card(name)
    config = EngineConfig.of(card.spec, lookahead_ms, settings.hop_ms)
    raw = no_heart(kind, settings.leads, round(LEAD_S * FS), settings.data_dir)
    backend = open_backend(settings.backend, card)
    pieces, marks, spreads = [], [], []
    for message in clean(play({kind: raw}), config, backend, limits=limits_of(card)):
        if isinstance(message, Gap):
            raise RuntimeError(f"{kind}: a signal without gaps came out with one")
        pieces.append(message.cleaned.copy())
        marks.append(message.marks)
        spreads.append(message.spread)
    backend.close()
    cleaned, doubted = np.concatenate(pieces, axis=1), np.concatenate(marks, axis=1) == Mark.BYPASSED
    unsure = np.array(
        [unsure_of(*each, FS) for each in zip(cleaned, np.concatenate(spreads, axis=1), strict=True)]
    )
    shown = {
        "raw": shown_rates(raw, np.zeros_like(doubted)),
        "cleaned": shown_rates(cleaned, doubted, raw, unsure),
    }
    row: Result = {
        "system": name,
        "lookahead_ms": lookahead_ms,
        "kind": kind,
        "windows": settings.leads * PER_LEAD,
    }
    row |= {trace: len(rates) for trace, rates in shown.items()}
    return row | {f"{trace}_bpm": rates for trace, rates in shown.items()}


def shown_rates(
    leads: Samples,
    doubted: NDArray[np.bool_],
    raw: Samples | None = None,
    unsure: NDArray[np.bool_] | None = None,
) -> list[float]:
    """The heart rates that a screen would show in the windows of some leads, (leads, samples) mV.

    None where a sample of the window's last `DOUBTED_S` is doubted.

    Parameters
    ----------
    raw
        Given for cleaned leads: what they were made of.
    unsure
        Where a wave of cleaned is smaller than the network's uncertainty; None for nowhere.
    """
    length, recent, found = round(LISTENED_S * FS), round(DOUBTED_S * FS), []
    for number, (lead, doubts) in enumerate(zip(leads, doubted, strict=True)):
        for stop in (round(EVERY_S * FS * count) for count in range(1, PER_LEAD + 1)):
            seen = slice(max(0, stop - length), stop)
            beats = find_qrs(lead[seen], FS, None if raw is None else raw[number, seen])
            rate = heart_rate(beats, lead[seen], FS)
            if rate is not None and raw is not None:
                small = None if unsure is None else unsure_beats(beats, unsure[number, seen], FS)
                rate = confirmed_rate(_rate(raw[number, seen]), beats, lead[seen], FS, small)
            if rate is not None and not doubts[stop - recent : stop].any():
                found.append(round(rate, 1))
    return found


def _rate(window: Samples) -> float | None:
    return heart_rate(find_qrs(window, FS), window, FS)


def write_rates(
    rows: Sequence[Result], patients: Sequence[Result], settings: RateSettings, folder: Path
) -> None:
    """Write ``rates.json`` and, made from it alone, ``report.md``."""
    report = {
        "track": "rates",
        "manifest": {
            "hop_ms": settings.hop_ms,
            "weights_sha256": {name: fingerprint(name) for name in settings.models},
            "code_sha256": code_sha256(),
            "version": version("ecg-stream"),
        },
        "rows": list(rows),
        "patients": list(patients),
    }
    write_results(folder / "rates.json", report)
    (folder / "report.md").write_text(rates_markdown(rows, patients), encoding="utf-8")


def rates_markdown(rows: Sequence[dict[str, Any]], patients: Sequence[dict[str, Any]] = ()) -> str:
    """A table for each system and look-ahead: windows, and in how many a heart rate is shown; of patients."""
    if not rows:
        return patients_markdown(patients)
    lines = [
        "# Heart rates where no heart beats",
        "",
        f"Windows of {LISTENED_S:g} s (shorter at the beginning), one every {EVERY_S:g} s, in which nothing "
        "is a heart beat; how many show a heart rate, by the functions of the screen. Cleaned is what the "
        "engine releases, with the guard: while that passes raw, cleaned has no rate of its own.",
        "",
    ]
    for system, lookahead in dict.fromkeys((row["system"], row["lookahead_ms"]) for row in rows):
        mine = [row for row in rows if (row["system"], row["lookahead_ms"]) == (system, lookahead)]
        sums = {name: sum(row[name] for row in mine) for name in ("windows", "raw", "cleaned")}
        lines += [f"## {system}, look-ahead {lookahead:g} ms", "", "| signal | windows | raw | cleaned |"]
        lines += ["|---|---|---|---|"]
        for row in [*mine, {"kind": "**all**"} | sums]:
            lines.append(f"| {row['kind']} | {row['windows']} | {row['raw']} | {row['cleaned']} |")
        lines.append("")
    return "\n".join([*lines, patients_markdown(patients)] if patients else lines)
