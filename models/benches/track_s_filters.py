"""Untrained systems of Track S: the identity, and the FFT and DWT of the seed table."""

import numpy as np

from models.benches.track_s import Windows

# Thresholds of the projects that published these rows.
FFT_SHARE = 0.0012
DWT_SHARE = 0.074
WAVELET = "db8"


def identity(noisy: Windows) -> Windows:
    """The input."""
    return noisy


def fft(noisy: Windows) -> Windows:
    """Drop the bins below a share of the window's largest, each lead by itself."""
    spectrum = np.fft.rfft(noisy, axis=-1)
    size = np.abs(spectrum)
    spectrum[size < FFT_SHARE * size.max(axis=-1, keepdims=True)] = 0
    output: Windows = np.fft.irfft(spectrum, noisy.shape[-1], axis=-1).astype(np.float32)
    return output


def dwt(noisy: Windows) -> Windows:
    """Shrink each level's details by a share of its largest; the approximation stays."""
    import pywt

    coarse, *details = pywt.wavedec(
        noisy, WAVELET, level=pywt.dwt_max_level(noisy.shape[-1], WAVELET), axis=-1
    )
    shrunk = [_shrink(detail) for detail in details]
    output: Windows = pywt.waverec([coarse, *shrunk], WAVELET, axis=-1).astype(np.float32)
    return output[..., : noisy.shape[-1]]


def _shrink(detail: Windows) -> Windows:
    # The largest signed value, not the largest magnitude, as published.
    threshold = DWT_SHARE * detail.max(axis=-1, keepdims=True)
    shrunk: Windows = np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0)
    return shrunk


FILTERS = {"identity": identity, "fft": fft, "dwt": dwt}
