"""What training makes small, for networks that answer windows."""

import torch
from torch import Tensor, nn


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

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss to learn from."""
        with torch.autocast(noisy.device.type, dtype=torch.bfloat16, enabled=half_pays(noisy.device)):
            output = network(noisy)
        return denoising_loss(output.float(), clean, self._weight)

    def judge(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss of validation."""
        return denoising_loss(network(noisy), clean, self._weight)


def half_pays(device: torch.device) -> bool:
    """Whether bfloat16 is faster there: a processor without AVX-512 takes seven times as long for it."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
