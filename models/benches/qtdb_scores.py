"""The four figures of the QTDB bench, as the literature defines them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.benches.qtdb import Beats

METRICS = ("ssd", "mad", "prd", "cosine")
"""Sum of squared differences (mV²), largest difference (mV), percentage RMS difference, cosine similarity."""


def beat_figures(reference: Beats, output: Beats) -> dict[str, NDArray[np.float64]]:
    """`METRICS` of every beat, each (beats,).

    PRD is defined as in that literature: its denominator is the output's power about the mean of all
    reference beats, where elsewhere it is the power of the reference. The cosine of a flat output is 0.
    """
    x, y = reference.astype(np.float64), output.astype(np.float64)
    ssd = np.square(x - y).sum(axis=1)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return {
        "ssd": ssd,
        "mad": np.abs(x - y).max(axis=1),
        "prd": 100 * np.sqrt(ssd / np.square(y - x.mean()).sum(axis=1)),
        "cosine": np.divide((x * y).sum(axis=1), lengths, out=np.zeros(len(x)), where=lengths > 0),
    }


def score_records(reference: Beats, output: Beats, owners: Sequence[str]) -> list[dict[str, Any]]:
    """Mean of each figure over the beats of each record; `owners` names every beat's."""
    figures = beat_figures(reference, output)
    owned = np.array(owners)
    return [
        {
            "record": record,
            "beats": int((owned == record).sum()),
            **{name: round(float(values[owned == record].mean()), 5) for name, values in figures.items()},
        }
        for record in dict.fromkeys(owners)
    ]
