"""All that training on Track F reads, in one small file, for a machine that has no records.

Samples are kept as the converter's own numbers, so unpacked records are the originals to the bit;
differences from sample to sample, in two planes of bytes, are what compresses well. Of the annotations
the ventricular beats are kept.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.benches.track_f import QTDB_TRAIN_RECORDS, TRAIN_RECORDS, VALIDATION_RECORDS
from streamer.errors import InputError
from streamer.noise import KINDS
from streamer.records.find import find_record
from streamer.records.record import VENTRICULAR, read_annotations

PACKED = {"mitdb": TRAIN_RECORDS + VALIDATION_RECORDS, "qtdb": QTDB_TRAIN_RECORDS, "nstdb": tuple(KINDS)}
"""Records by database: those that train and validate, none that tests; and the noise."""
_FACTS = "facts"
_BEATS = ".ventricular"


def write_pack(path: Path, data_dir: Path | None = None, packed: dict[str, tuple[str, ...]] = PACKED) -> None:
    """Write a pack.

    Raises
    ------
    InputError
        If a record can be neither found nor fetched.
    """
    import wfdb

    facts: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for database, names in packed.items():
        for name in names:
            record = wfdb.rdrecord(str(find_record(name, database, data_dir)), physical=False)
            key = f"{database}/{name}"
            arrays[key] = _planes(record.d_signal.T)
            marks = [
                mark
                for mark in read_annotations(find_record(name, database, data_dir))
                if mark.symbol in VENTRICULAR
            ]
            arrays[key + _BEATS] = np.array([mark.sample for mark in marks], np.int64)
            facts[key] = {
                "fs": record.fs,
                "sig_name": record.sig_name,
                "units": record.units,
                "adc_gain": record.adc_gain,
                "baseline": record.baseline,
            }
    arrays[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    # A name of its own, for numpy would add an ending to any other.
    temporary = path.with_name(f"{path.name}.tmp.npz")
    np.savez_compressed(temporary, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def unpack(path: Path, folder: Path, packed: dict[str, tuple[str, ...]] = PACKED) -> Path:
    """Write the records of a pack into a folder, as `--data-dir` wants them; returns the folder.

    What is there already stays.

    Raises
    ------
    InputError
        If the file is no pack.
    """
    import wfdb

    try:
        with np.load(path, allow_pickle=False) as pack:
            facts = json.loads(pack[_FACTS].tobytes())
            for key, fact in facts.items():
                database, name = key.split("/")
                if name not in packed.get(database, ()):
                    raise ValueError(f"it holds {key!r}, which no training reads")
                target = folder / database / name
                if target.with_name(f"{target.name}.hea").is_file():
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                samples = _samples(pack[key])
                wfdb.wrsamp(
                    target.name,
                    fs=fact["fs"],
                    units=fact["units"],
                    sig_name=fact["sig_name"],
                    d_signal=samples.T.astype(np.int64),
                    fmt=["16"] * len(samples),
                    adc_gain=fact["adc_gain"],
                    baseline=fact["baseline"],
                    write_dir=str(target.parent),
                )
                beats = pack[key + _BEATS]
                if len(beats):
                    symbols = ["V"] * len(beats)
                    wfdb.wrann(
                        target.name, "atr", beats, symbols, fs=fact["fs"], write_dir=str(target.parent)
                    )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is no pack of training data: {error}; `ecg-stream pack` writes one"
        ) from error
    return folder


def _planes(samples: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Low and high bytes of the differences, (2, leads, samples); signs in the lowest bit."""
    change = np.diff(samples.astype(np.int32), axis=1, prepend=0).astype(np.int16)
    folded = ((change << 1) ^ (change >> 15)).astype(np.uint16)
    return np.stack([folded & 0xFF, folded >> 8]).astype(np.uint8)


def _samples(planes: NDArray[np.uint8]) -> NDArray[np.int16]:
    low, high = planes.astype(np.uint16)
    folded = low | (high << 8)
    change = (folded >> 1).astype(np.int16) ^ -(folded & 1).astype(np.int16)
    return np.cumsum(change, axis=1, dtype=np.int16)
