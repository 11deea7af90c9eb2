"""Filters that need no training; each cleans windows (rows, leads, samples) in mV, at 360 Hz."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.spec import Windows

FS = 360.0
BAND_HZ = (0.5, 40.0)
"""A bedside monitor's usual band."""
ST_VIEW_HZ = 0.05
"""High-pass behind which ST is measured: so slow that it leaves the ST segment where it is."""

FFT_SHARE = 0.0012
"""Of a window's largest bin: the threshold behind the FFT row of the seed table."""

# The best by `tune_wavelet` (models.tune_filters) on the validation part of Track F, 20 Nov 2026: electrode
# motion, muscle, wander and their sum at 0 and 6 dB. Removing the wander makes nearly all of the gain: the
# best ten settings lie within 0.1 dB.
WAVELET = "db8"
LEVELS = 8
"""The approximation, below fs / 2^9 = 0.7 Hz, is taken for wander and removed."""
THRESHOLD = 0.5
"""Times the noise of a level, which is its median magnitude / 0.6745 …"""
SPARED_LEVEL = 3
"""… on the levels from the finest down to this one (22–45 Hz): below it lies the ECG."""


def identity(windows: Windows) -> Windows:
    """Do nothing: the row that every system must beat."""
    return windows.copy()


def _band() -> NDArray[np.float64]:
    from scipy import signal

    sos: NDArray[np.float64] = signal.butter(2, BAND_HZ, "bandpass", fs=FS, output="sos")
    return sos


def butterworth(windows: Windows) -> Windows:
    """Second-order Butterworth band-pass 0.5–40 Hz as monitors run it.

    It needs no look-ahead, but distorts the phase below a few hertz, and with it the ST segment. Each
    window begins in the steady state of its first value.
    """
    from scipy import signal

    sos = _band()
    start = signal.sosfilt_zi(sos)[:, None, None, :] * windows[None, :, :, :1]
    filtered: Windows = signal.sosfilt(sos, windows, axis=-1, zi=start)[0].astype(np.float32)
    return filtered


def st_view(lead: Windows) -> Windows:
    """First-order causal high-pass of `ST_VIEW_HZ` over whole leads, (…, samples) mV; it begins at zero.

    No low-pass: its delay would move the ST segment into the QRS complex.
    """
    from scipy import signal

    sos = signal.butter(1, ST_VIEW_HZ, "highpass", fs=FS, output="sos")
    filtered: Windows = signal.sosfilt(sos, lead - lead[..., :1], axis=-1).astype(np.float32)
    return filtered


def butterworth_zero_phase(windows: Windows) -> Windows:
    """The same band forwards and backwards: without phase distortion, and with a need for look-ahead.

    Behind the newest sample, half of the window is mirrored.
    """
    from scipy import signal

    centred = windows - windows.mean(axis=-1, keepdims=True)
    padding = windows.shape[-1] // 2
    filtered: Windows = signal.sosfiltfilt(_band(), centred, axis=-1, padlen=padding).astype(np.float32)
    return filtered


def fft_threshold(windows: Windows, share: float = FFT_SHARE) -> Windows:
    """Drop the frequencies below a share of the window's largest, each lead by itself."""
    spectrum = np.fft.rfft(windows, axis=-1)
    size = np.abs(spectrum)
    spectrum[size < share * size.max(axis=-1, keepdims=True)] = 0
    cleaned: Windows = np.fft.irfft(spectrum, windows.shape[-1], axis=-1).astype(np.float32)
    return cleaned


def wavelet_threshold(
    windows: Windows,
    wavelet: str = WAVELET,
    levels: int = LEVELS,
    factor: float = THRESHOLD,
    spared: int = SPARED_LEVEL,
) -> Windows:
    """Shrink the fine details of a wavelet transform, and remove its approximation as wander.

    Soft thresholds by level as in Donoho & Johnstone, Biometrika 81(3), 1994, from the median
    magnitude of that level.
    """
    import pywt

    # Level by level, because `pywt.wavedec` warns when the last level is dominated by edge effects.
    wander, details = windows, []
    for _ in range(levels):
        wander, detail = pywt.dwt(wander, wavelet, mode="symmetric", axis=-1)
        details.append(detail)
    cleaned = 0 * wander
    for level, detail in reversed(list(enumerate(details, 1))):
        if level <= spared:
            noise = np.median(np.abs(detail), axis=-1, keepdims=True) / 0.6745
            detail = np.sign(detail) * np.maximum(np.abs(detail) - factor * noise, 0)
        cleaned = pywt.idwt(cleaned[..., : detail.shape[-1]], detail, wavelet, mode="symmetric", axis=-1)
    return np.ascontiguousarray(cleaned[..., : windows.shape[-1]], np.float32)


# Power per hertz in dB of the largest, round these frequencies: mean over the training
# part of Track F (reference ECG of both leads; bw + em + ma), by `measure_spectra` (models.tune_filters).
SPECTRUM_HZ = (
    0.0, 0.35, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 64.0, 90.0, 180.0,
)  # fmt: skip
ECG_DB = (
    -25.2, -9.9, -4.3, -0.8, 0.0, -1.7, -1.3, -3.9, -4.1,
    -5.8, -7.6, -9.7, -13.3, -18.4, -25.9, -25.4, -38.8, -39.9,
)  # fmt: skip
NOISE_DB = (
    0.0, -2.3, -14.7, -12.4, -22.7, -17.1, -21.6, -27.8, -26.6,
    -29.2, -30.4, -30.9, -30.5, -30.5, -34.2, -43.8, -52.5, -54.0,
)  # fmt: skip
OFFSET_MV = 5.0
"""Standard deviation of electrode offsets, which the spectra of the noise records do not hold."""


def lmmse(windows: Windows) -> Windows:
    """Linear minimum mean-square error smoother for an average ECG in average noise of equal power.

    The best that a fixed linear filter can do within its window (Wiener, 1949), for each place of
    the window by itself: at the newest sample it is causal, a look-ahead before it a smoother of
    that fixed lag.
    """
    cleaned: Windows = windows @ _wiener(windows.shape[-1]).T
    return cleaned


@lru_cache
def _wiener(window: int) -> NDArray[np.float32]:
    """Weights of a window's samples, a row for each of its outputs, shape (window, window)."""
    from scipy.linalg import solve, toeplitz

    ecg = toeplitz(_autocovariance(ECG_DB, window))
    noise = toeplitz(_autocovariance(NOISE_DB, window)) + OFFSET_MV**2
    weights: NDArray[np.float32] = solve(ecg + noise, ecg, assume_a="pos").T.astype(np.float32)
    return weights


def _autocovariance(decibel: tuple[float, ...], lags: int) -> NDArray[np.float64]:
    """Unit-power autocovariance of a spectrum between its points (straight lines in dB)."""
    size = 8192
    hz = np.fft.rfftfreq(size, 1 / FS)
    # Spectra bend on a logarithmic axis.
    power = 10 ** (np.interp(np.log1p(hz), np.log1p(SPECTRUM_HZ), decibel) / 10)
    covariance: NDArray[np.float64] = np.fft.irfft(power, size)[:lags]
    correlation: NDArray[np.float64] = covariance / covariance[0]
    return correlation
