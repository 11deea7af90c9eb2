"""From where on a network is not believed: the limits on its card."""

from dataclasses import dataclass

import numpy as np

from models.registry import ModelCard
from models.spec import ClassicalSpec

TRUST_AGAIN = 0.6
"""Share of the limit below which a doubted network is believed again, unless its card states another."""
DEFAULT_CONTRADICTION = 0.2
"""Limit of a network whose card has none: within the range of the shipped networks."""
_NEVER = (float("inf"), float("inf"))


@dataclass(frozen=True)
class Limits:
    """From where on a network is not believed.

    Parameters
    ----------
    contradiction
        Rows of: look-ahead in ms, the `Uncertainty.contradiction` above which the network is doubted,
        and the one below which it is believed again; interpolated linearly in between. None turns the
        check off, as for filters, which predict nothing that could be contradicted.
    """

    contradiction: tuple[tuple[float, float, float], ...] | None = (
        (0.0, DEFAULT_CONTRADICTION, TRUST_AGAIN * DEFAULT_CONTRADICTION),
    )

    def contradiction_at(self, lookahead_ms: float) -> tuple[float, float]:
        """Above what the network is doubted, and below what it is believed again; infinite if off."""
        if not self.contradiction:
            return _NEVER
        known_ms, doubted, believed = zip(*self.contradiction, strict=True)
        return float(np.interp(lookahead_ms, known_ms, doubted)), float(
            np.interp(lookahead_ms, known_ms, believed)
        )


UNMEASURED = Limits()
"""For a network whose card states no limits."""


def limits_of(card: ModelCard) -> Limits:
    """The limits on a network's card under ``guard``; defaults where it has none, off for filters."""
    if isinstance(card.spec, ClassicalSpec):
        return Limits(None)
    guard = card.trained.guard if card.trained else None
    if guard is None:
        return UNMEASURED
    return Limits(tuple((row.lookahead_ms, row.doubted, row.believed) for row in guard.contradiction))
