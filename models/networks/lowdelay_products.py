"""The low-delay network as its exported graph computes it: matrix products, channels last.

A convolution over few samples of many channels and rows is one product of matrices, rows × time by
taps × channels, and processors multiply matrices faster than runtimes run short convolutions. What is
computed is the same, with the same weights; training and torch keep the convolutions.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.networks.lowdelay import LowDelay
from models.networks.step_layers import (
    MAX_LOOKAHEAD,
    AimedNorm,
    Causal,
    Double,
    MemoryByTime,
    Residual,
    shares,
)

Aim = tuple[Tensor, Tensor]
"""What an aimed layer multiplies with and then adds, (1, outputs) each."""


class LowDelayProducts(LowDelay):
    """`LowDelay` for inference alone: the same weights, state and answers, to rounding."""

    def forward(self, x: Tensor, state: Tensor, lookahead: Tensor) -> tuple[Tensor, Tensor]:
        """One step; see `LowDelay.forward`."""
        memory = MemoryByTime(state, [*self._heard, *self._answered])
        signal, h = self._hear(x, memory)
        answer = self._tell(signal, h, memory, lookahead)
        return answer, memory.packed()

    def _hear(self, x: Tensor, memory: MemoryByTime) -> tuple[Tensor, Tensor]:
        slow, last = self.baselines.follow(x, memory.newest()[..., None])
        memory.keep(last[..., 0])
        signal = h = (self.baselines.scales * (x - slow)).transpose(1, 2)
        for layer in self.encoder:
            h = causal(layer, h, memory)
        for block in self.trunk:
            h = residual(block, h, memory)
        out, after = self.gru(h, memory.newest()[None].contiguous())
        memory.keep(after[0])
        return signal, h + pointwise(self.recall, out)

    def _tell(self, signal: Tensor, h: Tensor, memory: MemoryByTime, lookahead: Tensor) -> Tensor:
        line = memory.extend(signal)
        now = torch.arange(signal.shape[1], device=signal.device) + MAX_LOOKAHEAD
        delayed = line.index_select(1, now - lookahead)
        scale, gains, aims = self._looked_up(lookahead)
        fine = causal(self.fine, delayed, memory, next(aims))
        coarse = causal(self.coarse, fine, memory, next(aims))
        for block, (gain, offset) in zip(self.answer, gains, strict=True):
            h = residual(block, h * gain + offset, memory, next(aims))
        matrix = h.flatten(0, 1)
        for up, merge, beside in zip(self.up, self.merge, (coarse, fine), strict=True):
            doubled = apart(double(up, matrix), h)
            matrix = listen(merge, torch.cat([doubled, beside], dim=2), memory, next(aims))
        before = memory.newest()[..., None], memory.newest(1)[..., None]
        head = apart(pointwise(self.head, matrix), h).transpose(1, 2)
        answer, after = self._answer(head, delayed.transpose(1, 2), scale, before)
        for each in after:
            memory.keep(each[..., 0])
        return answer

    def _looked_up(self, lookahead: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]], Iterator[Aim]]:
        """All that follows from the look-ahead alone: what the spread is scaled by, gains, and aims.

        It is computed of every look-ahead there is, from weights alone: runtimes do that once, when they open
        the graph, and look up one row of the table in a step.
        """
        every = torch.arange(MAX_LOOKAHEAD + 1, device=lookahead.device)
        told = self._told(every).transpose(0, 1)
        gains = self.aim(told[:, :3]).unflatten(1, (len(self.answer), 2, -1))
        factors = gains + torch.tensor([1.0, 0.0], device=gains.device)[:, None]
        norms = [layer.norm for layer in self._answering()]
        tables = torch.cat([norm.table() for norm in norms if isinstance(norm, AimedNorm)], dim=1)
        scale = (told * self.spread_scale).sum(1, keepdim=True)
        table = torch.cat([scale, factors.flatten(1), shares(every[:, None]) @ tables], dim=1)
        channels = [gains.shape[-1]] * len(self.answer) + [
            layer.conv.out_channels for layer in self._answering()
        ]
        row = table.index_select(0, lookahead[None])
        found = row.split([1, *(each for each in channels for _ in range(2))], dim=1)
        pairs = list(zip(found[1::2], found[2::2], strict=True))
        return found[0], pairs[: len(self.answer)], iter(pairs[len(self.answer) :])


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
    if aim is None:
        scale, offset = layer.scale_and_offset()
        # Weights times the norm's scale: runtimes compute that once, when they open the graph.
        return torch.relu(nn.functional.linear(gathered, matrix * scale[:, None], offset))
    scale, offset = aim
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
    """`Double` of a matrix, (rows · time, inputs) → (rows · 2 · time, outputs)."""
    assert isinstance(layer, Double)
    weight, bias = layer.conv.weight[:, :, 0], layer.conv.bias
    assert bias is not None
    # The channels of the earlier sample first: then both samples lie as they follow each other.
    weight, bias = (each.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1) for each in (weight, bias))
    return nn.functional.linear(x, weight, bias).reshape(-1, layer.conv.out_channels // 2)
