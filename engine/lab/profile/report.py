"""Percentiles that the number of samples supports, and bounds on the rate of rare events."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from engine.ledger.stages import STAGES, Ledger

PERCENTILES = (10, 50, 90, 95, 99, 99.9, 99.99)
CONFIDENCE = 0.95
_RULE_OF_THREE = 3
"""Hanley & Lippman-Hand, JAMA 249:1743, 1983: what was not seen in n trials happens, with 95 %
confidence, in less than 3 of n. Turned round: with fewer than 3 samples expected beyond a percentile
it may lie above all that was seen, and no figure for it is honest."""


def needed(percent: float) -> int:
    """Samples without which a percentile is not given."""
    return round(_RULE_OF_THREE / (1 - percent / 100))


def supported(percent: float, count: int) -> bool:
    """Whether `count` samples are enough for a percentile above the median, or its mirror below."""
    return count >= needed(max(percent, 100 - percent))


def distribution(nanoseconds: NDArray[np.int64]) -> dict[str, float | int | None]:
    """Percentiles of durations in µs; None where there are too few for one.

    ``tail`` (P100 − P95) and ``flat`` (flatness, P90 − P10) are defined as NVIDIA's Holoscan documents its
    latency benchmarks.
    """
    durations = nanoseconds / 1e3
    count = durations.size
    values: dict[str, float | int | None] = {
        f"p{percent:g}": float(np.percentile(durations, percent)) if supported(percent, count) else None
        for percent in PERCENTILES
    }
    longest = float(durations.max()) if count else None
    return {
        **values,
        "max": longest,
        "tail": _difference(longest, values["p95"]),
        "flat": _difference(values["p90"], values["p10"]),
        "count": count,
    }


def _difference(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def ratio(one: float | None, other: float | None) -> float | None:
    """How many times the other; None where either is not known."""
    return None if one is None or not other else one / other


def at_most(seen: int, trials: int) -> float:
    """Upper 95 % confidence bound of a rate (exact for Poisson counts); 3/n where none was seen."""
    return min(1.0, float(gammaincinv(seen + 1, CONFIDENCE)) / trials) if trials else 1.0


def lateness(durations_ns: NDArray[np.int64], budget_ns: float) -> dict[str, float | int]:
    """Hops that took longer than a hop lasts, and how often that may at most be the case."""
    late = int((durations_ns > budget_ns).sum())
    return {"late": late, "hops": durations_ns.size, "rate_at_most": at_most(late, durations_ns.size)}


def stages(ledger: Ledger, streams: int) -> dict[str, dict[str, float | None]]:
    """Percentiles of each stage of a sample's delay and of their sum, ms.

    The samples of a hop share their stages: hops are counted, not samples.
    """
    ledger.settle()
    hops = ledger.hops // streams
    return {
        name: {
            **{f"p{p:g}": histogram.percentile_ms(p) if supported(p, hops) else None for p in (50, 99)},
            "max": histogram.max_ms if hops else None,
        }
        for name, histogram in (*((stage, ledger.stages[stage]) for stage in STAGES), ("total", ledger.total))
    }


def compare(us: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """What the engine adds to the bare call, in percent of it and as a ratio of whole hops."""
    bare, overhead, hop = us["bare"], us["overhead"], us["hop"]
    share = ratio(overhead["p50"], bare["p50"])
    return {
        "overhead_percent": None if share is None else 100 * share,
        "call_p50": ratio(us["call"]["p50"], bare["p50"]),
        "call_p99": ratio(us["call"]["p99"], bare["p99"]),
        "hop_p50": ratio(hop["p50"], bare["p50"]),
        "hop_p99": ratio(hop["p99"], bare["p99"]),
    }
