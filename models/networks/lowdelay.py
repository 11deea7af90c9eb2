"""The low-delay network: causal, with a fixed look-ahead, keeping its state from step to step.

Published denoisers answer whole windows, and are at their worst at the newest samples. This one
sees the signal up to now and answers for the sample that came a look-ahead ago; one set of weights
serves every look-ahead, which is an input. A dilated causal trunk and a GRU at 90 Hz listen; what
they know is told the look-ahead (feature-wise gains and offsets, Perez et al., AAAI 2018,
arXiv 1709.07871) and decoded beside the signal of that moment, kept in a delay line.

A forward pass takes any number of samples with the state that the last one left, so training on
11 s at once and streaming 11 ms at a time are the same code. Ours, from the measurements that
`docs/results/frontier` repeats; no paper describes it.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

FS = 360.0
BLOCK = 4
"""Samples that go into the trunk as one; a step takes a multiple of it."""
MAX_LOOKAHEAD = 108
"""Samples: 300 ms."""
BASELINES_HZ = (0.5, 0.05)
"""Corners of the one-pole low-passes that are taken off the signal."""
LONGEST_SCAN = 720
"""Samples over which the low-passes run at once: longer, and single precision would lose them."""
QUIETEST_MV, LOUDEST_MV = 1e-3, 10.0
"""The spread stays between these."""


class Memory:
    """Newest samples of every layer, taken from a packed state and packed again.

    Layers ask in the same order in every pass.

    Parameters
    ----------
    state
        (rows, numbers).
    shapes
        (channels, samples) of each layer's memory, in order.
    """

    def __init__(self, state: Tensor, shapes: Sequence[tuple[int, int]]) -> None:
        pieces = state.split([channels * samples for channels, samples in shapes], dim=1)
        self._old = [piece.unflatten(1, shape) for piece, shape in zip(pieces, shapes, strict=True)]
        self._new: list[Tensor] = []

    def next(self) -> Tensor:
        """Memory of the layer whose turn it is, (rows, channels, samples)."""
        return self._old[len(self._new)]

    def keep(self, new: Tensor) -> None:
        """What that layer remembers from now on."""
        self._new.append(new)

    def extend(self, x: Tensor) -> Tensor:
        """Put what came before in front of x, (rows, channels, time), and remember the newest."""
        old = self.next()
        joined = torch.cat([old.to(x.dtype), x], dim=-1)
        self.keep(joined[..., -old.shape[-1] :])
        return joined

    def packed(self) -> Tensor:
        """The state for the next step."""
        return torch.cat([new.flatten(1) for new in self._new], dim=1)


class Causal(nn.Module):
    """Convolution over what is known → batch norm → ReLU; time is divided by the stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.shape = (inputs, dilation * (kernel - 1) - stride + 1)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        return torch.relu(self.norm(self.conv(memory.extend(x))))


class Residual(nn.Module):
    """A causal convolution and a mixing of channels, added to their input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.listen = Causal(channels, channels, 3, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        return x + self.mix(self.listen(x, memory))


class Double(nn.Module):
    """Twice the rate: every sample makes two; (rows, inputs, time) → (rows, outputs, 2 · time)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, 2 * outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).unflatten(1, (-1, 2)).transpose(2, 3).flatten(2)


class Baselines(nn.Module):
    """Signal less its slow parts: (rows, 1, time) mV → (rows, 2, time).

    The low-passes begin at the first sample of a stream, so that its offset does not matter; their
    values lead the state.
    """

    powers: Tensor
    gains: Tensor
    scales: Tensor

    def __init__(self) -> None:
        super().__init__()
        decay = [math.exp(-2 * math.pi * corner / FS) for corner in BASELINES_HZ]
        powers = torch.tensor(decay, dtype=torch.float64)[:, None] ** torch.arange(LONGEST_SCAN + 1)
        self.register_buffer("powers", powers.float()[None], persistent=False)
        self.shape = (len(decay), 1)
        gains = [1 - each for each in decay]
        self.register_buffer("gains", torch.tensor(gains)[None, :, None], persistent=False)
        self.register_buffer("scales", torch.tensor([1.0, 0.2])[None, :, None], persistent=False)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        pieces = [x] if x.shape[-1] <= LONGEST_SCAN else x.split(LONGEST_SCAN, dim=-1)
        slow, before = [], memory.next()
        for piece in pieces:
            # The sum of a low-pass over a piece, written as a cumulative sum.
            powers = self.powers[..., 1 : piece.shape[-1] + 1]
            slow.append(before + powers * torch.cumsum(self.gains * (piece - before) / powers, dim=-1))
            before = slow[-1][..., -1:]
        memory.keep(before)
        return self.scales * (x - (torch.cat(slow, dim=-1) if len(slow) > 1 else slow[0]))


class LowDelay(nn.Module):
    """Cleans a lead step by step.

    Parameters
    ----------
    channels
        Of the trunk, at 90 Hz.
    hidden
        Of the GRU.
    before, after
        Dilations of the trunk's blocks before and after the look-ahead is known.
    """

    def __init__(
        self,
        channels: int = 96,
        hidden: int = 128,
        before: tuple[int, ...] = (1, 2, 4, 8, 16),
        after: tuple[int, ...] = (1, 2, 4, 8),
    ) -> None:
        super().__init__()
        quarter, third = channels // 4, channels // 6
        self.baselines = Baselines()
        self.encoder = nn.ModuleList(
            (
                Causal(2, quarter, 15),
                Causal(quarter, 2 * quarter, 8, stride=2),
                Causal(2 * quarter, channels, 8, stride=2),
            )
        )
        self.trunk = nn.ModuleList(Residual(channels, dilation) for dilation in before)
        self.gru = nn.GRU(channels, hidden, batch_first=True)
        self.recall = nn.Conv1d(hidden, channels, 1)
        gains = nn.Linear(32, 2 * channels * len(after))
        self.aim = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), gains)
        self.answer = nn.ModuleList(Residual(channels, dilation) for dilation in after)
        self.fine = Causal(2, third, 15)
        self.coarse = Causal(third, quarter, 8, stride=2)
        self.up = nn.ModuleList((Double(channels, 2 * third), Double(2 * third, third)))
        self.merge = nn.ModuleList((Causal(2 * third + quarter, 2 * third, 5), Causal(2 * third, third, 9)))
        self.head = nn.Conv1d(third, 3, 1)
        with torch.no_grad():
            gains.weight.mul_(0.1)
            gains.bias.zero_()
            # At first what is heard passes, and the spread is a tenth of a millivolt.
            self.head.bias.copy_(torch.tensor([0.0, 2.0, math.log(0.1)]))  # type: ignore[union-attr]
        # Logarithm of what the spread is multiplied with, linear in what says the look-ahead.
        self.spread_scale = nn.Parameter(torch.zeros(4))
        order = (*self.encoder, *(block.listen for block in self.trunk))
        self._heard = [self.baselines.shape, *(layer.shape for layer in order), (hidden, 1)]
        answering = (self.fine, self.coarse, *(block.listen for block in self.answer), *self.merge)
        self._answered = [(2, MAX_LOOKAHEAD), *(layer.shape for layer in answering)]

    @property
    def heard(self) -> int:
        """Numbers of the state that do not depend on the look-ahead; they come first."""
        return sum(channels * samples for channels, samples in self._heard)

    @property
    def state_size(self) -> int:
        """Numbers that a row carries from step to step."""
        return self.heard + sum(channels * samples for channels, samples in self._answered)

    def initial_state(self, first: Tensor) -> Tensor:
        """State before the first sample, (rows, 1) mV → (rows, numbers)."""
        baselines = len(BASELINES_HZ)
        rest = first.new_zeros(len(first), self.state_size - baselines)
        return torch.cat([first.expand(-1, baselines), rest], dim=1)

    def forward(self, x: Tensor, state: Tensor, lookahead: Tensor) -> tuple[Tensor, Tensor]:
        """One step.

        Parameters
        ----------
        x
            Newest samples, (rows, 1, samples) mV, samples a multiple of `BLOCK`.
        state
            From `initial_state` or the step before, (rows, numbers).
        lookahead
            Samples, 0 … `MAX_LOOKAHEAD`, a whole number without axes.

        Returns
        -------
        answer, state
            The answer is (rows, 2, samples) mV: the samples of a look-ahead ago, cleaned, and their
            spread (standard deviation of the error that is to be expected).
        """
        heard = Memory(state[:, : self.heard], self._heard)
        signal, h = self.hear(x, heard)
        answered = Memory(state[:, self.heard :], self._answered)
        answer = self.tell(signal, h, answered, lookahead)
        return answer, torch.cat([heard.packed(), answered.packed()], dim=1)

    def answers(self, x: Tensor, lookaheads: Sequence[int]) -> list[tuple[Tensor, int]]:
        """A whole stretch from its beginning, for several look-aheads: what is heard is shared.

        Returns
        -------
        list
            The answer as of `forward`, and the look-ahead that it is for.
        """
        state = self.initial_state(x[:, :, 0])
        signal, h = self.hear(x, Memory(state[:, : self.heard], self._heard))
        return [
            (self.tell(signal, h, Memory(state[:, self.heard :], self._answered), at), lookahead)
            for lookahead in lookaheads
            for at in (torch.tensor(lookahead, device=x.device),)
        ]

    def scale_spread(self, factors: dict[int, float]) -> None:
        """Make the spread so many times as large, for good, by look-ahead: four of them at most."""
        told = torch.stack([self._told(torch.tensor(each)) for each in factors]).double()
        wanted = torch.tensor([math.log(each) for each in factors.values()], dtype=torch.float64)
        with torch.no_grad():
            scale = torch.linalg.lstsq(told, wanted, driver="gelsd").solution
            self.spread_scale.add_(scale.float())

    def hear(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """All that does not depend on the look-ahead: the signal less its baseline, and features."""
        signal = h = self.baselines(x, memory)
        for layer in (*self.encoder, *self.trunk):
            h = layer(h, memory)
        remembered = memory.next().transpose(1, 2).transpose(0, 1).contiguous()
        # In half precision a processor's GRU is slower, and forgets.
        with torch.autocast(x.device.type, enabled=False):
            out, last = self.gru(h.float().transpose(1, 2), remembered)
        memory.keep(last.transpose(0, 1).transpose(1, 2))
        return signal, h + self.recall(out.transpose(1, 2))

    @staticmethod
    def _told(lookahead: Tensor) -> Tensor:
        """A look-ahead as a network understands it, (4,); the last is 1."""
        share = lookahead.float() / MAX_LOOKAHEAD
        return torch.stack([share, share.sqrt(), torch.exp(-10 * share), torch.ones_like(share)])

    def tell(self, signal: Tensor, h: Tensor, memory: Memory, lookahead: Tensor) -> Tensor:
        """The answer for the samples of a look-ahead ago."""
        line = memory.extend(signal)
        now = torch.arange(signal.shape[-1], device=signal.device) + MAX_LOOKAHEAD
        delayed = line.index_select(-1, now - lookahead)
        told = self._told(lookahead)
        aim = self.aim(told[None, :3])
        fine = self.fine(delayed, memory)
        coarse = self.coarse(fine, memory)
        for block, part in zip(
            self.answer, aim.unflatten(1, (len(self.answer), 2, -1)).unbind(1), strict=True
        ):
            gain, offset = part.unsqueeze(-1).unbind(1)
            h = block(h * (1 + gain) + offset, memory)
        h = self.merge[0](torch.cat([self.up[0](h), coarse], dim=1), memory)
        h = self.merge[1](torch.cat([self.up[1](h), fine], dim=1), memory)
        made, passed, spread = self.head(h).float().unbind(1)
        cleaned = torch.sigmoid(passed) * delayed[:, 0] + made
        spread = spread + (told * self.spread_scale).sum()
        spread = spread.clamp(math.log(QUIETEST_MV), math.log(LOUDEST_MV)).exp()
        return torch.stack([cleaned, spread], dim=1)
