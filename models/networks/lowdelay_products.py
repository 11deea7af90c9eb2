"""The low-delay network as its exported graph computes it: matrix products, channels last.

A convolution over few samples of many channels and rows is one product of matrices, rows × time by
taps × channels, and processors multiply matrices faster than runtimes run short convolutions. What is
computed is the same, with the same weights; training and torch keep the convolutions.
"""

import torch
from torch import Tensor, nn

from models.networks.lowdelay import LowDelay
from models.networks.step_layers import (
    MAX_LOOKAHEAD,
    Causal,
    Double,
    MemoryByTime,
    Residual,
)

Aim = tuple[Tensor, Tensor]
"""Of an aimed layer, as of `Causal.forward`."""


class LowDelayProducts(LowDelay):
    """`LowDelay` for inference alone: the same weights, state and answers, to rounding."""

    def forward(self, x: Tensor, state: Tensor, lookahead: Tensor) -> tuple[Tensor, Tensor]:
        """One step; see `LowDelay.forward`."""
        memory = MemoryByTime(state, [*self._heard, *self._answered])
        signal, h = self._hear(x, memory)
        answer = self._tell(signal, h, memory, lookahead)
        return answer, memory.packed()

    def _hear(self, x: Tensor, memory: MemoryByTime) -> tuple[Tensor, Tensor]:
        slow, last = self.baselines.follow(x, memory.next().transpose(1, 2))
        memory.keep(last.transpose(1, 2))
        signal = h = (self.baselines.scales * (x - slow)).transpose(1, 2)
        for layer in self.encoder:
            h = causal(layer, h, memory)
        for block in self.trunk:
            h = residual(block, h, memory)
        out, after = self.gru(h, memory.next().transpose(0, 1).contiguous())
        memory.keep(after.transpose(0, 1))
        return signal, h + pointwise(self.recall, out)

    def _tell(self, signal: Tensor, h: Tensor, memory: MemoryByTime, lookahead: Tensor) -> Tensor:
        line = memory.extend(signal)
        now = torch.arange(signal.shape[1], device=signal.device) + MAX_LOOKAHEAD
        delayed = line.index_select(1, now - lookahead)
        told = self._told(lookahead)
        aims = iter(self._aims(lookahead))
        fine = causal(self.fine, delayed, memory, next(aims))
        coarse = causal(self.coarse, fine, memory, next(aims))
        gains = self.aim(told[:3]).unflatten(0, (len(self.answer), 2, -1))
        for block, part in zip(self.answer, gains.unbind(0), strict=True):
            gain, offset = part.unbind(0)
            h = residual(block, h * (1 + gain) + offset, memory, next(aims))
        for up, merge, beside in zip(self.up, self.merge, (coarse, fine), strict=True):
            h = causal(merge, torch.cat([double(up, h), beside], dim=2), memory, next(aims))
        made, passed, spread = pointwise(self.head, h).unbind(2)
        cleaned = torch.sigmoid(passed) * delayed[..., 0] + made
        error = self._spread(spread, told)
        before = memory.next().transpose(1, 2), memory.next(1).transpose(1, 2)
        added, after = self.hand_back(self._came(delayed.transpose(1, 2)) - cleaned, error, before)
        for each in after:
            memory.keep(each.transpose(1, 2))
        return torch.stack([cleaned + added, error], dim=1)


def causal(layer: nn.Module, x: Tensor, memory: MemoryByTime, aim: Aim | None = None) -> Tensor:
    """`Causal` of (rows, time, inputs) → (rows, time / stride, outputs)."""
    return apart(listen(layer, x, memory, aim), x)


def listen(layer: nn.Module, x: Tensor, memory: MemoryByTime, aim: Aim | None = None) -> Tensor:
    """The same as one matrix, (rows · time / stride, outputs)."""
    assert isinstance(layer, Causal)
    (stride,), (dilation,), weight = layer.conv.stride, layer.conv.dilation, layer.conv.weight
    _, inputs, taps = weight.shape
    first = torch.arange(x.shape[1] // stride, device=x.device) * stride
    heard = first[:, None] + torch.arange(0, taps * dilation, dilation, device=x.device)
    gathered = memory.extend(x).index_select(1, heard.flatten()).reshape(-1, taps * inputs)
    matrix = weight.permute(0, 2, 1).flatten(1)
    scale, offset = layer.scale_and_offset(aim)
    if aim is None:
        # Weights times the norm's scale: runtimes compute that once, when they open the graph.
        return torch.relu(nn.functional.linear(gathered, matrix * scale[:, None], offset))
    return torch.relu(nn.functional.linear(gathered, matrix) * scale + offset)


def residual(block: nn.Module, x: Tensor, memory: MemoryByTime, aim: Aim | None = None) -> Tensor:
    """`Residual` of (rows, time, channels)."""
    assert isinstance(block, Residual)
    return x + apart(pointwise(block.mix, listen(block.listen, x, memory, aim)), x)


def apart(matrix: Tensor, x: Tensor) -> Tensor:
    """A matrix of rows · time with the rows apart again, which x is a stretch of."""
    return matrix.reshape(x.shape[0], -1, matrix.shape[1])


def pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution over one sample, of (…, inputs)."""
    return nn.functional.linear(x, layer.weight[:, :, 0], layer.bias)


def double(layer: nn.Module, x: Tensor) -> Tensor:
    """`Double` of (rows, time, inputs) → (rows, 2 · time, outputs)."""
    assert isinstance(layer, Double)
    weight, bias = layer.conv.weight[:, :, 0], layer.conv.bias
    assert bias is not None
    # The channels of the earlier sample first: then both samples lie as they follow each other.
    weight, bias = (each.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1) for each in (weight, bias))
    made = nn.functional.linear(x, weight, bias)
    return made.unflatten(2, (2, -1)).flatten(1, 2)
