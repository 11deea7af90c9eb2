"""The bench of the literature: beats of the QT Database under baseline wander, as its authors cut them.

Romero et al., Biomed. Signal Process. Control 70, 2021 (DeepFilter, doi 10.1016/j.bspc.2021.102992)
made it, and later papers kept it. The first channel at 360 Hz is cut from 40 ms before a P wave to
40 ms before the next, levelled by its end points and laid into a window of zeros; each window gets a
stretch of NSTDB's ``bw``. Test patients and test noise are in no training.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from streamer.chunk import Annotation, Samples
from streamer.errors import InputError
from streamer.records.find import find_record
from streamer.records.record import bridge_missing, read_annotations, read_record
from streamer.resample import ratio

FS = 360.0
WINDOW = 512
LEAD_IN = 16
"""Zeros before a beat in its window."""
BEFORE_P_S = 0.04
RATIOS = (0.2, 2.0)
"""Noise to beat, peak to peak: each beat draws its own."""
SEED = 1234

TEST_RECORDS = tuple(
    (
        "sel123 sel233 sel302 sel307 sel820 sel853 sel16420 sel16795 sele0106 sele0121 sel32 sel49 "
        "sel14046 sel15814"
    ).split()
)
TRAIN_RECORDS = tuple(
    (
        "sel301 sel306 sel308 sel310 sel803 sel808 sel811 sel821 sel840 sel847 sel871 sel872 sel873 sel883 "
        "sel891 sel14157 sel14172 sel16265 sel16272 sel16273 sel16483 sel16539 sel16773 sel16786 sel17453 "
        "sele0104 sele0107 sele0111 sele0114 sele0122 sele0126 sele0133 sele0166 sele0203 sele0211 sele0405 "
        "sele0409 sele0509 sele0604 sel17152"
    ).split()
)
"""40 of the 91 records that the authors train on: those that this project has."""
NETWORKS = ("drnn", "fcn-dae", "deepfilter")
"""Networks of this project for which figures on this bench are published."""
PARENTS = {"sel123": "123", "sel233": "233"}
"""Test records that are excerpts of MIT-BIH records: no network that trained on one may be scored on it."""

NoiseVersion = Literal[1, 2]
"""1: trained on the first half of the noise's channel 1, tested on the second half of channel 2. 2: the
channels change places."""
Beats = NDArray[np.float32]
"""Windows in mV, shape (beats, WINDOW)."""
Spans = NDArray[np.int64]
"""First sample of each beat and the one behind its last, shape (beats, 2)."""


@dataclass(frozen=True, eq=False)
class QtRecord:
    """A record at 360 Hz: `data` (leads, samples) in mV, and where its beats lie."""

    name: str
    data: Samples
    spans: Spans


@lru_cache(maxsize=16)
def load_record(name: str, data_dir: Path | None = None) -> QtRecord:
    """Read a record of the QT Database with the beats that its program ``pu1`` outlined.

    Raises
    ------
    InputError
        If the record is not to be had, or outlines no beat.
    """
    path = find_record(name, "qtdb", data_dir)
    record = read_record(path)
    data = bridge_missing(record.data)
    up, down = ratio(record.fs, FS)
    if up != down:
        data = signal.resample_poly(data, up, down, axis=1, padtype="line").astype(np.float32)
    spans = beat_spans(read_annotations(path, "pu1"), record.fs)
    spans = spans[spans[:, 1] <= data.shape[1]]
    if len(spans) == 0:
        raise InputError(f"record {path} outlines no beat: {path}.pu1 is missing or holds no P waves")
    return QtRecord(name, data, spans)


def beat_spans(marks: tuple[Annotation, ...], fs: float) -> Spans:
    """Samples at 360 Hz from before one P wave to before the next, of marks at `fs`.

    Spans with two QRS complexes or more (a P wave was missed), and those longer than the window, are left
    out.
    """
    opened, p_waves, complexes = (
        np.array([mark.sample for mark in marks if mark.symbol == symbol], np.int64) for symbol in "(pN"
    )
    before = np.searchsorted(opened, p_waves) - 1
    starts = np.unique(opened[before[before >= 0]] - int(BEFORE_P_S * fs))
    starts = starts[starts >= 0]
    first, stop = starts[:-1], starts[1:]
    held = np.searchsorted(complexes, stop) - np.searchsorted(complexes, first, "right")
    spans = np.round(np.stack([first, stop], axis=1) * FS / fs).astype(np.int64)
    fits = spans[:, 1] - spans[:, 0] <= WINDOW - LEAD_IN
    kept: Spans = spans[(held < 2) & fits]
    return kept


def levels(lead: Samples, spans: Spans) -> NDArray[np.float32]:
    """Level of each beat: the mean of its first and its last sample, mV, shape (beats,)."""
    ends = lead[spans[:, 0]] + lead[spans[:, 1] - 1]
    return (ends / 2).astype(np.float32)


def cut(lead: Samples, spans: Spans, level: NDArray[np.float32]) -> Beats:
    """Each beat less its level, behind `LEAD_IN` zeros and before as many as fill the window."""
    beats = np.zeros((len(spans), WINDOW), np.float32)
    for beat, (first, stop), offset in zip(beats, spans, level, strict=True):
        beat[LEAD_IN : LEAD_IN + stop - first] = lead[first:stop] - offset
    return beats


@dataclass(frozen=True)
class Examples:
    """Windows in mV: `train` and `test` are (noisy, reference); `owners` names each test beat's record."""

    train: tuple[Beats, Beats]
    test: tuple[Beats, Beats]
    owners: tuple[str, ...]


def load_examples(version: NoiseVersion, data_dir: Path | None = None) -> Examples:
    """Both parts of the bench under one version of the noise; the same at every call."""
    train = np.concatenate([_beats_of(name, data_dir) for name in TRAIN_RECORDS])
    noisy = add_wander(train, _wander("train", version, data_dir), np.random.default_rng([SEED, version, 0]))
    test, owners = load_test(version, data_dir)
    return Examples((noisy, train), test, owners)


def load_test(
    version: NoiseVersion, data_dir: Path | None = None
) -> tuple[tuple[Beats, Beats], tuple[str, ...]]:
    """The test part alone: (noisy, reference), and the record of each beat."""
    parts = [_beats_of(name, data_dir) for name in TEST_RECORDS]
    reference = np.concatenate(parts)
    owners = tuple(name for name, beats in zip(TEST_RECORDS, parts, strict=True) for _ in beats)
    noisy = add_wander(
        reference, _wander("test", version, data_dir), np.random.default_rng([SEED, version, 1])
    )
    return (noisy, reference), owners


def _beats_of(name: str, data_dir: Path | None) -> Beats:
    record = load_record(name, data_dir)
    lead = record.data[0]
    return cut(lead, record.spans, levels(lead, record.spans))


def _wander(part: Literal["train", "test"], version: NoiseVersion, data_dir: Path | None) -> Samples:
    """Half of a channel of the noise record, (samples,) in its nominal mV."""
    record = read_record(find_record("bw", "nstdb", data_dir))
    half = record.data.shape[1] // 2
    if part == "train":
        return record.data[version - 1, :half]
    return record.data[noise_channel(version), half:]


def noise_channel(version: NoiseVersion) -> int:
    """Row of the noise record that a version tests with."""
    return 2 - version


def add_wander(beats: Beats, noise: Samples, rng: np.random.Generator) -> Beats:
    """Lay stretches of noise, one after the other and over again, on beats, each at its own `RATIOS`."""
    pieces = noise[: len(noise) // WINDOW * WINDOW].reshape(-1, WINDOW)
    piece = pieces[np.arange(len(beats)) % len(pieces)]
    wanted = rng.integers(round(100 * RATIOS[0]), round(100 * RATIOS[1]), len(beats)) / 100
    gain = (wanted * np.ptp(beats, axis=1) / np.ptp(piece, axis=1)).astype(np.float32)
    noisy: Beats = beats + gain[:, None] * piece
    return noisy
