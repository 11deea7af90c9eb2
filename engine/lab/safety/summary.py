"""Summary of track safety: one row per system, with the guard off and on."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.lab.safety.scores import LIMIT

Row = dict[str, Any]
NOISY = " em 6 dB"
"""How the names of groups with noise end."""


def summarise(rows: list[Row]) -> list[Row]:
    """Figures over all cases; those with `NOISY` in their name hold under noise, None where none has any.

    Per hour are beats in pure noise; erased and added count beats in records of every kind but those
    with noise; the recovery is the longest; r is a mean weighted by beats, and ST is pooled over them.
    """
    keys = dict.fromkeys((row["system"], row["lookahead_ms"], row["guard"]) for row in rows)
    return [_summary(key, [row for row in rows if _key(row) == key]) for key in keys]


def _key(row: Row) -> tuple[Any, ...]:
    return row["system"], row["lookahead_ms"], row["guard"]


def _summary(key: tuple[Any, ...], rows: list[Row]) -> Row:
    system, lookahead_ms, guard = key
    groups = {group: [row for row in rows if row["group"] == group] for group in {r["group"] for r in rows}}
    noise = groups.get("noise", [])
    quiet = [row for row in rows if row["group"] in ("ectopic", "morphology")]
    heard = [row for row in rows if row["group"] in ("ectopic" + NOISY, "morphology" + NOISY)]
    records = [row for row in rows if "beats_erased" in row and not row["group"].endswith(NOISY)]
    return {
        "system": system,
        "lookahead_ms": lookahead_ms,
        "guard": guard,
        "invented_per_hour": _mean(noise, "invented_per_hour", "seconds"),
        "runs_over_3_s": sum(row["runs_over_3_s"] for row in noise),
        "noise_bypassed_percent": _mean(noise, "bypassed_percent", "seconds"),
        "asystole_shown_ms": _worst(groups.get("asystole", []), "asystole_shown_ms"),
        "fibrillation_hidden_s": sum(row["fibrillation_hidden_s"] for row in groups.get("fibrillation", [])),
        "fibrillation_bypassed_percent": _mean(
            groups.get("fibrillation", []), "fibrillation_bypassed_percent", "fibrillation_s"
        ),
        "recovered_s": _worst(rows, "recovered_s"),
        "beats": sum(row["beats"] - row["beats_bypassed"] for row in records),
        "beats_erased": sum(row["beats_erased"] for row in records),
        "beats_added": sum(row["beats_added"] for row in records),
        **_shapes(quiet, ""),
        **_shapes(heard, NOISY),
    }


def _shapes(rows: list[Row], ending: str) -> Row:
    figures = {
        "bypassed_percent": _mean(rows, "bypassed_percent", "seconds"),
        "v_beat_r": _mean(rows, "v_beat_r", "v_beats"),
        "p_wave_r": _mean(rows, "p_wave_r", "st_beats"),
        **_pooled_st(rows),
    }
    return {name + ending: value for name, value in figures.items()}


def _pooled_st(rows: list[Row]) -> Row:
    """Bias and limits of agreement of all beats together."""
    known = [row for row in rows if row.get("st_beats")]
    if not known:
        return dict.fromkeys(("st_bias_uv", "st_low_uv", "st_high_uv"))
    count, bias, high = (
        np.array([row[name] for row in known], np.float64)
        for name in ("st_beats", "st_bias_uv", "st_high_uv")
    )
    mean = float(np.average(bias, weights=count))
    variance = ((high - bias) / LIMIT) ** 2 + (bias - mean) ** 2
    spread = LIMIT * float(np.sqrt(np.average(variance, weights=count)))
    return {"st_bias_uv": mean, "st_low_uv": mean - spread, "st_high_uv": mean + spread}


def _mean(rows: Iterable[Row], name: str, weight: str) -> float | None:
    known = [(row[name], row[weight]) for row in rows if row.get(name) is not None and row.get(weight)]
    if not known:
        return None
    values, weights = np.array(known, np.float64).T
    return float(np.average(values, weights=weights))


def _worst(rows: Iterable[Row], name: str) -> float | None:
    return max((row[name] for row in rows if row.get(name) is not None), default=None)
