"""Do no harm: clean twelve-lead ECG of hospitals that nobody trained on, as it comes, without added noise.

Most of what a bed sends is clean, and there cleaning can only take away. The input's own drift and
noise are the noise: reference is the zero-phase 0.5 Hz high-pass, as everywhere.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends import open_backend
from engine.config import EngineConfig
from engine.lab.parts import Part, Progress, Result, fingerprint, run_parts
from engine.lab.replay import stream
from models.benches.track_f import FS
from models.metrics import snr_db
from models.registry import load_card, sha256
from models.training.patients import CLOSED_FOLDERS, TARGET_FOLDERS, load_unheard, patients_folder
from streamer.errors import InputError
from streamer.records.record import clean_reference

SETTLED_S = 4.0
"""Seconds at the begin of a record that are not scored: it is ten seconds long."""
HARM_DB = 0.5
"""A lead that leaves so much worse than it came counts as harmed."""


@dataclass(frozen=True)
class HospitalSettings:
    """What to run. Fields carry the names of the command's options.

    Parameters
    ----------
    patients
        Folder of patients [default: the one that ``ECG_STREAM_PATIENTS`` names].
    """

    models: tuple[str, ...]
    lookaheads_ms: tuple[float, ...] = (100.0,)
    hop_ms: float = 200.0
    backend: str = "auto"
    jobs: int = 1
    data_dir: Path | None = None
    patients: Path | None = None


@dataclass(frozen=True)
class Kept:
    """What one system leaves of one lead; SNR in dB, mean removed.

    Parameters
    ----------
    unseen
        The hospital is one that no training opens; otherwise the patient alone is unseen.
    """

    system: str
    delay_ms: float
    hospital: str
    unseen: bool
    record: str
    lead: str
    snr_in_db: float
    snr_out_db: float


def evaluate_hospitals(settings: HospitalSettings, out: Path, progress: Progress) -> list[dict[str, Any]]:
    """Stream every lead graded clean; returns the fields of `Kept` for each.

    Raises
    ------
    InputError
        If there is no folder of patients.
    """
    folder = patients_folder(settings.patients)
    if folder is None:
        raise InputError("no folder of patients; name one with --patients or ECG_STREAM_PATIENTS")
    parts = []
    for hospital in (*CLOSED_FOLDERS, *TARGET_FOLDERS):
        grades = folder / hospital / "quality.csv"
        if not grades.is_file():
            raise InputError(f"patients folder {folder} lacks {hospital}/quality.csv")
        for name in settings.models:
            for lookahead in settings.lookaheads_ms:
                key = {
                    "track": "hospitals",
                    "hospital": hospital,
                    "grades": sha256(grades),
                    "system": name,
                    "weights": fingerprint(name),
                    "lookahead_ms": lookahead,
                    "settings": [settings.hop_ms, settings.backend],
                }
                label = f"{hospital}: {name} at {lookahead:g} ms"
                parts.append(
                    Part(label, key, hospital_part, (settings, str(folder), hospital, name, lookahead))
                )
    results = run_parts(parts, out / "parts", settings.jobs, progress)
    return [row for result in results for row in result["rows"]]


def hospital_part(
    settings: HospitalSettings, folder: str, hospital: str, name: str, lookahead_ms: float
) -> Result:
    """One system on all leads of one hospital."""
    card = load_card(name)
    config = EngineConfig.of(card.spec, lookahead_ms, settings.hop_ms)
    leads = {
        f"{record} {lead}": data[row : row + 1]
        for record, names, data in load_unheard(Path(folder), hospital, FS)
        for row, lead in enumerate(names)
    }
    if not leads:
        return {"rows": []}
    cleaned = stream(leads, config, open_backend(settings.backend, card))
    scored = slice(round(SETTLED_S * FS), None)
    rows = []
    for key, raw in leads.items():
        reference = clean_reference(raw, FS)[0, scored]
        record, lead = key.split(" ", 1)
        kept = Kept(
            name,
            1000 * config.delay_s,
            hospital,
            hospital in CLOSED_FOLDERS,
            record,
            lead,
            snr_db(reference, raw[0, scored]),
            snr_db(reference, cleaned[key][0, scored]),
        )
        rows.append(asdict(kept))
    return {"rows": rows}


def hospitals_markdown(rows: list[dict[str, Any]]) -> str:
    """A line for each system and hospital."""
    lines = [
        "# Do no harm: clean ECG of hospitals, no noise added",
        "",
        f"Leads graded clean, ten seconds each, the first {SETTLED_S:g} s not scored; SNR in dB against the "
        "zero-phase 0.5 Hz reference, mean over leads. A hospital in bold is one that nobody trained on; of "
        f"the others the patients alone are unseen. Harmed: more than {HARM_DB:g} dB worse than it came.",
        "",
        "| system | delay | hospital | leads | in | out | out − in: mean, worst | harmed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, float, str, bool], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["system"], row["delay_ms"], row["hospital"], row["unseen"]), []).append(row)
    for (system, delay_ms, hospital, unseen), found in groups.items():
        came = np.array([row["snr_in_db"] for row in found])
        left = np.array([row["snr_out_db"] for row in found])
        gain = left - came
        cells = [
            system,
            f"{delay_ms:.0f} ms",
            f"**{hospital}**" if unseen else hospital,
            f"{len(found)}",
            f"{came.mean():.1f}",
            f"{left.mean():.1f}",
            f"{gain.mean():+.1f}, {gain.min():+.1f}",
            f"{np.mean(gain < -HARM_DB):.0%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
