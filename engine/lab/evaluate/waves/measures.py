"""What is read off a beat: intervals, heights of P and T, ST; and what is left of a wave, by its shape."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.lab.evaluate.waves.marks import (
    P_OFF,
    P_ON,
    P_PEAK,
    QRS_OFF,
    QRS_ON,
    T_OFF,
    T_PEAK,
    Bounds,
    R,
)
from models.benches.track_f import FS
from streamer.chunk import Samples

INTERVALS = {
    "P": (P_ON, P_OFF),
    "PR": (P_ON, QRS_ON),
    "QRS": (QRS_ON, QRS_OFF),
    "QT": (QRS_ON, T_OFF),
}
"""Intervals by name: where they begin and end."""
HEIGHTS = ("P height", "T height", "ST J+60", "ST J+80")
LEVEL_S = (-0.016, -0.004)
"""Stretch before the QRS complex whose mean is the level that heights and ST are measured from, s."""
_ABOUT_S = 0.004
Wave = Literal["P", "QRS", "T"]
_EDGE_S, _QRS_S, _SHIFT_S = 0.02, 0.06, 0.04

Values = NDArray[np.float64]
"""A value for each beat, NaN where there is none."""


def intervals(bounds: Bounds) -> dict[str, Values]:
    """`INTERVALS` in ms."""
    return {name: 1000 * (bounds[:, off] - bounds[:, on]) / FS for name, (on, off) in INTERVALS.items()}


def heights(lead: Samples, bounds: Bounds) -> dict[str, Values]:
    """`HEIGHTS` in µV. P is measured from the line between its ends, the others from before the QRS."""
    level = mean_over(lead, bounds[:, QRS_ON], LEVEL_S)
    at = {place: mean_over(lead, bounds[:, place], (-_ABOUT_S, _ABOUT_S)) for place in (P_ON, P_OFF)}
    share = (bounds[:, P_PEAK] - bounds[:, P_ON]) / np.maximum(bounds[:, P_OFF] - bounds[:, P_ON], 1)
    line = at[P_ON] + share * (at[P_OFF] - at[P_ON])
    return {
        "P height": 1000 * (mean_over(lead, bounds[:, P_PEAK], (-_ABOUT_S, _ABOUT_S)) - line),
        "T height": 1000 * (mean_over(lead, bounds[:, T_PEAK], (-_ABOUT_S, _ABOUT_S)) - level),
        "ST J+60": 1000 * (_after_j(lead, bounds, 0.06) - level),
        "ST J+80": 1000 * (_after_j(lead, bounds, 0.08) - level),
    }


def _after_j(lead: Samples, bounds: Bounds, seconds: float) -> Values:
    return mean_over(lead, bounds[:, QRS_OFF] + seconds * FS, (-_ABOUT_S, _ABOUT_S))


def mean_over(lead: Samples, places: Values, span_s: tuple[float, float]) -> Values:
    """Mean of a lead over a span around places in samples; NaN where one is unknown or beyond the lead."""
    offsets = np.arange(round(span_s[0] * FS), round(span_s[1] * FS) + 1)
    known = np.isfinite(places)
    index = np.rint(np.where(known, places, 0)).astype(np.int64)[:, None] + offsets
    inside = known & (index[:, 0] >= 0) & (index[:, -1] < len(lead))
    means = lead[np.clip(index, 0, len(lead) - 1)].mean(axis=1, dtype=np.float64)
    return np.where(inside, means, np.nan)


def wave_spans(bounds: Bounds, wave: Wave) -> NDArray[np.float64]:
    """First and last sample of a wave of each beat, (beats, 2), NaN where it was not marked.

    T waves without a marked begin are taken to be as long before their peak as after it.
    """
    if wave == "P":
        return bounds[:, [P_ON, P_OFF]] + np.array([-_EDGE_S, _EDGE_S]) * FS
    if wave == "QRS":
        return bounds[:, [R]] + np.array([-_QRS_S, _QRS_S]) * FS
    half = bounds[:, T_OFF] - bounds[:, T_PEAK]
    begin = np.maximum(bounds[:, T_PEAK] - half, bounds[:, QRS_OFF] + _EDGE_S * FS)
    return np.stack([begin, bounds[:, T_OFF] + _EDGE_S * FS], axis=1)


def wave_fits(
    lead: Samples, reference: Samples, spread: Samples | None, bounds: Bounds, wave: Wave
) -> dict[str, Values]:
    """What is left of a wave in `lead`, by least squares against the same wave of `reference`.

    A straight line is taken from both first, so that neither level nor drift counts.

    Parameters
    ----------
    spread
        Standard deviation that the network states, (samples,) mV.

    Returns
    -------
    dict
        ``height``, the factor of the reference's wave; ``r``; ``lag_ms`` by which the lead's wave is late
        (its best correlation within 40 ms); ``height_uv`` from peak to peak in the reference;
        ``doubt_uv``, mean spread within the wave; and ``held``, the share of samples that it covers.
    """
    rows = []
    reach = round(_SHIFT_S * FS)
    for span in wave_spans(bounds, wave):
        if not np.isfinite(span).all():
            rows.append([np.nan] * 6)
            continue
        first, stop = round(span[0]), round(span[1]) + 1
        if first < reach or stop + reach > len(lead) or stop - first < 8:
            rows.append([np.nan] * 6)
            continue
        wanted = _level(reference[first:stop])
        shifted = _level(
            np.lib.stride_tricks.sliding_window_view(lead[first - reach : stop + reach], stop - first)
        )
        power = float(wanted @ wanted)
        norm = np.sqrt(power * (shifted**2).sum(axis=1))
        rs = (shifted @ wanted) / np.where(norm > 0, norm, np.inf)
        doubt, held = np.nan, np.nan
        if spread is not None:
            doubt = 1000 * float(spread[first:stop].mean())
            held = float((np.abs(lead - reference)[first:stop] <= spread[first:stop]).mean())
        rows.append(
            [
                float(wanted @ shifted[reach]) / power if power else np.nan,
                float(rs[reach]),
                1000 * (_top(rs) - reach) / FS,
                1000 * float(np.ptp(wanted)),
                doubt,
                held,
            ]
        )
    values = np.array(rows).reshape(-1, 6).T
    return dict(zip(("height", "r", "lag_ms", "height_uv", "doubt_uv", "held"), values, strict=True))


def _level(waves: Samples) -> NDArray[np.float64]:
    """Waves, (…, samples), without their least-squares lines."""
    t = np.linspace(-1.0, 1.0, waves.shape[-1])
    centred = waves - waves.mean(axis=-1, dtype=np.float64, keepdims=True)
    levelled: NDArray[np.float64] = centred - (centred @ t)[..., None] * t / (t @ t)
    return levelled


def _top(rs: NDArray[np.float64]) -> float:
    """Place of the highest value, between samples by a parabola through it and its neighbours."""
    top = int(rs.argmax())
    if not 0 < top < len(rs) - 1:
        return float(top)
    before, peak, after = rs[top - 1 : top + 2]
    bend = before - 2 * peak + after
    return float(top) + (0.5 * (before - after) / bend if bend else 0.0)
