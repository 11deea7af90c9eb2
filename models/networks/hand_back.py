"""What cleaning took from an input that needed none, handed back.

A network never answers quite what came, not even where nothing disturbs it. What it took away, d, is the
noise and the network's own error, which know nothing of each other; so where d is far smaller than the
error that the network expects of itself, there is hardly any noise, and d is better kept. The smaller d,
the more of it is handed back, in bands of its own: below `EDGES_HZ` an input drifts, and nothing is.
"""

import math

import torch
from torch import Tensor, nn

from models.networks.step_layers import FS, LONGEST_SCAN, LowPasses

EDGES_HZ = (2.0, 6.0)
"""Where the bands begin. One-pole: what is handed back in full leaves of the error what lies below."""
BLOCK = 4
"""Samples to a mean."""
LONG_S, SHORT_S = 2.0, 0.05
"""Time over which powers are compared; the short one closes the gate as soon as noise begins."""
SHORT_COUNTS = 0.35
"""How much the short comparison counts: within a beat d swings, noise or not."""
HALF, STEEP = -2.3, 3.0
"""Logarithm of d² to the expected error² at which half is handed back, and how fast it falls off there."""
UNKNOWN = 6.0
"""Added to that logarithm at the beginning of a stream, when nothing is known: all stays taken."""
LEAST_MV2 = 1e-9
"""No power counts as less."""


class HandBack(nn.Module):
    """Adds to an answer what it need not have lost; keeps its state as two memories of one sample."""

    between: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.bands = LowPasses([math.exp(-2 * math.pi * hz / FS) for hz in EDGES_HZ], LONGEST_SCAN)
        rate = FS / BLOCK
        long, short = (math.exp(-1 / (seconds * rate)) for seconds in (LONG_S, SHORT_S))
        # Of each band and of the expected error, slow and then quick; last, of 1: how much is known.
        powers = len(EDGES_HZ) + 1
        self.means = LowPasses([long] * powers + [short] * powers + [long], LONGEST_SCAN // BLOCK)
        self.shapes = (self.bands.shape, self.means.shape)
        # Of what lies above each edge, less what lies above the next: one product instead of cuts and joins.
        between = torch.eye(len(EDGES_HZ)) - torch.diag(torch.ones(len(EDGES_HZ) - 1), 1)
        self.register_buffer("between", between, persistent=False)

    def forward(
        self, taken: Tensor, spread: Tensor, before: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What is to be added.

        Parameters
        ----------
        taken
            Input less answer, (rows, 1, samples) mV, samples a multiple of `BLOCK`.
        spread
            Error that the network expects, (rows, 1, samples) mV.
        before
            State, (rows, channels, 1) each; at the beginning 0.

        Returns
        -------
        added, after
            (rows, 1, samples) mV, and the state.
        """
        slow, after_bands = self.bands.follow(taken, before[0])
        above = taken - slow
        bands = (self.between @ above).unflatten(-1, (-1, BLOCK))
        # A band is judged by all that lies above its edge: slopes are flat, and what is high leaks into it.
        judged = torch.cat([above, spread], dim=1).unflatten(-1, (-1, BLOCK))
        powers = judged.square().mean(-1)
        means, after_means = self.means.follow(
            torch.cat([powers, powers, torch.ones_like(powers[:, :1])], dim=1), before[1]
        )
        count = len(EDGES_HZ)
        means = means.clamp(min=LEAST_MV2)
        long, long_error, short, short_error, known = means.split([count, 1, count, 1, 1], dim=1)
        ratio = torch.maximum(long / long_error, SHORT_COUNTS * short / short_error)
        # HALF less that logarithm and what is added to it; constants first, for fewer steps.
        margin = (STEEP * UNKNOWN) * known + STEEP * (HALF - UNKNOWN) - STEEP * torch.log(ratio)
        weight = torch.sigmoid(margin).detach()
        return (weight[..., None] * bands).sum(1, keepdim=True).flatten(2), (after_bands, after_means)
