"""The classical systems by name; they are streamed as the networks are."""

from models import filters
from models.filters import FS
from models.spec import ClassicalSpec

_SIX_SECONDS = 2160

CLASSICAL = {
    spec.name: spec
    for spec in (
        ClassicalSpec(
            name="identity",
            title="nothing done",
            paper="the row that every system must beat",
            fs=FS,
            window=360,
            normalisation="none",
            filter=filters.identity,
        ),
        ClassicalSpec(
            name="butterworth",
            title="causal band-pass 0.5–40 Hz, second order",
            paper="Butterworth, Exp. Wireless 7, 1930; the band of a monitor",
            fs=FS,
            window=_SIX_SECONDS,
            normalisation="none",
            filter=filters.butterworth,
            deviations="begins anew in each window of 6 s, in which its start is forgotten to 10 µV",
        ),
        ClassicalSpec(
            name="butterworth-zero-phase",
            title="the same band forwards and backwards",
            paper="Gustafsson, IEEE Trans. Signal Process. 44(4), 1996",
            fs=FS,
            window=_SIX_SECONDS,
            normalisation="none",
            filter=filters.butterworth_zero_phase,
            deviations="sees the future no further than its look-ahead; beyond it the edge is mirrored",
        ),
        ClassicalSpec(
            name="fft",
            title="frequencies below a share of the largest dropped",
            paper="the FFT row of the AGS-UNet and CIADNet studies (github.com/mallocobject)",
            fs=FS,
            window=256,
            normalisation="relative to each window's largest bin",
            filter=filters.fft_threshold,
        ),
        ClassicalSpec(
            name="dwt",
            title="wavelet shrinkage, wander removed",
            paper="Donoho & Johnstone, Biometrika 81(3), 1994, doi 10.1093/biomet/81.3.425",
            fs=FS,
            window=_SIX_SECONDS,
            normalisation="thresholds from each level of each window",
            filter=filters.wavelet_threshold,
        ),
        ClassicalSpec(
            name="lmmse",
            title="fixed-lag linear least-squares smoother",
            paper="Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series, 1949",
            fs=FS,
            window=1080,
            normalisation="none",
            filter=filters.lmmse,
        ),
    )
}
"""By name. They have no weights; `auto` runs them in numpy."""
