"""What training makes small, for networks that answer windows."""

import torch
from torch import Tensor, nn

FLOOR = 0.02
"""Error of an example below which it counts less and less: references are no better themselves."""


def denoising_loss(output: Tensor, clean: Tensor, weight: Tensor, *, alike: bool = False) -> Tensor:
    """Half squared, half absolute error, both relative to the window's clean standard deviation.

    Shapes (batch, 1, window); `weight` (window,) averages over time. The square rewards SNR,
    the absolute value keeps small waves. Where all examples are to count `alike`, as figures in dB do,
    it is the mean of the logarithm of each one's.
    """
    error = (output - clean) / _scale(clean)
    own = (0.5 * (error**2 + error.abs()) * weight).mean(dim=(1, 2))
    return torch.log(own + FLOOR).mean() if alike else own.mean()


def _scale(clean: Tensor) -> Tensor:
    return clean.std(dim=-1, keepdim=True) + 0.05


class WindowObjective:
    """The last `tail` samples of a window, which a small look-ahead emits, weigh fully.

    The context before them weighs a quarter. Examples count `alike`, or by their error (`denoising_loss`).
    """

    def __init__(self, window: int, tail: int, device: torch.device, *, alike: bool = False) -> None:
        self._alike = alike
        weight = torch.full((window,), 0.25, device=device)
        weight[-tail:] = 1.0
        self._weight = weight / weight.mean()

    def learn(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss to learn from."""
        with torch.autocast(noisy.device.type, dtype=torch.bfloat16, enabled=half_pays(noisy.device)):
            output = network(noisy)
        return denoising_loss(output.float(), clean, self._weight, alike=self._alike)

    def judge(self, network: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        """Loss of validation."""
        return denoising_loss(network(noisy), clean, self._weight, alike=self._alike)


def half_pays(device: torch.device) -> bool:
    """Whether bfloat16 is faster there.

    A processor without instructions for it takes 1.5 times as long, and one without AVX-512 seven times.
    """
    if device.type != "cpu":
        return True
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
