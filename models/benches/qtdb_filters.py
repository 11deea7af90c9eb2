"""The two high-pass filters that the literature of the QTDB bench compares with."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import signal

from models.benches.qtdb import FS, Beats

CUTOFF_HZ = 0.67
"""The slowest heart rate that the authors expect, 40 beats per minute."""
_TRANSITION_HZ = 0.07
_RIPPLE_DB = 61 / 4.5


def fir(beats: Beats) -> Beats:
    """Kaiser-windowed high-pass run forwards and backwards; the beat mirrored before it, held behind it."""
    filtered: Beats = beats @ _fir_weights(beats.shape[1]).T
    return filtered


@lru_cache
def _fir_weights(samples: int) -> Beats:
    """Rows weigh a window's samples for each of its outputs: its 2000 taps take minutes beat by beat."""
    taps, beta = signal.kaiserord(_RIPPLE_DB, 2 * _TRANSITION_HZ / FS)
    # A high-pass needs a tap in the middle.
    taps += 1 - taps % 2
    kernel = signal.firwin(taps, CUTOFF_HZ, window=("kaiser", beta), pass_zero=False, fs=FS)
    there_and_back = signal.fftconvolve(kernel, kernel[::-1])[None]
    units = np.eye(samples)
    held = np.repeat(units[:, -1:], 3 * taps, axis=1)
    longer = np.concatenate([units[:, ::-1], units, held], axis=1)
    # What filtfilt adds at either end.
    longer = np.pad(longer, ((0, 0), (taps, taps)), "reflect", reflect_type="odd")
    filtered = signal.oaconvolve(longer, there_and_back, "same", axes=1)
    return np.ascontiguousarray(filtered[:, taps + samples : taps + 2 * samples].T, np.float32)


def iir(beats: Beats) -> Beats:
    """Butterworth high-pass of fourth order forwards and backwards."""
    # scipy's padding for the coefficients that the authors use, which it takes from their number.
    sos = signal.butter(4, CUTOFF_HZ, "highpass", fs=FS, output="sos")
    return np.ascontiguousarray(signal.sosfiltfilt(sos, beats, axis=1, padlen=15), np.float32)


def identity(beats: Beats) -> Beats:
    """Do nothing."""
    return beats


FILTERS: dict[str, Callable[[Beats], Beats]] = {"identity": identity, "fir": fir, "iir": iir}
"""By the name of their row in the tables."""
