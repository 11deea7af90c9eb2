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

from models.networks.hand_back import HandBack
from models.networks.step_layers import (
    BASELINES_HZ,
    MAX_LOOKAHEAD,
    AimedNorm,
    Baselines,
    Causal,
    Double,
    Memory,
    Residual,
    shares,
)

BLOCK = 4
"""Samples that go into the trunk as one; a step takes a multiple of it."""
QUIETEST_MV, LOUDEST_MV = 1e-3, 10.0
"""The spread stays between these."""


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
        self.answer = nn.ModuleList(Residual(channels, dilation, aimed=True) for dilation in after)
        self.fine = Causal(2, third, 15, aimed=True)
        self.coarse = Causal(third, quarter, 8, stride=2, aimed=True)
        self.up = nn.ModuleList((Double(channels, 2 * third), Double(2 * third, third)))
        self.merge = nn.ModuleList(
            (
                Causal(2 * third + quarter, 2 * third, 5, aimed=True),
                Causal(2 * third, third, 9, aimed=True),
            )
        )
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
        self._frozen = False
        self.hand_back = HandBack()
        answering = (layer.shape for layer in self._answering())
        self._answered = [(2, MAX_LOOKAHEAD), *answering, *self.hand_back.shapes]

    def freeze(self) -> None:
        """Keep the statistics of every norm as they are, also while the network learns."""
        self._frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> "LowDelay":
        """Learn, or run; frozen norms stay as they are."""
        super().train(mode)
        for module in self.modules():
            if self._frozen and isinstance(module, nn.BatchNorm1d | AimedNorm):
                module.eval()
        return self

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

    def answers(
        self, x: Tensor, lookaheads: Sequence[int], first: Tensor | None = None
    ) -> list[tuple[Tensor, int]]:
        """A whole stretch from its beginning, for several look-aheads: what is heard is shared.

        Parameters
        ----------
        first
            What the low-passes begin with, (rows, 1) mV [default: the first sample].

        Returns
        -------
        list
            The answer as of `forward`, and the look-ahead that it is for.
        """
        state = self.initial_state(x[:, :, 0] if first is None else first)
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
        aims = iter(self._aims(lookahead))
        fine = self.fine(delayed, memory, next(aims))
        coarse = self.coarse(fine, memory, next(aims))
        gains = self.aim(told[None, :3]).unflatten(1, (len(self.answer), 2, -1))
        for block, part in zip(self.answer, gains.unbind(1), strict=True):
            gain, offset = part.unsqueeze(-1).unbind(1)
            h = block(h * (1 + gain) + offset, memory, next(aims))
        h = self.merge[0](torch.cat([self.up[0](h), coarse], dim=1), memory, next(aims))
        h = self.merge[1](torch.cat([self.up[1](h), fine], dim=1), memory, next(aims))
        head = self.head(h).float()
        answer, after = self._answer(
            head, delayed, (told * self.spread_scale).sum(), (memory.next(), memory.next(1))
        )
        for each in after:
            memory.keep(each)
        return answer

    def _answer(
        self, head: Tensor, delayed: Tensor, scale: Tensor, before: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The answer of `forward`, and the state of what hands back.

        Parameters
        ----------
        head
            What is made, how much of the input passes, and the logarithm of the error, (rows, 3, samples).
        delayed
            The signal less its baselines, (rows, 2, samples): the second less nothing but its slowest drift.
        scale
            What is added to that logarithm, a single number.
        before
            As of `HandBack.forward`.
        """
        made, passed, spread = head.split(1, dim=1)
        signal, came = delayed.float().split(1, dim=1)
        cleaned = torch.sigmoid(passed) * signal + made
        error = (spread + scale).clamp(math.log(QUIETEST_MV), math.log(LOUDEST_MV)).exp()
        added, after = self.hand_back(came / self.baselines.scales[0, 1] - cleaned, error, before)
        return torch.cat([cleaned + added, error], dim=1), after

    def _answering(self) -> list[Causal]:
        """The layers that know the look-ahead, in the order of their turns."""
        return [self.fine, self.coarse, *(block.listen for block in self.answer), *self.merge]

    def _aims(self, lookahead: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What those layers are told of a look-ahead: one look into all of their tables."""
        share = shares(lookahead)
        norms = [layer.norm for layer in self._answering()]
        tables = [norm.table() for norm in norms if isinstance(norm, AimedNorm)]
        found = (share @ torch.cat(tables, dim=1)).split([table.shape[1] for table in tables])
        return [(share, each) for each in found]
