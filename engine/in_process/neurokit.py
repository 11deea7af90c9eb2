"""`ecg_clean`: the signature of NeuroKit2, so that a pipeline built on it needs one other import."""

from typing import Any

from numpy.typing import ArrayLike, NDArray

from engine.in_process.clean import clean
from engine.in_process.denoiser import real_numbers
from models.registry import DEFAULT_NETWORK


def ecg_clean(
    ecg_signal: ArrayLike,
    sampling_rate: float = 1000,
    method: str = DEFAULT_NETWORK,
    *,
    unit: str = "mV",
    lookahead_ms: float | None = None,
    causal: bool = False,
) -> NDArray[Any]:
    """Clean one lead, called as ``neurokit2.ecg_clean`` is.

    Parameters
    ----------
    ecg_signal
        (samples,), in `unit`.
    sampling_rate
        Hz.
    method
        Network or classical system, by name (``ecg-stream models``); the methods of NeuroKit2 are not here.
    unit, lookahead_ms, causal
        As `engine.in_process.clean.clean` takes them.

    Returns
    -------
    numpy.ndarray
        The cleaned signal, (samples,).

    Raises
    ------
    InputError
        As `clean`.
    """
    signal = real_numbers(ecg_signal)
    return clean(
        signal, sampling_rate, axis=0, unit=unit, model=method, lookahead_ms=lookahead_ms, causal=causal
    )
