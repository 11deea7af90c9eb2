"""What was published of Track S, and what we reached on it, as the package ships it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("track_s_figures.json")
"""A row for each system, mixing and SNR that was run."""
SNRS = (-4.0, -2.0, 0.0, 2.0, 4.0)

# SNR out in dB at −4, −2, 0, 2, 4 dB of emb. CIADNet's project (DANCE at a39f1e9) prints the `new`
# rows, one run each; AGS-UNet's project the `old` ones. Both print the same FFT and DWT rows, of the
# `old` mixing.
PUBLISHED = {
    ("unet-seed", "new"): (6.97, 7.78, 8.66, 9.66, 10.60),
    ("dacnn", "new"): (8.05, 8.81, 9.45, 10.73, 11.44),
    ("acdae", "new"): (8.17, 8.91, 9.56, 10.68, 11.21),
    ("ciadnet", "new"): (7.95, 8.76, 9.56, 10.32, 11.20),
    ("ciadnet-channel", "new"): (7.82, 8.55, 9.38, 10.15, 11.04),
    ("ciadnet-spatial", "new"): (7.11, 8.00, 8.84, 9.81, 10.75),
    ("ags-unet", "old"): (8.84, 9.61, 10.44, 11.34, 12.14),
    ("fft", "old"): (1.50, 3.49, 5.47, 7.47, 9.47),
    ("dwt", "old"): (1.72, 3.67, 5.62, 7.58, 9.56),
}


def ship(rows: Iterable[dict[str, Any]]) -> None:
    """Make `FIGURES` anew from rows of `models.benches.track_s_results`, those of ``emb``."""
    kept = ("system", "mixing", "snr_db", "snr_in_db", "snr_out_db", "epochs")
    ours = [{name: row.get(name) for name in kept} for row in rows if row["noise"] == "emb"]
    lines = ",\n ".join(json.dumps(row) for row in ours)
    FIGURES.write_text(f"[{lines}]\n", encoding="utf-8")


def figures_of(system: str) -> list[dict[str, Any]]:
    """Figures of a system under ``emb``, a row for each mixing and SNR that was published or run.

    Returns
    -------
    list of dict
        ``mixing``, ``snr_db``, and in dB what came out: ``published_db``, and ``snr_out_db`` of ours
        after so many ``epochs``; each None where there is none.
    """
    found: dict[tuple[str, float], dict[str, Any]] = {}
    for (name, mixing), levels in PUBLISHED.items():
        for level, claim in zip(SNRS, levels, strict=True):
            if name == system:
                found[mixing, level] = _figure(mixing, level) | {"published_db": claim}
    for row in json.loads(FIGURES.read_text(encoding="utf-8")):
        if row["system"] == system:
            where = row["mixing"], row["snr_db"]
            reached = {"snr_out_db": round(row["snr_out_db"], 2), "epochs": row["epochs"]}
            found[where] = found.get(where, _figure(*where)) | reached
    return list(found.values())


def _figure(mixing: str, snr_db: float) -> dict[str, Any]:
    return {
        "mixing": mixing,
        "snr_db": snr_db,
        "published_db": None,
        "snr_out_db": None,
        "epochs": None,
    }
