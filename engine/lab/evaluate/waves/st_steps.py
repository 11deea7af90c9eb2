"""ST changes as of ischaemia, cut into records: how much of one is left after cleaning."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.lab.evaluate.waves.marks import QRS_OFF, QRS_ON, Bounds, OutlinedLead, R
from engine.lab.evaluate.waves.measures import LEVEL_S, Values, mean_over
from models.benches.track_f import FS
from streamer.chunk import Samples

Course = Literal["sudden", "slow"]
STEPS: tuple[tuple[Course, float], ...] = (
    *(("sudden", mv) for mv in (-0.3, -0.1, -0.05, 0.05, 0.1, 0.3)),
    *(("slow", mv) for mv in (-0.3, -0.1, 0.1, 0.3)),
)
"""Course and height in mV."""
BEGINS_S, LASTS_S = 15.0, 20.0
"""When an ST change begins, and how long a slow one takes to its full height."""
AFTER_S = {"sudden": (1.0, 6.0), "later": (15.0, 33.0), "slow": (22.0, 33.0)}
"""Beats that count, s after the begin: of a sudden step just after it, and later."""
_RISES_S, _FLAT_S, _FALLS_S, _J_S = 0.02, 0.2, 0.12, 0.05
_OF_RR = 0.45
POINTS_S = {"J+60": 0.06, "J+80": 0.08}


def st_change(lead: OutlinedLead, course: Course, millivolts: float) -> Samples:
    """What is added to a lead, (samples,) mV.

    From J on it rises in 20 ms, stays for 200 ms (less at high rates) and falls in 120 ms; as in the
    European ST-T database the height changes from one beat to the next, or over `LASTS_S`.
    """
    added = np.zeros(len(lead.reference), np.float32)
    beats = lead.automatic[:, R]
    following = np.diff(beats, append=beats[-1] + FS)
    for beat, j, interval in zip(beats, _j(lead.automatic), following, strict=True):
        since = beat / FS - BEGINS_S
        share = float(since >= 0) if course == "sudden" else float(np.clip(since / LASTS_S, 0, 1))
        flat = min(_FLAT_S, _OF_RR * interval / FS - _FALLS_S)
        if not share or flat < 0:
            continue
        rise, stay, fall = (max(1, round(seconds * FS)) for seconds in (_RISES_S, flat, _FALLS_S))
        ramp = np.sin(np.pi / 2 * (np.arange(rise) + 1) / rise) ** 2
        shape = np.concatenate([ramp, np.ones(stay), np.cos(np.pi / 2 * (np.arange(fall) + 1) / fall) ** 2])
        first = round(j)
        part = added[first : first + len(shape)]
        part += millivolts * share * shape[: len(part)]
    return added


def kept(
    lead: OutlinedLead, added: Samples, before: Samples, after: Samples, span_s: tuple[float, float]
) -> dict[str, float]:
    """Share of an ST change that is left, median over beats, by `POINTS_S`.

    Parameters
    ----------
    before, after
        The output without the change and with it, (samples,) mV.
    """
    beats = (lead.automatic[:, R] / FS >= BEGINS_S + span_s[0]) & (
        lead.automatic[:, R] / FS < BEGINS_S + span_s[1]
    )
    shares = {}
    for name, seconds in POINTS_S.items():
        wanted = st_of(added, lead.automatic, seconds)[beats]
        got = st_of(after - before, lead.automatic, seconds)[beats]
        full = np.abs(wanted) > 0.5 * np.abs(added).max()
        shares[name] = float(np.nanmedian(got[full] / wanted[full])) if full.any() else np.nan
    return shares


def st_of(lead: Samples, bounds: Bounds, seconds: float) -> Values:
    """ST of each beat so many seconds after J, from the level before the QRS complex, in mV."""
    begins = np.where(np.isfinite(bounds[:, QRS_ON]), bounds[:, QRS_ON], bounds[:, R] - _J_S * FS)
    around = (-0.004, 0.004)
    return mean_over(lead, _j(bounds) + seconds * FS, around) - mean_over(lead, begins, LEVEL_S)


def _j(bounds: Bounds) -> NDArray[np.float64]:
    """End of each QRS complex; 50 ms after its peak where it was not marked."""
    return np.where(np.isfinite(bounds[:, QRS_OFF]), bounds[:, QRS_OFF], bounds[:, R] + _J_S * FS)


def moved_by(lead: OutlinedLead, trace: Samples, *, noisy: bool = False) -> dict[str, dict[str, float]]:
    """ST of a trace less that of the lead as recorded (`noisy`: that it was before noise), µV, by `POINTS_S`.

    Returns
    -------
    dict
        ``moved_uv``, the median over beats, and ``single_uv``, the 95th percentile of its size.
    """
    true = lead.reference if noisy else lead.original
    moved, single = {}, {}
    for name, seconds in POINTS_S.items():
        difference = st_of(trace, lead.automatic, seconds) - st_of(true, lead.automatic, seconds)
        settled = lead.automatic[:, R] >= lead.settled
        moved[name] = 1000 * float(np.nanmedian(difference[settled]))
        single[name] = 1000 * float(np.nanpercentile(np.abs(difference[settled]), 95))
    return {"moved_uv": moved, "single_uv": single}
