"""Filters that need no training: the rows that every network must beat."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

BAND_HZ = (0.5, 40.0)
"""A bedside monitor's usual band."""


def identity(noisy: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
    """Do nothing: the input, (leads, samples) in mV."""
    return noisy


def butterworth_causal(noisy: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
    """Second-order Butterworth band-pass 0.5–40 Hz as monitors run it, (leads, samples) in mV.

    It waits for nothing, but bends the phase below a few hertz, and with it the ST segment.
    """
    sos = signal.butter(2, BAND_HZ, "bandpass", fs=fs, output="sos")
    # Begin as if the first value had always been there.
    state = signal.sosfilt_zi(sos)[:, None, :] * noisy[None, :, :1]
    filtered: NDArray[np.float64] = signal.sosfilt(sos, noisy, axis=-1, zi=state)[0]
    return filtered.astype(np.float32)


def butterworth_zero_phase(noisy: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
    """The same band run forwards and backwards over the whole record: offline only."""
    sos = signal.butter(2, BAND_HZ, "bandpass", fs=fs, output="sos")
    filtered: NDArray[np.float64] = signal.sosfiltfilt(sos, noisy, axis=-1)
    return filtered.astype(np.float32)


CLASSICAL = {
    "identity": identity,
    "butterworth causal": butterworth_causal,
    "butterworth zero-phase (offline)": butterworth_zero_phase,
}
"""Filters by the name that tables give them."""
