"""The QTDB bench's beats, cut out as published, through networks with the weights that are shipped."""

from pathlib import Path

import numpy as np

from engine.backends import open_backend
from engine.backends.base import keeps_state
from engine.lab.parts import Result
from models.benches.qtdb import WINDOW, NoiseVersion, load_test
from models.benches.qtdb_scores import score_records
from models.registry import load_card

_ROWS = 128
"""Windows that a backend gets at once."""


def beats_part(name: str, version: NoiseVersion, runtime: str, data_dir: Path | None) -> Result:
    """One network of one lead on every test beat; a longer window is filled up with the beat's end values."""
    (noisy, reference), owners = load_test(version, data_dir)
    card = load_card(name)
    before = (card.spec.window - WINDOW) // 2
    around = ((0, 0), (0, 0), (before, card.spec.window - WINDOW - before))
    backend = open_backend(runtime, card)
    if keeps_state(backend):
        raise TypeError(f"{name} keeps state and answers no beats that were cut out")
    outputs = [
        # Copy: a backend may return the same memory again.
        backend.infer(np.pad(noisy[first : first + _ROWS, None], around, "edge"))[:, 0].copy()
        for first in range(0, len(noisy), _ROWS)
    ]
    backend.close()
    cleaned = np.concatenate(outputs)[:, before : before + WINDOW]
    return {
        "part": "beats",
        "system": name,
        "weights": "Track F",
        "noise_version": version,
        "records": score_records(reference, cleaned, owners),
    }
