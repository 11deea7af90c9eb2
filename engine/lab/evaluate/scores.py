"""The figures of one system on one lead of one record."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from engine.lab.wave_shapes import P_S, median_r
from engine.lab.xqrs import find_beats_xqrs
from models.beat_matching import Beats, count_beats, match_beats
from models.metrics import Moments, snr_db
from streamer.chunk import Samples

TOLERANCE_S = 0.15
"""Greatest distance between matching detected and annotated beats (ANSI/AAMI EC57)."""
_FINE_HZ = 2.0
_DRIFT_HZ = 0.5
# Seconds around an annotated R: the level before the QRS, and J + 60 ms where J follows R by 40 ms.
_COMPLEX_S = (-0.1, 0.15)
_LOST = 0.5
"""A beat of which less is left is as good as gone."""
_BEFORE_QRS = (-0.08, -0.06)
_ST = (0.096, 0.104)


@dataclass(frozen=True)
class Score:
    """One system on one lead of one record under one condition; SNR in dB, mean removed.

    Parameters
    ----------
    delay_ms
        Look-ahead and hop; None of a filter that needs the whole record.
    lead
        ``first`` (MLII), or ``second`` for what a two-lead network makes of the other one.
    drift_uv
        RMS of the error below 0.5 Hz.
    st_error_uv
        Mean absolute error of the ST level (J + 60 ms, against the level before the QRS); None
        without annotated beats.
    p_wave_r
        Median over beats of the correlation of the P wave with the reference's.
    within_spread
        Share of samples whose error is no larger than their spread: 0.68 where errors are normal and
        the spread is true.
    beats, beats_lost, ventricular, ventricular_lost
        Annotated beats, and of how many less than half is left: the output projected on the reference
        around the beat. The same of the ventricular ones among them.
    qrs_…
        What the XQRS detector finds against the annotated beats, in the raw signal and in the output,
        and how far it moves the beats that it also finds in the reference. None where not asked for.
    """

    system: str
    delay_ms: float | None
    noise: str
    snr: float | None
    own_drift: str
    record: str
    lead: str
    snr_in_db: float
    snr_out_db: float
    snr_out_above_2hz_db: float
    rmse_mv: float
    prd_percent: float
    correlation: float
    max_error_mv: float
    drift_uv: float
    st_error_uv: float | None
    p_wave_r: float | None = None
    within_spread: float | None = None
    beats: int = 0
    beats_lost: int = 0
    ventricular: int = 0
    ventricular_lost: int = 0
    qrs_f1_raw: float | None = None
    qrs_f1: float | None = None
    qrs_sensitivity: float | None = None
    qrs_predictivity: float | None = None
    r_jitter_ms: float | None = None

    @property
    def improvement_db(self) -> float:
        """Output SNR less input SNR."""
        return self.snr_out_db - self.snr_in_db


@dataclass(frozen=True, eq=False)
class Heard:
    """One lead of one record as it was streamed, after the warm-up: raw and reference, (samples,) in mV.

    Parameters
    ----------
    beats
        Annotated beats, as indices into these samples.
    ventricular
        Those of them that are ventricular.
    """

    fs: float
    raw: Samples
    reference: Samples
    beats: Beats
    ventricular: Beats

    @cached_property
    def snr_in_db(self) -> float:
        """SNR of the raw signal."""
        return snr_db(self.reference, self.raw)

    @cached_property
    def _found_in_raw(self) -> Beats:
        return find_beats_xqrs(self.raw, self.fs)

    @cached_property
    def _found_in_reference(self) -> Beats:
        return find_beats_xqrs(self.reference, self.fs)

    def figures(self, output: Samples, *, qrs: bool) -> dict[str, Any]:
        """Figures of `Score` for a system's output, (samples,) in mV."""
        fs, error = self.fs, output - self.reference
        moments = Moments.of(self.reference[None], output[None])
        fine = [_filtered(x, _FINE_HZ, "highpass", fs) for x in (self.reference, output)]
        figures: dict[str, Any] = {
            "snr_in_db": self.snr_in_db,
            "snr_out_db": float(moments.snr_db[0]),
            "snr_out_above_2hz_db": float(Moments.of(fine[0][None], fine[1][None]).snr_db[0]),
            "rmse_mv": float(moments.rmse_mv[0]),
            "prd_percent": float(moments.prd_percent[0]),
            "correlation": float(moments.correlation[0]),
            "max_error_mv": float(np.abs(error - error.mean()).max()),
            "drift_uv": 1000 * float(np.sqrt(np.mean(_filtered(error, _DRIFT_HZ, "lowpass", fs) ** 2))),
            "st_error_uv": self._st_error_uv(output),
            "p_wave_r": self._p_wave_r(output),
        }
        for kind, beats in (("beats", self.beats), ("ventricular", self.ventricular)):
            figures[kind], figures[f"{kind}_lost"] = self._lost(output, beats)
        if qrs:
            figures |= self._qrs(output)
        return figures

    def within_spread(self, output: Samples, spread: Samples) -> float:
        """Share of samples whose error, mean removed, is no larger than their spread."""
        error = output - self.reference
        return float(np.mean(np.abs(error - error.mean()) <= spread))

    def _lost(self, output: Samples, beats: Beats) -> tuple[int, int]:
        """How many beats lie here whole, and of how many less than `_LOST` is left."""
        first, stop = (round(edge * self.fs) for edge in _COMPLEX_S)
        whole = beats[(beats + first >= 0) & (beats + stop <= len(output))]
        around = whole[:, None] + np.arange(first, stop)
        left, came = (side[around].astype(np.float64) for side in (output, self.reference))
        left, came = (each - each.mean(axis=1, keepdims=True) for each in (left, came))
        kept = (left * came).sum(axis=1)
        return len(whole), int((kept < _LOST * (came * came).sum(axis=1)).sum())

    def _p_wave_r(self, output: Samples) -> float | None:
        inside = self.beats[(self.beats + round(P_S[0] * self.fs) >= 0) & (self.beats < len(output))]
        return median_r(output, self.reference, inside, P_S)

    def _st_error_uv(self, output: Samples) -> float | None:
        first, last = round(_BEFORE_QRS[0] * self.fs), round(_ST[1] * self.fs)
        beats = self.beats[(self.beats + first >= 0) & (self.beats + last < len(output))]
        if len(beats) == 0:
            return None
        error = _st_level(output, beats, self.fs) - _st_level(self.reference, beats, self.fs)
        return 1000 * float(np.mean(np.abs(error)))

    def _qrs(self, output: Samples) -> dict[str, Any]:
        tolerance = round(TOLERANCE_S * self.fs)
        found, known = find_beats_xqrs(output, self.fs), self._found_in_reference
        count = count_beats(self.beats, found, tolerance)
        theirs, ours = match_beats(known, found, tolerance)
        moved = np.abs(found[ours] - known[theirs])
        return {
            "qrs_f1_raw": count_beats(self.beats, self._found_in_raw, tolerance).f1,
            "qrs_f1": count.f1,
            "qrs_sensitivity": count.sensitivity,
            "qrs_predictivity": count.predictivity,
            "r_jitter_ms": 1000 * float(np.percentile(moved, 95)) / self.fs if len(moved) else None,
        }


def _st_level(lead: Samples, beats: Beats, fs: float) -> NDArray[np.float64]:
    """ST level of each beat against the level before its QRS, mV."""
    before, st = (_mean_around(lead, beats, fs, span) for span in (_BEFORE_QRS, _ST))
    return st - before


def _mean_around(lead: Samples, beats: Beats, fs: float, span: tuple[float, float]) -> NDArray[np.float64]:
    reach = np.arange(round(span[0] * fs), round(span[1] * fs) + 1)
    mean: NDArray[np.float64] = lead[beats[:, None] + reach].mean(axis=1, dtype=np.float64)
    return mean


def _filtered(x: Samples, cutoff_hz: float, kind: Literal["highpass", "lowpass"], fs: float) -> Samples:
    sos = signal.butter(4, cutoff_hz, kind, fs=fs, output="sos")
    filtered: Samples = signal.sosfiltfilt(sos, x).astype(np.float32)
    return filtered
