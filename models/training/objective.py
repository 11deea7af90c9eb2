"""What training makes small, for networks that answer windows and for those that keep state."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from models.spec import NetworkSpec, StepSpec

SPREAD_SHARE = 0.05
"""Weight of the spread's likelihood beside the error itself."""
PRESETS_MS = (0.0, 25.0, 100.0, 300.0)
"""Look-aheads by which a network that takes any is judged."""
TARGET_MS = 100.0
"""Every training step asks for this one, and for another."""
_PRESET_SHARE = 0.6
WITHIN = 0.68
"""Share of errors within the spread, as within the standard deviation of a normal distribution."""
_EVERY = 16
"""Of so many samples one is looked at to set the spread: neighbours err alike."""


class Objective(Protocol):
    """How good a network is on a batch, both (batch, leads, samples) mV."""

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor, draw: torch.Generator) -> Tensor:
        """Loss to learn from."""
        ...

    def judge(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss of validation."""
        ...

    def calibrate(self, network: nn.Module, checks: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Set what is set on validation examples after training, in place."""
        ...


def objective_of(spec: NetworkSpec, tail_s: float, device: torch.device) -> Objective:
    """The objective that suits a network.

    Parameters
    ----------
    tail_s
        Of a network that answers windows: see `WindowObjective`.
    """
    if spec.steps:
        return StepObjective(spec.steps, spec.fs, device)
    return WindowObjective(spec.window, round(tail_s * spec.fs), device)


def denoising_loss(output: Tensor, clean: Tensor, weight: Tensor) -> Tensor:
    """Half squared, half absolute error, both relative to the window's clean standard deviation.

    Shapes (batch, 1, window); `weight` (window,) averages over time. The square rewards SNR,
    the absolute value keeps small waves.
    """
    error = (output - clean) / _scale(clean)
    return 0.5 * ((error**2 + error.abs()) * weight).mean()


def _scale(clean: Tensor) -> Tensor:
    return clean.std(dim=-1, keepdim=True) + 0.05


class WindowObjective:
    """The last `tail` samples of a window, which a small look-ahead emits, weigh fully.

    The context before them weighs a quarter.
    """

    def __init__(self, window: int, tail: int, device: torch.device) -> None:
        weight = torch.full((window,), 0.25, device=device)
        weight[-tail:] = 1.0
        self._weight = weight / weight.mean()

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor, draw: torch.Generator) -> Tensor:
        """Loss to learn from."""
        with torch.autocast(noisy.device.type, dtype=torch.bfloat16):
            output = network(noisy)
        return denoising_loss(output.float(), clean, self._weight)

    def judge(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss of validation."""
        return denoising_loss(network(noisy), clean, self._weight)

    def calibrate(self, network: nn.Module, checks: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Nothing to set."""


def _answers(network: nn.Module, noisy: Tensor, lookaheads: Sequence[int]) -> list[tuple[Tensor, int]]:
    answers: Callable[[Tensor, Sequence[int]], list[tuple[Tensor, int]]] = getattr(network, "answers")  # noqa: B009
    return answers(noisy, lookaheads)


class StepObjective:
    """A network that keeps state answers for the samples of a look-ahead ago.

    What it hears is computed once, and it answers for `TARGET_MS` and for one other look-ahead,
    mostly a preset. The spread learns the error by its likelihood under a Laplace distribution; the
    error does not learn from the spread.
    """

    def __init__(self, steps: StepSpec, fs: float, device: torch.device) -> None:
        self._steps = steps
        self._presets = [round(ms / 1000 * fs) for ms in PRESETS_MS]
        self._target = round(TARGET_MS / 1000 * fs)
        self._weight = torch.ones(steps.learns, device=device)
        self._weight[: steps.context] = 0
        self._weight /= self._weight.mean()

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor, draw: torch.Generator) -> Tensor:
        """Loss to learn from."""
        asked = self._draw(draw)
        with torch.autocast(noisy.device.type, dtype=torch.bfloat16):
            answers = _answers(network, noisy, asked)
        return torch.stack([self._loss(answer, clean, at) for answer, at in answers]).mean()

    def _draw(self, draw: torch.Generator) -> tuple[int, int]:
        """`TARGET_MS`, and another look-ahead, mostly a preset."""
        number = torch.rand(2, generator=draw, device=draw.device).tolist()
        if number[0] < _PRESET_SHARE:
            others = [preset for preset in self._presets if preset != self._target]
            return self._target, others[int(number[1] * len(others))]
        return self._target, int(number[1] * (self._steps.lookahead + 1))

    def judge(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Mean loss of the presets."""
        answers = _answers(network, noisy, self._presets)
        return torch.stack([self._loss(answer, clean, at) for answer, at in answers]).mean()

    @torch.no_grad()
    def calibrate(self, network: nn.Module, checks: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Scale the spread of each preset so that `WITHIN` of the errors are no larger."""
        network.eval()
        ratios: dict[int, list[Tensor]] = {}
        for noisy, clean in checks:
            for answer, lookahead in _answers(network, noisy, self._presets):
                scored = slice(self._steps.context, None)
                error = answer[:, 0, scored] - clean.roll(lookahead, dims=-1)[:, 0, scored]
                error -= error.mean(dim=-1, keepdim=True)
                ratio = (error.abs() / answer[:, 1, scored])[:, ::_EVERY].flatten()
                ratios.setdefault(lookahead, []).append(ratio)
        factors = {lookahead: float(torch.cat(each).quantile(WITHIN)) for lookahead, each in ratios.items()}
        scale: Callable[[dict[int, float]], None] = getattr(network, "scale_spread")  # noqa: B009
        scale(factors)

    def _loss(self, answer: Tensor, clean: Tensor, lookahead: int) -> Tensor:
        target = clean.roll(lookahead, dims=-1)
        output, spread = answer[:, :1], answer[:, 1:]
        loss = denoising_loss(output, target, self._weight)
        scale = _scale(clean)
        # Laplace: the mean absolute error is its scale, and the standard deviation √2 of it.
        width = spread / scale / 2**0.5
        surprise = torch.log(width) + ((output.detach() - target) / scale).abs() / width
        return loss + SPREAD_SHARE * (surprise * self._weight).mean()
