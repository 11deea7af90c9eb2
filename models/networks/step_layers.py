"""Layers of a network that keeps state: each takes its memory from a packed state and leaves it there."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

FS = 360.0
MAX_LOOKAHEAD = 108
"""Samples: 300 ms."""
POINT_EVERY = 9
"""Samples, 25 ms, between the look-aheads at which an aimed layer knows its statistics."""
POINTS = MAX_LOOKAHEAD // POINT_EVERY + 1
BASELINES_HZ = (0.5, 0.05)
"""Corners of the one-pole low-passes that are taken off the signal."""
LONGEST_SCAN = 720
"""Samples over which the low-passes run at once: longer, and single precision would lose them."""


class Memory:
    """Newest samples of every layer, taken from a packed state and packed again.

    Layers ask in the same order in every pass. A state holds one sample of all channels after another,
    as `MemoryByTime` wants it; layers here take channels first.

    Parameters
    ----------
    state
        (rows, numbers).
    shapes
        (channels, samples) of each layer's memory, in order.
    """

    def __init__(self, state: Tensor, shapes: Sequence[tuple[int, int]]) -> None:
        self._pieces = state.split([channels * samples for channels, samples in shapes], dim=1)
        self._shapes = shapes
        self._new: list[Tensor] = []

    def next(self, after: int = 0) -> Tensor:
        """Memory of the layer whose turn it is, or of one after it, (rows, channels, samples)."""
        place = len(self._new) + after
        channels, samples = self._shapes[place]
        return self._turned(self._pieces[place].unflatten(1, (samples, channels)))

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
        return torch.cat([self._turned(new).flatten(1) for new in self._new], dim=1)

    @staticmethod
    def _turned(piece: Tensor) -> Tensor:
        """From the axes of the state to those of the layers, or back."""
        return piece.transpose(1, 2)


class MemoryByTime(Memory):
    """The same for layers that take (rows, samples, channels)."""

    def extend(self, x: Tensor) -> Tensor:
        """Put what came before in front of x, (rows, time, channels), and remember the newest."""
        old = self.next()
        joined = torch.cat([old, x], dim=1)
        self.keep(joined[:, -old.shape[1] :])
        return joined

    def newest(self, after: int = 0) -> Tensor:
        """What `next` says of a memory of one sample, (rows, channels); it is kept in that shape as well."""
        return self._pieces[len(self._new) + after]

    @staticmethod
    def _turned(piece: Tensor) -> Tensor:
        return piece


def shares(lookahead: Tensor) -> Tensor:
    """How much of a look-ahead's statistics each point tells, (`POINTS`,): a straight line between two."""
    points = torch.arange(POINTS, device=lookahead.device)
    return torch.relu(1 - (lookahead / POINT_EVERY - points).abs())


class AimedNorm(nn.Module):
    """Batch norm whose statistics depend on the look-ahead.

    The look-ahead shifts the features of the answering half, so that one mean and one variance for
    all look-aheads fit none of them. Here each point has its own, and between points the scale and the
    offset that follow from them run straight.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.eps, self.momentum = 1e-5, 0.1
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(POINTS, channels))
        self.register_buffer("running_var", torch.ones(POINTS, channels))

    def table(self) -> Tensor:
        """What each point multiplies with and then adds, (`POINTS`, 2 · channels)."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return torch.cat([scale, self.bias - self.running_mean * scale], dim=1)

    @torch.no_grad()
    def note(self, x: Tensor, share: Tensor) -> None:
        """Let the points near a look-ahead learn from features (rows, channels, time) for it."""
        variance, mean = torch.var_mean(x.float(), dim=(0, 2))
        step = self.momentum * share[:, None]
        self.running_mean += step * (mean - self.running_mean)
        self.running_var += step * (variance - self.running_var)


class Causal(nn.Module):
    """Convolution over what is known → batch norm → ReLU; time is divided by the stride.

    While a network learns with its norms frozen they are part of the convolution, as they are in the
    graph that runs: nothing then differs between training and running, and a step is cheaper.

    Parameters
    ----------
    aimed
        The norm's statistics depend on the look-ahead.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        *,
        aimed: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
        self.norm: nn.Module = AimedNorm(outputs) if aimed else nn.BatchNorm1d(outputs)
        self.shape = (inputs, dilation * (kernel - 1) - stride + 1)

    def forward(self, x: Tensor, memory: Memory, aim: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Features of the next layer.

        Parameters
        ----------
        aim
            Of an aimed layer: the `shares` of the look-ahead, and what `AimedNorm.table` says of it.
        """
        x = memory.extend(x)
        norm = self.norm
        if self.training and not norm.training:
            scale, offset = self.scale_and_offset(aim)
            weight = self.conv.weight * scale[:, None, None]
            folded = nn.functional.conv1d(
                x, weight, offset, stride=self.conv.stride, dilation=self.conv.dilation
            )
            return torch.relu(folded)
        x = self.conv(x)
        if not isinstance(norm, AimedNorm):
            return torch.relu(norm(x))
        assert aim is not None
        if norm.training:
            norm.note(x, aim[0])
            return torch.relu(nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, True))
        scale, offset = aim[1][:, None].chunk(2)
        return torch.relu(x * scale + offset)

    def scale_and_offset(self, aim: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """What the norm multiplies with and then adds, (outputs,) each."""
        norm = self.norm
        if isinstance(norm, nn.BatchNorm1d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            return scale, norm.bias - norm.running_mean * scale
        assert aim is not None
        scale, offset = aim[1].chunk(2)
        return scale, offset


class Residual(nn.Module):
    """A causal convolution and a mixing of channels, added to their input."""

    def __init__(self, channels: int, dilation: int, *, aimed: bool = False) -> None:
        super().__init__()
        self.listen = Causal(channels, channels, 3, dilation=dilation, aimed=aimed)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, memory: Memory, aim: tuple[Tensor, Tensor] | None = None) -> Tensor:
        return x + self.mix(self.listen(x, memory, aim))


class Double(nn.Module):
    """Twice the rate: every sample makes two; (rows, inputs, time) → (rows, outputs, 2 · time)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, 2 * outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).unflatten(1, (-1, 2)).transpose(2, 3).flatten(2)


class LowPasses(nn.Module):
    """One-pole low-passes, all in one scan; they carry their last values, (rows, channels, 1).

    Parameters
    ----------
    decay
        What is left of each after a sample.
    longest
        Samples over which they run at once: longer, and single precision would lose them.
    """

    powers: Tensor
    gains: Tensor

    def __init__(self, decay: Sequence[float], longest: int) -> None:
        super().__init__()
        powers = torch.tensor(decay, dtype=torch.float64)[:, None] ** torch.arange(longest + 1)
        self.register_buffer("powers", powers.float()[None], persistent=False)
        gains = [1 - each for each in decay]
        self.register_buffer("gains", torch.tensor(gains)[None, :, None], persistent=False)
        self.shape = (len(decay), 1)
        self._longest = longest

    def follow(self, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """What they let through of (rows, channels or 1, time), and their last values."""
        pieces = [x] if x.shape[-1] <= self._longest else x.split(self._longest, dim=-1)
        slow = []
        for piece in pieces:
            # The sum of a low-pass over a piece, written as a cumulative sum.
            powers = self.powers[..., 1 : piece.shape[-1] + 1]
            slow.append(before + powers * torch.cumsum(self.gains * (piece - before) / powers, dim=-1))
            before = slow[-1][..., -1:]
        return (torch.cat(slow, dim=-1) if len(slow) > 1 else slow[0]), before


class Baselines(LowPasses):
    """Signal less its slow parts: (rows, 1, time) mV → (rows, 2, time).

    The low-passes begin at the first sample of a stream, so that its offset does not matter; their
    values lead the state.
    """

    scales: Tensor

    def __init__(self) -> None:
        super().__init__([math.exp(-2 * math.pi * corner / FS) for corner in BASELINES_HZ], LONGEST_SCAN)
        self.register_buffer("scales", torch.tensor([1.0, 0.2])[None, :, None], persistent=False)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        slow, last = self.follow(x, memory.next())
        memory.keep(last)
        return self.scales * (x - slow)
