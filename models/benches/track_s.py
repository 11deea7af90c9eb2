"""Track S: the windows, the noise and the figures of the seed table, as its authors made them.

48 MIT-BIH records, both leads; 10 000 random windows of 256 samples, each with a random window of
noise from anywhere in the noise record; split 80/20 at random. The same patients, the same noise and
overlapping windows are in both parts, so that these figures show whether our networks agree with the
published ones; how well they clean the ECG of unseen patients is what Track F measures.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError
from streamer.noise import KINDS
from streamer.records.find import find_record
from streamer.records.record import bridge_missing, read_record

RECORDS = tuple(
    (
        "100 101 102 103 104 105 106 107 108 109 111 112 113 114 115 116 117 118 119 121 122 123 124 "
        "200 201 202 203 205 207 208 209 210 212 213 214 215 217 219 220 221 222 223 228 230 231 232 233 234"
    ).split()
)
LEADS = 2
WINDOW = 256
STARTS = 253
"""Random windows per record: a tenth of its length."""
CHOSEN = 10_000
TRAIN_SHARE = 0.8
NOISES = (*KINDS, "emb")
Mixing = Literal["new", "old"]
"""How ``emb`` is made. ``new``: the sum of the raw noises, scaled to the SNR. ``old``: each noise
scaled to the SNR, then their mean, which is a third of the noise power: 4.8 dB easier and more."""

Windows = NDArray[np.float32]
"""Millivolts, shape (windows, leads, samples)."""


@dataclass(frozen=True)
class Condition:
    """What noise is added, in which way, and at which SNR (dB, DC included, both leads together)."""

    noise: str = "emb"
    snr_db: float = -4.0
    mixing: Mixing = "new"

    def __post_init__(self) -> None:
        if self.noise not in NOISES:
            raise InputError(f"noise {self.noise!r} is not in Track S; allowed: {', '.join(NOISES)}")
        if self.mixing not in get_args(Mixing):
            raise InputError(f"mixing {self.mixing!r} is unknown; allowed: {', '.join(get_args(Mixing))}")

    @property
    def word(self) -> str:
        """Name for files: ``emb-new--4dB``."""
        mixing = f"-{self.mixing}" if self.noise == "emb" else ""
        return f"{self.noise}{mixing}-{self.snr_db:g}dB"


@dataclass(frozen=True)
class Examples:
    """Windows in mV: `train` and `test` are (noisy, reference)."""

    train: tuple[Windows, Windows]
    test: tuple[Windows, Windows]


def load_examples(condition: Condition, seed: int = 42, data_dir: Path | None = None) -> Examples:
    """The windows of one condition. The reference windows and the split depend on the seed alone."""
    reference, noises = _windows(seed, data_dir)
    noisy = mix(reference, noises, condition)
    order = np.random.default_rng([seed, 2]).permutation(len(reference))
    first = round(TRAIN_SHARE * len(reference))
    train, test = order[:first], order[first:]
    return Examples((noisy[train], reference[train]), (noisy[test], reference[test]))


@lru_cache(maxsize=1)
def _windows(seed: int, data_dir: Path | None) -> tuple[Windows, dict[str, Windows]]:
    """Reference windows, and for each of them a window of every kind of noise."""
    rng = np.random.default_rng([seed, 0])
    reference = np.concatenate([_random_windows(name, "mitdb", STARTS, rng, data_dir) for name in RECORDS])
    chosen = rng.choice(len(reference), min(CHOSEN, len(reference)), replace=False)
    noises = {}
    for index, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, 1, index])
        noises[kind] = _random_windows(kind, "nstdb", len(chosen), rng, data_dir)
    return reference[chosen], noises


def _random_windows(
    name: str, database: str, count: int, rng: np.random.Generator, data_dir: Path | None
) -> Windows:
    data = bridge_missing(read_record(find_record(name, database, data_dir)).data)
    starts = rng.integers(data.shape[1] - WINDOW + 1, size=count)
    return np.ascontiguousarray(data[:, starts[:, None] + np.arange(WINDOW)].swapaxes(0, 1))


def mix(reference: Windows, noises: dict[str, Windows], condition: Condition) -> Windows:
    """Add noise to every window: exactly the SNR, but for the ``old`` mixing."""
    if condition.noise != "emb":
        return reference + scaled(noises[condition.noise], reference, condition.snr_db)
    if condition.mixing == "new":
        return reference + scaled(np.sum(list(noises.values()), axis=0), reference, condition.snr_db)
    each = [scaled(noise, reference, condition.snr_db) for noise in noises.values()]
    return reference + np.mean(each, axis=0, dtype=np.float32)


def scaled(noise: Windows, reference: Windows, snr_db: float) -> Windows:
    """Noise windows at an SNR: one factor for both leads, and the offset of the ECG counts as signal."""
    power = _energy(reference) / (_energy(noise) * 10 ** (snr_db / 10))
    return (noise * np.sqrt(power)[:, None, None]).astype(np.float32)


def _energy(windows: Windows) -> NDArray[np.float64]:
    energy: NDArray[np.float64] = np.square(windows, dtype=np.float64).sum(axis=(1, 2))
    return energy


def snr_db(reference: Windows, output: Windows) -> float:
    """Mean over windows of the joint SNR of both leads, no mean removed."""
    return float(np.mean(10 * np.log10(_energy(reference) / _energy(reference - output))))


def rmse_mv(reference: Windows, output: Windows) -> float:
    """Mean over windows of the root mean square error of both leads."""
    return float(np.mean(np.sqrt(_energy(reference - output) / reference[0].size)))
