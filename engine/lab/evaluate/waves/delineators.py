"""Delineators that are not ours: they are told where the beats are, and say where the waves are."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.lab.evaluate.waves.marks import POINTS, Bounds, R
from models.benches.track_f import FS
from streamer.chunk import Samples
from streamer.console.installed import how_to_install
from streamer.errors import InputError

Delineator = Callable[[Samples, NDArray[np.int64]], Bounds]
"""Waves of each beat of a lead: (samples,) mV at `FS` and the samples of the beats."""
_NAMES = dict(
    zip(
        POINTS,
        (
            "ECG_P_Onsets",
            "ECG_P_Peaks",
            "ECG_P_Offsets",
            "ECG_R_Onsets",
            "",
            "ECG_R_Offsets",
            "ECG_T_Onsets",
            "ECG_T_Peaks",
            "ECG_T_Offsets",
        ),
        strict=True,
    )
)
_BEGIN_S = 1.0
"""A delineator is told of no beat before this: its P wave may lie before the lead."""


def find_delineator(name: str) -> Delineator:
    """One of `DELINEATORS`.

    Raises
    ------
    InputError
        If there is none of this name, or its package is not installed.
    """
    if name not in DELINEATORS:
        raise InputError(f"no delineator {name!r}; there are {', '.join(DELINEATORS)}")
    try:
        import neurokit2  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            f"delineator {name} needs the package neurokit2: {how_to_install('detectors')}"
        ) from None
    return DELINEATORS[name]


def _of_neurokit(method: str) -> Delineator:
    def delineate(lead: Samples, beats: NDArray[np.int64]) -> Bounds:
        import neurokit2

        bounds = np.full((len(beats), len(POINTS)), np.nan)
        bounds[:, R] = beats
        # NeuroKit2 0.3.0 leaves out what it finds before the lead begins, and so shifts all that follows.
        told = beats >= _BEGIN_S * FS
        if told.sum() < 3:
            return bounds
        with warnings.catch_warnings():
            # Of means of nothing, where a wave is not found: that is what NaN says.
            warnings.simplefilter("ignore")
            found = neurokit2.ecg_delineate(lead.astype(np.float64), beats[told], int(FS), method=method)[1]
        for column, name in enumerate(_NAMES.values()):
            if name:
                bounds[told, column] = found[name]
        return bounds

    return delineate


DELINEATORS = {"dwt": _of_neurokit("dwt"), "prominence": _of_neurokit("prominence")}
"""Two of NeuroKit2 that share no step: wavelets (Martínez et al., IEEE TBME 51(4), 2004), which most studies
use, and prominence of peaks within physiological limits (Emrich et al., EUSIPCO 2024)."""
