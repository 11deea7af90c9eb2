"""Detectors of beats by name: ours, and those of well-kept packages that it is measured beside."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.lab.xqrs import find_beats_xqrs
from models.beat_matching import Beats
from streamer.beats import find_beats
from streamer.chunk import Samples
from streamer.console.installed import how_to_install
from streamer.errors import InputError

Detector = Callable[[Samples, float], Beats]
"""Sample index of each beat of a whole lead, (samples,) mV, at a rate in Hz."""
OURS = "ecg-stream"


def find_detector(name: str) -> Detector:
    """One of `DETECTORS`.

    Raises
    ------
    InputError
        If there is none of this name, or its package is not installed.
    """
    if name not in DETECTORS:
        raise InputError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")
    detector, package = DETECTORS[name]
    try:
        __import__(package)
    except ModuleNotFoundError:
        raise InputError(
            f"detector {name} needs the package {package}: {how_to_install('detectors')}"
        ) from None
    return detector


def _sleepecg(lead: Samples, fs: float) -> Beats:
    from sleepecg.heartbeats import detect_heartbeats

    return np.asarray(detect_heartbeats(lead.astype(np.float64), fs), np.int64)


def _of_neurokit(method: str) -> Detector:
    def detect(lead: Samples, fs: float) -> Beats:
        import neurokit2

        cleaned: NDArray[np.float64] = neurokit2.ecg_clean(
            lead.astype(np.float64), sampling_rate=int(fs), method=method
        )
        peaks = neurokit2.ecg_peaks(cleaned, sampling_rate=int(fs), method=method)[1]
        return np.asarray(peaks["ECG_R_Peaks"], np.int64)

    return detect


DETECTORS: dict[str, tuple[Detector, str]] = {
    OURS: (find_beats, "numpy"),
    "sleepecg": (_sleepecg, "sleepecg"),
    "neurokit": (_of_neurokit("neurokit"), "neurokit2"),
    # Up to 95 ms late (findings/neurokit-r-peaks-are-not-at-the-r-peak.sh), which counts against it.
    "pantompkins1985": (_of_neurokit("pantompkins1985"), "neurokit2"),
    "xqrs": (find_beats_xqrs, "wfdb"),
}
"""By name: the detector, and the package that it needs."""
