"""What training makes small, for networks that keep state and answer for a look-ahead ago."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from models.training.objective import FLOOR, half_pays

TARGET_MS = 100.0
TARGET_SHARE = 0.3
"""Share of steps that ask for `TARGET_MS`; the others ask for any look-ahead alike."""
SLOPE_SHARE = 0.3
"""Weight of the slope's error beside the error itself: it keeps what is steep and small."""
SPREAD_SHARE = 0.1
"""Weight of the spread's likelihood beside the error itself."""


class StepObjective:
    """The mean over examples of the logarithm of each one's error, as figures in dB are.

    By the error itself, training would hardly hear of clean examples, which is what a bed sends most
    of the time. The error of an example is half squared, half absolute, relative to the clean signal,
    and a share of its slope's. The spread learns the error by its likelihood under a Laplace
    distribution; the error does not learn from the spread.

    Parameters
    ----------
    lookahead
        Longest that the network takes, samples.
    fs
        Hz.
    context
        Samples at the beginning of an example that are not scored.
    """

    def __init__(self, lookahead: int, fs: float, context: int) -> None:
        self._longest, self._target = lookahead, round(TARGET_MS / 1000 * fs)
        self._scored = slice(context, None)

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor, draw: torch.Generator) -> Tensor:
        """Loss to learn from, at a look-ahead that is drawn."""
        number = torch.rand(3, generator=draw, device=draw.device).tolist()
        lookahead = self._target if number[0] < TARGET_SHARE else int(number[1] * (self._longest + 1))
        # Half of the time as if the stream had run for long, not as if it had just begun.
        first = noisy[:, :, 0] if number[2] < 0.5 else noisy.mean(dim=2)
        with torch.autocast(noisy.device.type, dtype=torch.bfloat16, enabled=half_pays(noisy.device)):
            answer, _ = answers(network, noisy, (lookahead,), first)[0]
        return self.loss(answer, clean, lookahead)

    def loss(self, answer: Tensor, clean: Tensor, lookahead: int) -> Tensor:
        """Of an answer (rows, 2, samples) to what is clean, (rows, 1, samples)."""
        target = clean.roll(lookahead, dims=-1)[:, 0, self._scored]
        output, spread = answer[:, 0, self._scored], answer[:, 1, self._scored]
        scale = target.std(dim=-1, keepdim=True) + 0.05
        error = (output - target) / scale
        steepness = target.diff(dim=-1).std(dim=-1, keepdim=True) + 0.005
        slope = (output - target).diff(dim=-1) / steepness
        own = 0.5 * (error**2 + error.abs()).mean(dim=-1)
        steep = 0.5 * (slope**2 + slope.abs()).mean(dim=-1)
        # Laplace: the mean absolute error is its scale, and the standard deviation √2 of it.
        width = spread / scale / 2**0.5
        surprise = torch.log(width) + error.detach().abs() / width
        logarithm = torch.log(own + FLOOR) + SLOPE_SHARE * torch.log(steep + 5 * FLOOR)
        return logarithm.mean() + SPREAD_SHARE * surprise.mean()


def answers(
    network: nn.Module, noisy: Tensor, lookaheads: Sequence[int], first: Tensor | None = None
) -> list[tuple[Tensor, int]]:
    """`LowDelay.answers` of a network that is known as a module alone."""
    ask: Callable[..., list[tuple[Tensor, int]]] = getattr(network, "answers")  # noqa: B009
    return ask(noisy, lookaheads, first)


def snr_out_db(answer: Tensor, clean: Tensor, lookahead: int, context: int) -> float:
    """Mean over rows of the SNR that is left, dB."""
    target = clean.roll(lookahead, dims=-1)[:, 0, context:]
    left = (answer[:, 0, context:] - target).var(dim=-1)
    return float((10 * torch.log10(target.var(dim=-1) / left)).mean())
