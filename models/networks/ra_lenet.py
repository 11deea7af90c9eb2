"""RA-LENet: a U-shaped transformer with attention to the R wave and local enhancement.

Paper: Zhu, Zhu & Liu, "RA-LENet: R-Wave Attention and Local Enhancement for Noise Reduction in ECG
Signals", IJCNN 2024 (doi 10.1109/IJCNN60899.2024.10650979). Source: the authors' code,
github.com/caprilovel/ECG_Denoise at 88d80c7; where the paper's figure differs, the code counts.

Deviations, unless `replica`, in three places where the original cannot work on a stream or is not what
the paper says: the relative-position bias holds wherever two tokens are near instead of in the middle
of the window alone, where the original expects the R peak; local enhancement convolves all hidden
channels instead of the first one; and growing interleaves tokens instead of putting one half of the
window behind the other. 1 087 282 parameters as published, 1 098 940 as corrected (the convolutions).
"""

import math

import torch
from torch import Tensor, nn

WINDOW = 256
DIM = 8
HEAD_DIM = 4
LEVELS = 4
REACH = 32
"""Tokens of the finest level over which the R-wave bias reaches; half as many per level."""


class RWaveBias(nn.Module):
    """Learnt bias between tokens by their distance: (heads, tokens, tokens), zero where they are far."""

    def __init__(self, heads: int, tokens: int, reach: int, *, replica: bool) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(2 * reach - 1, heads))
        place = torch.arange(tokens)
        distance = place[:, None] - place
        if replica:
            first = (tokens - reach) // 2
            middle = (place >= first) & (place < first + reach)
            near = middle[:, None] & middle
        else:
            near = distance.abs() < reach
        self.register_buffer("near", near.float(), persistent=False)
        index = (distance.clamp(1 - reach, reach - 1) + reach - 1).flatten()
        self.register_buffer("index", index, persistent=False)
        self.near: Tensor
        self.index: Tensor

    def forward(self) -> Tensor:
        # `table[index]` would be exported as a GatherND, which TensorRT runs slowly.
        bias = self.table.index_select(0, self.index).unflatten(0, self.near.shape)
        return bias.permute(2, 0, 1) * self.near


def _position(tokens: int, dim: int) -> Tensor:
    """Sinusoidal position code of Vaswani et al., 2017, shape (tokens, dim)."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000.0) / dim))
    angle = torch.arange(tokens)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class LocalEnhancement(nn.Module):
    """Feed-forward layer that looks at its neighbours in time; (batch, tokens, dim) kept."""

    def __init__(self, dim: int, *, replica: bool) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.enhanced = 1 if replica else 4 * dim
        self.along = nn.Conv1d(self.enhanced, self.enhanced, 3, padding=1, groups=self.enhanced, bias=False)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.widen(x))
        local = self.along(h[..., : self.enhanced].transpose(1, 2)).transpose(1, 2)
        if self.enhanced < h.shape[-1]:
            local = torch.cat([local, h[..., self.enhanced :]], dim=-1)
        output: Tensor = self.narrow(self.activation(local))
        return output


class Block(nn.Module):
    """Attention with positions that are added anew, then local enhancement; (batch, tokens, dim)."""

    def __init__(self, dim: int, tokens: int, *, replica: bool) -> None:
        super().__init__()
        self.dim, self.heads = dim, dim // HEAD_DIM
        self.register_buffer("position", _position(tokens, dim), persistent=False)
        self.position: Tensor
        self.norm, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.project = nn.Linear(dim, dim)
        self.feed = LocalEnhancement(dim, replica=replica)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        h = self.norm(math.sqrt(self.dim) * x + self.position)
        query, key, value = (
            layer(h).unflatten(-1, (self.heads, HEAD_DIM)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        logits = query @ key.transpose(-1, -2) / math.sqrt(HEAD_DIM)
        if bias is not None:
            logits = logits + bias
        attended = (torch.softmax(logits, dim=-1) @ value).transpose(1, 2).flatten(2)
        x = x + self.project(attended)
        output: Tensor = x + self.feed(self.norm2(x))
        return output


class Merge(nn.Module):
    """Two neighbouring tokens become one of twice the width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.LayerNorm(2 * dim), nn.Linear(2 * dim, 2 * dim, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.mix(torch.cat([x[:, ::2], x[:, 1::2]], dim=-1))
        return output


class Split(nn.Module):
    """One token becomes two of half the width: neighbours, or (`replica`) half a window apart."""

    def __init__(self, dim: int, *, replica: bool) -> None:
        super().__init__()
        self.replica = replica
        self.mix = nn.Sequential(nn.LayerNorm(dim // 2), nn.Linear(dim // 2, dim // 2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=-1)
        together = (
            torch.cat([first, second], dim=1)
            if self.replica
            else torch.stack([first, second], dim=2).flatten(1, 2)
        )
        output: Tensor = self.mix(together)
        return output


class RALENet(nn.Module):
    """Cleans pairs of leads: (batch, 2, 256) → the same shape.

    Parameters
    ----------
    replica
        As published: bias in the window's middle, one channel enhanced, halves side by side.
    """

    def __init__(self, *, replica: bool = False) -> None:
        super().__init__()
        dims = [DIM << level for level in range(LEVELS + 1)]
        tokens = [WINDOW >> level for level in range(LEVELS + 1)]

        def blocks(level: int) -> nn.ModuleList:
            return nn.ModuleList(Block(dims[level], tokens[level], replica=replica) for _ in range(2))

        self.stem = nn.Sequential(nn.Conv1d(2, DIM, 3, padding=1), nn.LeakyReLU(0.2), nn.BatchNorm1d(DIM))
        # The decoder uses the encoder's biases.
        self.bias = nn.ModuleList(
            RWaveBias(dims[level] // HEAD_DIM, tokens[level], REACH >> level, replica=replica)
            for level in range(LEVELS)
        )
        self.encoder = nn.ModuleList(blocks(level) for level in range(LEVELS))
        self.merge = nn.ModuleList(Merge(dims[level]) for level in range(LEVELS))
        self.middle = blocks(LEVELS)
        self.decoder = nn.ModuleList(blocks(level) for level in range(LEVELS, 0, -1))
        self.split = nn.ModuleList(Split(dims[level], replica=replica) for level in range(LEVELS, 0, -1))
        self.head = nn.Conv1d(DIM, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        x = stem.transpose(1, 2)
        biases: list[Tensor | None] = [bias() for bias in self.bias]
        skips = []
        for blocks, merge, bias in zip(self.encoder, self.merge, biases, strict=True):
            x = merge(_through(blocks, x, bias))
            skips.append(x)
        x = _through(self.middle, x, None) + skips.pop()
        for blocks, split, bias in zip(self.decoder, self.split, [None, *biases[:0:-1]], strict=True):
            x = split(_through(blocks, x, bias))
            if skips:
                x = x + skips.pop()
        output: Tensor = self.head(x.transpose(1, 2) + stem)
        return output


def _through(blocks: nn.Module, x: Tensor, bias: Tensor | None) -> Tensor:
    for block in blocks.children():
        x = block(x, bias)
    return x
