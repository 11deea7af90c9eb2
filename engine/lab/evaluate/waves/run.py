"""Waves of cleaned leads, measured: every system streamed under every condition, in parts that are kept."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.lab.evaluate.frontier import UNAIDED
from engine.lab.evaluate.waves.delineators import DELINEATORS, find_delineator
from engine.lab.evaluate.waves.marks import Bounds, OutlinedLead, outlined_leads, usual_records
from engine.lab.evaluate.waves.measures import Values, Wave, heights, intervals, wave_fits
from engine.lab.evaluate.waves.st_steps import AFTER_S, STEPS, kept, moved_by, st_change
from engine.lab.parts import Part, Progress, Result, data_sha256, fingerprint, run_parts
from engine.lab.replay import stream_with_spread
from engine.st_view import st_view_of
from models.benches.track_f import FS
from models.filters import st_view
from models.registry import NETWORKS, load_card
from streamer.chunk import Samples
from streamer.noise import NoiseMixer, NoiseSettings, parse_noise, power_ac
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape

REFERENCE = "clean reference"
"""The row of the leads without noise and drift: what a delineator itself gets wrong."""
ST_VIEW = "ST view 0.05 Hz"
_ROUND_S = 3.0
"""Seconds of a lead around the beats that are measured, which a delineator gets."""


@dataclass(frozen=True)
class Condition:
    """Noise and its SNR in dB; none is the lead as recorded, with its own drift."""

    noise: str = "none"
    snr: float | None = None

    @property
    def label(self) -> str:
        """Name in tables."""
        return "clean" if self.snr is None else f"{self.noise} {self.snr:g} dB"


CONDITIONS = (
    Condition(),
    Condition("bw", 0.0),
    Condition("em", 6.0),
    Condition("ma", 6.0),
    Condition("em", 0.0),
)


ST_NOISES = (Condition("bw", 0.0), Condition("em", 6.0))
"""Slow noise, of which the ST view keeps what is slower than some 7 Hz."""


@dataclass(frozen=True)
class WavesSettings:
    """What to run. Fields carry the names of the command's options.

    Parameters
    ----------
    records
        Of each database; None stands for those whose patients no network saw.
    conditions
        None measures ST changes alone.
    st_noises
        What ST changes are measured in beside the leads as recorded.
    """

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (100.0, 300.0)
    hop_ms: float = 200.0
    databases: tuple[str, ...] = ("qtdb", "ludb")
    records: tuple[str, ...] | None = None
    delineators: tuple[str, ...] = tuple(DELINEATORS)
    conditions: tuple[Condition, ...] = CONDITIONS
    st_noises: tuple[Condition, ...] = ()
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None

    def records_of(self, database: str) -> tuple[str, ...]:
        """Records of a database that are measured."""
        return self.records or usual_records(database)


def evaluate_waves(settings: WavesSettings, out: Path, progress: Progress) -> list[Result]:
    """Measure every system under every condition; returns a result per part, kept in ``out/parts``.

    A result holds ``part`` (``waves`` or ``st``), ``system``, ``lookahead_ms`` and ``rows``: of ``waves``
    a row for each beat and what was measured on it, of ``st`` one for each lead and step.
    """
    for name in settings.delineators:
        find_delineator(name)
    data = waves_data(settings)
    shared = {"hop": settings.hop_ms, "backend": settings.backend, "data": data, "track": "waves"}
    clean = (Condition(),) if settings.conditions else ()
    systems: list[tuple[str, float]] = [(REFERENCE, 0.0)]
    for name in settings.models:
        systems += [(name, ms) for ms in ((0.0,) if name in UNAIDED else settings.lookaheads_ms)]
    parts = []
    for name, ms in systems:
        about = shared | {"system": name, "lookahead_ms": ms}
        about["weights"] = None if name == REFERENCE else fingerprint(name)
        for database in settings.databases:
            of = {"database": database, "records": settings.records_of(database)}
            for condition in settings.conditions if name != REFERENCE else clean:
                key = about | of | {"condition": asdict(condition), "delineators": settings.delineators}
                label = f"{database}, {condition.label}: {name} at {ms:g} ms"
                parts.append(Part(label, key, waves_part, (settings, name, ms, database, condition)))
        for condition in (Condition(), *settings.st_noises) if "qtdb" in settings.databases else ():
            key = about | {"part": "st", "views": name in NETWORKS, "records": settings.records_of("qtdb")}
            key |= {"condition": asdict(condition)}
            label = f"ST, {condition.label}: {name} at {ms:g} ms"
            parts.append(Part(label, key, st_part, (settings, name, ms, condition)))
    return run_parts(parts, out / "parts", settings.jobs, progress)


def waves_data(settings: WavesSettings) -> dict[str, str]:
    """SHA-256 of every file that the records and the noise lie in."""
    paths = [
        find_record(name, database, settings.data_dir)
        for database in settings.databases
        for name in settings.records_of(database)
    ]
    conditions = (*settings.conditions, *settings.st_noises)
    kinds = sorted({kind for each in conditions for kind in parse_noise(each.noise)})
    return data_sha256([*paths, *(find_record(kind, "nstdb", settings.data_dir) for kind in kinds)])


def waves_part(
    settings: WavesSettings, name: str, lookahead_ms: float, database: str, condition: Condition
) -> Result:
    """All leads of a database through one system under one condition, measured beat by beat."""
    leads = outlined_leads(database, settings.records_of(database), settings.data_dir)
    raw = {lead.name: _with_noise(lead, seed, condition, settings) for seed, lead in enumerate(leads)}
    outputs, spreads = _cleaned(settings, name, lookahead_ms, raw, leads)
    rows = []
    for lead in leads:
        values = _measured(lead, outputs[lead.name], spreads.get(lead.name), settings.delineators)
        for beat in range(int(lead.measured.sum())):
            row = {
                key: round(float(each[beat]), 3) for key, each in values.items() if np.isfinite(each[beat])
            }
            rows.append({"lead": lead.name} | row)
    about = {"part": "waves", "system": name, "lookahead_ms": lookahead_ms, "database": database}
    return about | {"condition": condition.label, "rows": rows}


def st_part(settings: WavesSettings, name: str, lookahead_ms: float, condition: Condition) -> Result:
    """ST changes cut into the leads, what is left of each, and how the system moves ST itself."""
    leads = outlined_leads("qtdb", settings.records_of("qtdb"), settings.data_dir)
    added = {(lead.name, course, mv): st_change(lead, course, mv) for lead in leads for course, mv in STEPS}
    raw = {lead.name: _with_noise(lead, seed, condition, settings) for seed, lead in enumerate(leads)}
    raw |= {_key(*key): raw[key[0]] + step for key, step in added.items()}
    rows: list[dict[str, Any]] = []
    outputs, _ = _cleaned(settings, name, lookahead_ms, raw, None)
    traces = {name: outputs}
    if name in NETWORKS:
        traces[f"{name}, ST view"] = {key: st_view_of(lead, outputs[key], FS) for key, lead in raw.items()}
    if name == REFERENCE:
        traces[ST_VIEW] = {key: st_view(lead) for key, lead in raw.items()}
    for system, cleaned in traces.items():
        for lead in leads:
            moved = moved_by(lead, cleaned[lead.name], noisy=condition.snr is not None)
            rows.append({"system": system, "lead": lead.name} | moved)
            for course, mv in STEPS:
                step = added[lead.name, course, mv]
                after = cleaned[_key(lead.name, course, mv)]
                for when in ("sudden", "later") if course == "sudden" else ("slow",):
                    shares = kept(lead, step, cleaned[lead.name], after, AFTER_S[when])
                    rows.append({"system": system, "lead": lead.name, "when": when, "mv": mv, "kept": shares})
    about = {"part": "st", "system": name, "lookahead_ms": lookahead_ms}
    return about | {"condition": condition.label, "rows": rows}


def _key(lead: str, course: str, millivolts: float) -> str:
    return f"{lead} {course} {millivolts:g}"


def _cleaned(
    settings: WavesSettings,
    name: str,
    lookahead_ms: float,
    raw: dict[str, Samples],
    leads: list[OutlinedLead] | None,
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Output of each lead, and the spread of those networks that state one."""
    if name == REFERENCE:
        from streamer.records.record import clean_reference

        # Where steps were added the reference is made anew: it is the filter that is looked at.
        if leads is None:
            return {key: clean_reference(lead[None], FS)[0] for key, lead in raw.items()}, {}
        return {lead.name: lead.reference for lead in leads}, {}
    card = load_card(name)
    config = EngineConfig.of(card.spec, lookahead_ms, settings.hop_ms)
    rows = {key: np.repeat(lead[None], card.spec.leads, axis=0) for key, lead in raw.items()}
    backend = open_backend(settings.backend, card)
    cleaned, spreads = stream_with_spread(rows, config, backend)
    backend.close()
    outputs = {key: lead[0] for key, lead in cleaned.items()}
    return outputs, {key: lead[0] for key, lead in spreads.items()}


def _with_noise(lead: OutlinedLead, seed: int, condition: Condition, settings: WavesSettings) -> Samples:
    if condition.snr is None:
        return lead.original
    noise = NoiseSettings(parse_noise(condition.noise), condition.snr, seed=seed)
    reference = lead.reference[None]
    mixer = NoiseMixer(
        noise,
        power_ac(reference),
        power_ac,
        lambda kind: load_tape(kind, "test", FS, settings.data_dir),
        len(lead.reference),
    )
    noisy: Samples = lead.reference + mixer.read(0, len(lead.reference))[0]
    return noisy


def _measured(
    lead: OutlinedLead, output: Samples, spread: Samples | None, delineators: tuple[str, ...]
) -> dict[str, Values]:
    """By ``what: delineator``, errors against the manual marks; by ``wave what``, what is left of a wave."""
    chosen = lead.measured
    if not chosen.any():
        return {}
    manual = lead.manual[chosen]
    true = intervals(manual) | heights(lead.reference, manual)
    values: dict[str, Values] = {}
    for name in delineators:
        found = _found(name, lead, output)[chosen]
        read = intervals(found) | heights(output, found)
        for what in read:
            # A wave that nobody marked is no miss.
            values[f"{what}: {name}"] = read[what] - true[what]
            values[f"{what} missed: {name}"] = np.where(np.isfinite(true[what]), np.isnan(read[what]), np.nan)
    for wave in get_args(Wave):
        fits = wave_fits(output, lead.reference, spread, manual, wave)
        values |= {f"{wave} {what}": each for what, each in fits.items()}
    direct = heights(output, manual)
    values |= {f"{what} at the marks": direct[what] - true[what] for what in direct}
    return values


def _found(name: str, lead: OutlinedLead, output: Samples) -> Bounds:
    """Waves of all beats; the delineator gets what lies round those that are measured."""
    measured = lead.beats[lead.measured]
    reach = round(_ROUND_S * FS)
    first, stop = max(0, int(measured[0]) - reach), int(measured[-1]) + reach
    inside = (lead.beats >= first) & (lead.beats < min(stop, len(output)))
    bounds = np.full(lead.manual.shape, np.nan)
    bounds[inside] = first + _delineator(name)(output[first:stop], lead.beats[inside] - first)
    return bounds


_delineator = lru_cache(find_delineator)
