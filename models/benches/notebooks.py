"""Two published notebooks' own windows: a few seconds of ECG, made noisy once.

What is trained and tested on lies side by side, or is the same, so the figures say whether our networks
learn as theirs did, and nothing of other patients.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.records.find import find_record
from streamer.records.record import bridge_missing, read_record

Windows = NDArray[np.float32]
"""Scaled as the notebook scales them, (windows, 1, samples)."""

STRIP, WINDOW = 3600, 256
"""Of the gated autoencoder (`cdae-bam`): 10 s, and the windows that they are cut to, 14."""
BAM_RECORDS = ("100", "101", "102", "103", "104")
"""The notebook fetches all of them, and uses the first 10 s of the first."""
BEGINNING = 2048
"""Of the small autoencoder (`cnn-autoencoder`): so many samples of each record of NSTDB."""
NSTDB = (
    *(f"{record}e{snr}" for record in (118, 119) for snr in ("_6", "00", "06", "12", "18", "24")),
    *("bw", "em", "ma"),
)
TEST_SHARE = 0.2


@dataclass(frozen=True)
class Examples:
    """Each (noisy, clean)."""

    train: tuple[Windows, Windows]
    test: tuple[Windows, Windows]


def gated_examples(seed: int, data_dir: Path | None = None) -> Examples:
    """11 and 3 windows of the first 10 s of record 100, MLII."""
    noisy, clean = _noisy_strips("100", 1, np.random.default_rng(seed), data_dir)
    return _split(noisy, clean)


def gated_records(seed: int, data_dir: Path | None = None) -> dict[str, tuple[Windows, Windows]]:
    """All windows of the five records but the notebook's own 10 s, made noisy in the same way, by record."""
    rng = np.random.default_rng([seed, 1])
    every = {name: _noisy_strips(name, None, rng, data_dir) for name in BAM_RECORDS}
    noisy, clean = every[BAM_RECORDS[0]]
    own = STRIP // WINDOW
    return every | {BAM_RECORDS[0]: (noisy[own:], clean[own:])}


def _noisy_strips(
    name: str, strips: int | None, rng: np.random.Generator, data_dir: Path | None
) -> tuple[Windows, Windows]:
    """The first strips of a record's first lead, or all: each scaled, made noisy, and cut."""
    data = bridge_missing(read_record(find_record(name, "mitdb", data_dir)).data)[0]
    strips = strips or len(data) // STRIP
    clean = data[: strips * STRIP].reshape(strips, STRIP).astype(np.float64)
    clean = (clean - clean.mean(axis=1, keepdims=True)) / clean.std(axis=1, keepdims=True)
    turn = 2 * np.pi * np.arange(STRIP) / STRIP
    # "Mains" at 60 turns in 10 s are 6 Hz: as it is there, not as it was meant.
    noisy = clean + rng.normal(0, 0.5, clean.shape) + 0.05 * np.sin(turn) + 0.02 * np.sin(60 * turn)
    whole = STRIP // WINDOW
    return _cut(noisy, whole), _cut(clean, whole)


def _cut(strips: NDArray[np.float64], whole: int) -> Windows:
    return strips[:, : whole * WINDOW].reshape(-1, 1, WINDOW).astype(np.float32)


def small_examples(seed: int, data_dir: Path | None = None) -> Examples:
    """12 and 3 windows: the beginnings of the records of NSTDB, of which three are noise alone.

    Those of the six noise levels are the same, so windows to test on are also trained on.
    """
    records = [read_record(find_record(name, "nstdb", data_dir)).data for name in NSTDB]
    clean = np.stack([bridge_missing(data)[:1, :BEGINNING] for data in records]).astype(np.float64)
    clean = (clean - clean.min()) / (clean.max() - clean.min())
    noisy = np.clip(clean + np.random.default_rng(seed).normal(0, 0.5, clean.shape), -1, 1)
    return _split(noisy.astype(np.float32), clean.astype(np.float32))


def _split(noisy: Windows, clean: Windows) -> Examples:
    # The generator and the order of scikit-learn's train_test_split, which the notebooks call with 42.
    order = np.random.RandomState(42).permutation(len(clean))
    tested = int(np.ceil(TEST_SHARE * len(clean)))
    test, train = order[:tested], order[tested:]
    return Examples((noisy[train], clean[train]), (noisy[test], clean[test]))


def variance_snr_db(clean: Windows, output: Windows) -> float:
    """Variance of the clean windows over that of the errors, all together: an offset costs nothing."""
    return float(10 * np.log10(clean.var(dtype=np.float64) / (clean - output).var(dtype=np.float64)))


def mean_square(clean: Windows, output: Windows) -> float:
    """Mean squared error over all samples."""
    return float(np.square(clean - output, dtype=np.float64).mean())
