"""Batches to train on: Track F's patients and noise, mixed on the training device.

Everything lives on the training device: records and noise tapes are uploaded once, and a batch is
gathered, mixed and scaled there, so that a GPU never waits for Python.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor

from models.benches.track_f import (
    FS,
    LEAD,
    QTDB_TRAIN_RECORDS,
    TEST_RECORDS,
    TRAIN_RECORDS,
    VALIDATION_RECORDS,
)
from streamer.noise import KINDS, NoisePart, noise_gain
from streamer.records.find import find_record
from streamer.records.nstdb import load_tape
from streamer.records.record import (
    VENTRICULAR,
    WfdbRecord,
    bridge_missing,
    clean_reference,
    read_record,
)
from streamer.synthetic_noise import synthetic_tape

SEGMENT = 4096
"""Samples (11 s) over which the SNR of a training example is set: as long as drift is slow."""
CLEAN_SHARE = 0.1
"""Share of examples without added noise: the network must also leave a clean ECG alone."""
OWN_DRIFT_SHARE = 0.5
"""Share of examples that keep the record's own drift, as a live stream does."""
SAME_LEAD_SHARE = 0.3
"""Share of a two-lead network's examples that hold one lead twice, as a one-lead stream does."""
SNR_RANGE_DB = (-8.0, 24.0)


# Shares of the kinds among the training noises. NSTDB's muscle record holds hardly anything above
# 50 Hz, so that muscle noise as an amplifier of today sees it, hum and hiss are made.
RECORDED_SHARE = 0.25
MADE_SHARE = 0.25 / 3
_MADE_S = 300.0


@dataclass(frozen=True)
class Corpus:
    """Records and noise on a device, at 360 Hz.

    Parameters
    ----------
    raw, clean
        Every lead of every record as one row, in mV, shape (rows, samples); `clean` is the
        zero-phase 0.5 Hz reference. For two-lead networks the rows of a record are a pair, MLII
        first.
    noise
        Per kind, recorded and made, a unit-power tape of two channels, shape (2, samples).
    ventricular
        Per row the samples of its ventricular beats, as annotated.
    """

    raw: Tensor
    clean: Tensor
    noise: dict[str, Tensor]
    ventricular: tuple[NDArray[np.int64], ...]

    def to(self, device: torch.device) -> "Corpus":
        """Upload to a device."""
        noise = {kind: tape.to(device) for kind, tape in self.noise.items()}
        return Corpus(self.raw.to(device), self.clean.to(device), noise, self.ventricular)


def load_corpus(
    part: NoisePart, data_dir: Path | None = None, leads: int = 1, *, more_patients: bool = False
) -> Corpus:
    """Records and noise of one part of Track F, for a network that takes `leads` together.

    Training takes both leads of each record, for the product meets any lead; validation takes
    MLII alone, as the test does. A two-lead network gets both leads in every part.
    """
    names = {"train": TRAIN_RECORDS, "validation": VALIDATION_RECORDS, "test": TEST_RECORDS}
    every = part == "train" or leads > 1
    records = [_record(name, every, data_dir) for name in names[part]]
    if more_patients and part == "train":
        # Rows as long as those of the other database, so that every second is as likely.
        more = [_qtdb_record(name, data_dir) for name in QTDB_TRAIN_RECORDS]
        length = min(data.shape[1] for data, _ in more)
        records = [_piece(record, at, length) for record in records for at in _starts(record, length)]
        records += [_piece(record, 0, length) for record in more]
    raw = np.concatenate([data for data, _ in records])
    tapes = {kind: load_tape(kind, part, FS, data_dir) for kind in KINDS} | _made_tapes(part)
    return Corpus(
        torch.from_numpy(raw - np.median(raw, axis=1, keepdims=True)),
        torch.from_numpy(clean_reference(raw, FS)),
        {kind: torch.from_numpy(tape / tape.std(axis=1, keepdims=True)) for kind, tape in tapes.items()},
        tuple(beats for data, beats in records for _ in data),
    )


_Record = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Leads, (leads, samples) in mV, and the samples of the ventricular beats."""


def _starts(record: _Record, length: int) -> range:
    return range(0, record[0].shape[1] - length + 1, length)


def _piece(record: _Record, at: int, length: int) -> _Record:
    data, beats = record
    return data[:, at : at + length], beats[(beats >= at) & (beats < at + length)] - at


def _record(name: str, every: bool, data_dir: Path | None) -> _Record:
    """MLII of a record, or MLII and then its other lead."""
    record = read_record(find_record(name, "mitdb", data_dir), None if every else (LEAD,))
    order = sorted(range(len(record.leads)), key=lambda row: record.leads[row] != LEAD)
    return bridge_missing(record.data)[order], _ventricular(record, 1)


def _qtdb_record(name: str, data_dir: Path | None) -> _Record:
    """Both leads of a record of the QT Database at 360 Hz."""
    record = read_record(find_record(name, "qtdb", data_dir))
    data = resample_poly(bridge_missing(record.data), 36, 25, axis=1, padtype="line")
    return data.astype(np.float32), _ventricular(record, 36 / 25)


def _ventricular(record: WfdbRecord, ticks: float) -> NDArray[np.int64]:
    marks = [mark.sample for mark in record.annotations if mark.symbol in VENTRICULAR]
    return np.round(ticks * np.array(marks, np.float64)).astype(np.int64)


def _made_tapes(part: NoisePart) -> dict[str, NDArray[np.float32]]:
    """Muscle noise of 20 Hz and more, mains hum of both frequencies, and hiss, (2, samples) each."""
    seed = {"train": 1, "validation": 2, "test": 3, "all": 4}[part]
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(_MADE_S * FS)) / FS
    hum = np.stack([np.sin(2 * np.pi * (hz * time_s + rng.random())) for hz in (50, 60)])
    return {
        "emg": synthetic_tape("ma", FS, seed),
        # Slowly swelling, as a cable that moves.
        "hum": (hum * (1 + 0.5 * np.sin(2 * np.pi * 0.1 * time_s))).astype(np.float32),
        "hiss": rng.standard_normal((2, len(time_s))).astype(np.float32),
    }


def _gather(rows: Tensor, chosen: Tensor, start: Tensor, length: int) -> Tensor:
    """Segments (batch, leads, length) of the `chosen` rows (batch, leads), from `start` (batch,)."""
    index = start[:, None] + torch.arange(length, device=rows.device)
    return rows[chosen[..., None], index[:, None]]


def _cut(segments: Tensor, start: Tensor, length: int) -> Tensor:
    """The part of each segment (batch, leads, samples) that begins at its `start` (batch,)."""
    index = start[:, None] + torch.arange(length, device=segments.device)
    return segments.gather(2, index[:, None].expand(-1, segments.shape[1], -1))


def _random(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    unit = torch.rand(shape, generator=generator, device=generator.device)
    return low + (high - low) * unit


def noisy_batch(
    corpus: Corpus, batch: int, window: int, generator: torch.Generator, leads: int = 1
) -> tuple[Tensor, Tensor]:
    """Random (noisy, clean) windows in mV, each (batch, leads, window).

    Half of the examples carry one kind of noise, half a random mixture; sign and gain vary, and
    some windows begin with a constant, as the first windows of a stream do. Two leads are a pair
    of one record at one moment, with the two channels of the noise at one moment, each at the
    example's SNR; `SAME_LEAD_SHARE` of the examples hold one of them twice.

    Parameters
    ----------
    corpus
        Loaded for the same number of `leads`, 1 or 2.
    """
    device, g = generator.device, generator

    def integers(high: int) -> Tensor:
        return torch.randint(high, (batch,), generator=g, device=device)

    each = torch.arange(leads, device=device)
    row = leads * integers(len(corpus.clean) // leads)[:, None] + each
    start = integers(corpus.clean.shape[1] - SEGMENT)
    clean = _gather(corpus.clean, row, start, SEGMENT)
    raw = _gather(corpus.raw, row, start, SEGMENT)
    keeps_drift = _random(0, 1, (batch, 1, 1), g) < OWN_DRIFT_SHARE
    base = torch.where(keeps_drift, raw, clean)

    kinds = len(corpus.noise)
    shares = torch.tensor(
        [RECORDED_SHARE if kind in KINDS else MADE_SHARE for kind in corpus.noise], device=device
    )
    single = torch.eye(kinds, device=device)[torch.multinomial(shares, batch, True, generator=g)]
    taking_part = _random(0, RECORDED_SHARE, (batch, kinds), g) < shares
    mixture = _random(0, 1, (batch, kinds), g) * taking_part
    weights = torch.where(_random(0, 1, (batch, 1), g) < 0.5, single, mixture)
    noise = torch.zeros_like(clean)
    for index, tape in enumerate(corpus.noise.values()):
        channels = (integers(len(tape))[:, None] + each) % len(tape)
        piece = _gather(tape, channels, integers(tape.shape[1] - SEGMENT), SEGMENT)
        noise += weights[:, index, None, None] * piece
    snr_db = _random(*SNR_RANGE_DB, (batch, 1, 1), g)
    gain = noise_gain(clean.var(2, keepdim=True), noise.var(2, keepdim=True) + 1e-9, snr_db)
    gain = torch.where(_random(0, 1, (batch, 1, 1), g) < CLEAN_SHARE, torch.zeros_like(gain), gain)
    noisy = base + gain * noise

    sign = torch.where(_random(0, 1, (batch, 1, 1), g) < 0.5, -1.0, 1.0)
    scale = sign * torch.exp(0.35 * torch.randn((batch, 1, 1), generator=g, device=device))
    at = integers(SEGMENT - window)
    noisy, clean = _cut(scale * noisy, at, window), _cut(scale * clean, at, window)
    # The first windows of a stream are filled up with its first sample.
    begins = torch.where(integers(20) == 0, integers(window), torch.zeros_like(at))[:, None, None]
    before = torch.arange(window, device=device) < begins
    noisy = torch.where(before, noisy.gather(2, begins.expand(-1, leads, -1)), noisy)
    if leads > 1:
        one = torch.where(_random(0, 1, (batch, 1), g) < SAME_LEAD_SHARE, integers(leads)[:, None], each)
        every = torch.arange(batch, device=device)[:, None]
        noisy, clean = noisy[every, one], clean[every, one]
    return noisy, clean
