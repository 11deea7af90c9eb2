"""Examples for a network that keeps state: what a bed sends, and what it should be cleaned to.

Rows of ten seconds of every patient at hand, and noise tapes, lie on the training device; a batch is
stretched, mixed and scaled there, so that neither a processor nor a GPU waits for Python.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.benches.track_f import FS
from models.training.data import Corpus, load_corpus
from models.training.patients import ROW_S, load_noise, load_rows
from streamer.chunk import Samples
from streamer.noise import noise_gain
from streamer.records.record import clean_reference

ROW = round(ROW_S * FS)
STRETCH = 1.2
"""A patient's time runs up to so many times as fast, or as slow."""
CLEAN_SHARE = 0.22
"""Share of examples without added noise: most of what a bed sends is clean."""
OWN_DRIFT_SHARE = 0.5
"""Share of examples that keep the record's own drift, as a live stream does."""
MIX_SHARE = 0.3
"""Share of examples that are a mixture of two leads of a record: another lead of the same heart."""
BURST_SHARE = 0.5
"""Share of examples whose noise swells and fades."""
SNR_RANGE_DB = (-14.0, 12.0)
"""Above, an example is all but clean; electrodes that move are far below their mean for seconds."""
PATIENTS_SHARE = 0.4
"""Share of examples from the folder of patients, where there is one."""
VENTRICULAR_SHARE = 0.25
"""Share of the examples of Track F's and the QT Database's patients that hold a ventricular beat, besides
those that chance brings: they are rare, and look like an electrode that moves."""
NOISE_SHARES = {
    "em": 0.36, "bw": 0.1, "ma": 0.11, "myo": 0.1, "contact": 0.08, "jolt": 0.06, "steps": 0.06,
    "hum": 0.06, "hiss": 0.04, "emg": 0.03,
}  # fmt: skip
"""How often each kind of noise is heard; those that are not at hand leave their share to the others."""
_MADE_S = 300.0
_KNOTS = 8
_MADE_SEED = 11


@dataclass(frozen=True)
class Pool:
    """Rows of patients and tapes of noise on a device, at 360 Hz.

    Parameters
    ----------
    raw, clean
        (rows, `ROW`) mV; `clean` is the zero-phase 0.5 Hz reference.
    partner
        (rows,): another lead of the same patient at the same moment, or the row itself.
    chance
        (rows,): how often each row is drawn.
    noise
        Per kind a tape of unit power, (channels, samples).
    """

    raw: Tensor
    clean: Tensor
    partner: Tensor
    chance: Tensor
    noise: dict[str, Tensor]

    def to(self, device: torch.device) -> "Pool":
        """Upload to a device."""
        return Pool(
            self.raw.to(device),
            self.clean.to(device),
            self.partner.to(device),
            self.chance.to(device),
            {kind: tape.to(device) for kind, tape in self.noise.items()},
        )


def load_pool(data_dir: Path | None = None, patients: Path | None = None) -> Pool:
    """All that trains: Track F's patients, the QT Database's, and those of a folder where there is one."""
    track = load_corpus("train", data_dir, more_patients=True)
    groups = [_pairs(track)]
    noise = {kind: tape.numpy() for kind, tape in track.noise.items()} | made_tapes()
    if patients is not None:
        groups.append(_patients(patients))
        noise |= load_noise(patients, FS)
    first = np.cumsum([0, *(len(group[0]) for group in groups)])
    partner = np.concatenate([group[2] + at for group, at in zip(groups, first, strict=False)])
    shares = [1 - PATIENTS_SHARE, PATIENTS_SHARE] if patients is not None else [1.0]
    chance = np.concatenate(
        [np.full(len(group[0]), share / len(group[0])) for group, share in zip(groups, shares, strict=True)]
    )
    holding = _holding_ventricular(track)
    if holding.any():
        known = chance[: len(holding)]
        known *= 1 - VENTRICULAR_SHARE
        known += VENTRICULAR_SHARE * shares[0] * holding
    return Pool(
        torch.from_numpy(np.concatenate([group[0] for group in groups])),
        torch.from_numpy(np.concatenate([group[1] for group in groups])),
        torch.from_numpy(partner),
        torch.from_numpy(chance).float(),
        {kind: torch.from_numpy(_unit(noise[kind])) for kind in NOISE_SHARES if kind in noise},
    )


_Group = tuple[Samples, Samples, NDArray[np.int64]]
"""Raw and clean rows, and each one's partner."""


def _pairs(corpus: Corpus) -> _Group:
    """Ten-second rows of a corpus whose rows come in pairs, the leads of one record."""
    count = corpus.raw.shape[1] // ROW
    raw, clean = (
        side[:, : count * ROW].numpy().reshape(-1, count, ROW).reshape(-1, ROW)
        for side in (corpus.raw, corpus.clean)
    )
    number = np.arange(len(raw))
    lead, piece = number // count, number % count
    return raw, clean, (lead ^ 1) * count + piece


def _holding_ventricular(corpus: Corpus) -> NDArray[np.float64]:
    """Chance of each of `_pairs`' rows if it is to hold a ventricular beat; every patient's lead alike."""
    count = corpus.raw.shape[1] // ROW
    holding = np.zeros((len(corpus.raw), count))
    for row, beats in zip(holding, corpus.ventricular, strict=True):
        held = np.unique(beats // ROW)
        row[held[held < count]] = 1
    each = holding.sum(axis=1, keepdims=True)
    weights = np.divide(holding, each, where=each > 0, out=holding)
    total = weights.sum()
    return (weights / total if total else weights).reshape(-1)


def _patients(folder: Path) -> _Group:
    records = load_rows(folder, FS)
    raw = np.concatenate(records)
    clean = np.concatenate([clean_reference(record, FS) for record in records])
    raw = raw - np.median(raw, axis=1, keepdims=True)
    at, partner = 0, []
    for record in records:
        leads = len(record)
        partner.append(at + (np.arange(leads) + 1) % leads)
        at += leads
    return raw.astype(np.float32), clean, np.concatenate(partner)


def _unit(tape: NDArray[np.float32]) -> NDArray[np.float32]:
    return ((tape - tape.mean(axis=1, keepdims=True)) / tape.std(axis=1, keepdims=True)).astype(np.float32)


def made_tapes() -> dict[str, NDArray[np.float32]]:
    """Noise that no record holds: mains with harmonics, steps of the baseline, jolts; (2, samples) each."""
    from streamer.synthetic_noise import synthetic_tape

    rng = np.random.default_rng(_MADE_SEED)
    time_s = np.arange(round(_MADE_S * FS)) / FS
    hum = []
    for hz in (50, 60):
        wander = np.cumsum(rng.standard_normal(len(time_s))) / FS / 10
        phase = 2 * np.pi * (hz * time_s + wander)
        swell = 1 + 0.5 * np.sin(2 * np.pi * 0.1 * time_s + rng.random())
        hum.append(swell * (np.sin(phase) + 0.3 * np.sin(2 * phase + 1) + 0.3 * np.sin(3 * phase + 2)))
    steps = np.zeros((2, len(time_s)))
    for channel in steps:
        # An amplifier brings its baseline back within seconds, or a lead moves and stays.
        for at in rng.integers(len(time_s), size=round(_MADE_S / 5)):
            tail = np.exp(-time_s[: len(time_s) - at] / rng.choice([0.15, 0.5, 1.5, 5.0]))
            channel[at:] += rng.standard_normal() * tail
    return {
        "hum": np.stack(hum).astype(np.float32),
        "hiss": rng.standard_normal((2, len(time_s))).astype(np.float32),
        "steps": steps.astype(np.float32),
        "jolt": synthetic_tape("em", FS, _MADE_SEED),
        "emg": synthetic_tape("ma", FS, _MADE_SEED),
    }


def bedside_batch(pool: Pool, batch: int, window: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random (noisy, clean) windows in mV, each (batch, 1, window).

    The SNR holds over the window. Half of the noise is of one kind, half a mixture of some; half of it
    swells and fades within the window.
    """
    device = g.device

    def random(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((batch, *shape), generator=g, device=device)

    row = torch.multinomial(pool.chance, batch, True, generator=g)
    step = torch.exp(random(-1, 1, 1) * float(np.log(STRETCH)))
    start = 1 + random(0, 1, 1) * (ROW - 4 - window * step)
    where = start + step * torch.arange(window, device=device)
    mixes = random(0, 1, 1) < MIX_SHARE
    angle = random(-np.pi / 2, np.pi / 2, 1) * mixes
    drifts = random(0, 1, 1) < OWN_DRIFT_SHARE
    clean = _between(pool.clean, row, where)
    base = torch.where(drifts, _between(pool.raw, row, where), clean)
    other_clean = _between(pool.clean, pool.partner[row], where)
    other = torch.where(drifts, _between(pool.raw, pool.partner[row], where), other_clean)
    clean = torch.cos(angle) * clean + torch.sin(angle) * other_clean
    base = torch.cos(angle) * base + torch.sin(angle) * other

    noise = _noise(pool.noise, batch, window, g)
    level = torch.nn.functional.interpolate(
        torch.randn((batch, 1, _KNOTS), generator=g, device=device), size=window, mode="linear"
    )[:, 0]
    swings = random(0, 1.5, 1) * (random(0, 1, 1) < BURST_SHARE)
    noise = noise * torch.exp(swings * level)
    gain = noise_gain(
        clean.var(1, keepdim=True) + 1e-4, noise.var(1, keepdim=True) + 1e-9, random(*SNR_RANGE_DB, 1)
    )
    gain = torch.where(random(0, 1, 1) < CLEAN_SHARE, torch.zeros_like(gain), gain)
    sign = torch.where(random(0, 1, 1) < 0.5, -1.0, 1.0)
    scale = sign * torch.exp(0.35 * torch.randn((batch, 1), generator=g, device=device))
    return (scale * (base + gain * noise))[:, None], (scale * clean)[:, None]


def _between(rows: Tensor, row: Tensor, where: Tensor) -> Tensor:
    """Rows read between their samples, by cubics through the four nearest; `where` is (batch, time)."""
    whole = where.floor()
    t = where - whole
    first = row[:, None] * rows.shape[1] + whole.long() - 1
    flat = rows.reshape(-1)
    a, b, c, d = (flat[first + each] for each in range(4))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _noise(tapes: dict[str, Tensor], batch: int, window: int, g: torch.Generator) -> Tensor:
    """Half one kind, half two or three of random weights, (batch, window)."""
    device = g.device
    shares = torch.tensor([NOISE_SHARES[kind] for kind in tapes], device=device)
    kinds = torch.multinomial(shares.expand(batch, -1), 3, False, generator=g)
    weight = torch.rand((batch, 3), generator=g, device=device)
    weight[:, 0] += 0.1
    single = torch.rand((batch, 1), generator=g, device=device) < 0.5
    weight[:, 1:] *= ~single
    total = torch.zeros((batch, window), device=device)
    time = torch.arange(window, device=device)
    for index, tape in enumerate(tapes.values()):
        own = (weight * (kinds == index)).sum(1, keepdim=True)
        channel = torch.randint(len(tape), (batch, 1), generator=g, device=device)
        start = torch.randint(tape.shape[1] - window, (batch, 1), generator=g, device=device)
        total += own * tape.reshape(-1)[channel * tape.shape[1] + start + time]
    return total
