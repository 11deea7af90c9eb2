"""Weights between those that a run began with and those that it came to.

Fine-tuning forgets: what a run learns of new examples it pays with what the weights did before. On the way
from one to the other nearly all of the gain comes early and most of the loss late (Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022, arXiv 2109.01903).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from models.training.checks import Checks, judge, mean_db

SHARES = tuple(tenth / 10 for tenth in range(11))
"""Of what was learnt: none, a tenth, ... all."""
LOSS_DB = 0.25
"""No figure may fall by more, against the weights that the run began with."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Blend:
    """The share that was taken, and its figures in dB by noise, for each look-ahead of the checks."""

    share: float
    db: dict[str, list[float]]


def blend(network: nn.Module, begun: Weights, learnt: Weights, checks: Checks) -> tuple[Blend, list[Blend]]:
    """Load into `network` the blend with the best mean of those that lose no figure; returns it, and all.

    Statistics of norms are blended as weights are: a network whose norms learnt nothing keeps them.
    """
    found = []
    for share in SHARES:
        network.load_state_dict(between(begun, learnt, share))
        found.append(Blend(share, judge(network, checks)))
    best = max((each for each in found if _loses_nothing(found[0], each)), key=lambda each: mean_db(each.db))
    network.load_state_dict(between(begun, learnt, best.share))
    return best, found


def between(begun: Weights, learnt: Weights, share: float) -> Weights:
    """`begun` and `share` of the way to `learnt`; whole numbers (counts of batches) as they were."""
    return {
        name: value.lerp(learnt[name].to(value), share) if value.is_floating_point() else value
        for name, value in begun.items()
    }


def _loses_nothing(first: Blend, other: Blend) -> bool:
    pairs = ((first.db[name], other.db[name]) for name in first.db)
    return all(
        now >= before - LOSS_DB for befores, nows in pairs for before, now in zip(befores, nows, strict=True)
    )
