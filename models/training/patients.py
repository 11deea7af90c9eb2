"""More patients, and more noise, than PhysioNet's classics hold: a folder that whoever trains may have.

The folder's README says where it comes from. Its leads are graded; a lead graded clean is a target to
learn, where its band is wide enough for one.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from streamer.chunk import Samples
from streamer.errors import InputError
from streamer.noise import join_blocks
from streamer.records.record import bridge_missing, read_record
from streamer.resample import ratio

PATIENTS_VARIABLE = "ECG_STREAM_PATIENTS"
TARGET_FOLDERS = ("cinc2011a", "ludb_rest", "chapman_ningbo")
"""Whose clean leads are learnt. `cpsc2018` and `cinc2017v` end at 40 Hz, and would teach to end there."""
CLOSED_FOLDERS = ("georgia", "ptbxl", "ptb")
"""Hospitals that nobody trains on: no training opens them."""
NOISE_FOLDERS = ("myo_emg", "electrode_noise")
KEPT_BACK_OF_20 = 2
"""Of twenty patients, by their names, so many do not train: for tests of seen houses, unseen patients."""
PATIENTS_ABOUT = {
    "protocol": (
        "Track F: 15 DS1 patients and the training part of NSTDB noise, 40 records of the QT Database, and "
        "clean leads of patients of three more databases, 90 % of each; 4 other DS1 patients choose the "
        "weights that are kept"
    ),
    "data": (
        "MIT-BIH Arrhythmia Database 1.0.0, MIT-BIH Noise Stress Test Database 1.0.0 and QT Database 1.0.0, "
        "PhysioNet; PhysioNet/CinC Challenge 2011 set A 1.0.0; LUDB 1.0.1; Chapman-Shaoxing and Ningbo, of "
        "PhysioNet/CinC Challenge 2021; aljazfrancic/myo-readings-dataset"
    ),
    "data_licence": (
        "Open Data Commons Attribution License v1.0; Chapman-Shaoxing and Ningbo: CC BY 4.0; "
        "myo-readings-dataset: MIT"
    ),
    "attribution": (
        "Moody & Mark, IEEE Eng. in Med. and Biol. 20(3), 2001 (doi 10.13026/C2F305); Moody, Muldrow & Mark, "
        "Computers in Cardiology 11, 1984 (doi 10.13026/C2HS3T); Laguna, Mark, Goldberger & Moody, Computers "
        "in Cardiology 24, 1997 (doi 10.13026/C24K53); Silva, Moody & Celi, Computing in Cardiology 38, "
        "2011; Kalyakulina et al., IEEE Access 8, 2020 (doi 10.13026/eegm-h675); Zheng et al., PhysioNet, "
        "2022 (doi 10.13026/wgex-er52); Reyna et al., Computing in Cardiology 48, 2021; Goldberger et al., "
        "Circulation 101(23), 2000; Francic, myo-readings-dataset, 2021"
    ),
}
"""What a card says where the folder of patients was learnt from."""
ROW_S = 10.0
_SAME_PATIENT = frozenset("1394231 2674090 1129323 1282270 1537149 2247636 1937641 2794498".split())
"""Records of which two may be one patient: kept on one side."""


def patients_folder(given: Path | None = None) -> Path | None:
    """The folder given, or the one that the environment names; None where there is neither.

    Raises
    ------
    InputError
        If it does not hold what is expected of it.
    """
    named = given or (Path(os.environ[PATIENTS_VARIABLE]) if os.environ.get(PATIENTS_VARIABLE) else None)
    if named is None:
        return None
    missing = [name for name in (*TARGET_FOLDERS, *NOISE_FOLDERS) if not (named / name).is_dir()]
    if missing:
        raise InputError(f"patients folder {named} lacks {', '.join(missing)}")
    return named


def trains(record: str) -> bool:
    """Whether a record is on the training side."""
    return record in _SAME_PATIENT or crc32(record.encode()) % 20 >= KEPT_BACK_OF_20


def load_rows(folder: Path, fs: float) -> list[Samples]:
    """Clean leads of every training record, (leads, ten seconds) mV each, in the order of their names."""
    return [data for name in TARGET_FOLDERS for _, _, data in _rows(folder / name, fs, training=True)]


def load_unheard(folder: Path, database: str, fs: float) -> list[tuple[str, tuple[str, ...], Samples]]:
    """Clean leads of records that no training heard: record, leads and (leads, ten seconds) mV.

    Those are the ones kept back, and all of `CLOSED_FOLDERS`.
    """
    return list(_rows(folder / database, fs, training=False))


def _rows(folder: Path, fs: float, *, training: bool) -> Iterator[tuple[str, tuple[str, ...], Samples]]:
    closed = folder.name in CLOSED_FOLDERS
    for record, leads in sorted(_clean_leads(folder).items()):
        if training != (trains(record) and not closed):
            continue
        found = read_record(folder / record, tuple(leads))
        data = _resampled(bridge_missing(found.data), found.fs, fs)
        if data.shape[1] >= round(ROW_S * fs):
            yield record, tuple(leads), data[:, : round(ROW_S * fs)]


def _clean_leads(folder: Path) -> dict[str, list[str]]:
    """Names of the leads graded clean, by record."""
    clean: dict[str, list[str]] = {}
    with (folder / "quality.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["grade"] == "clean":
                clean.setdefault(line["record"], []).append(line["lead"])
    return clean


def load_noise(folder: Path, fs: float) -> dict[str, NDArray[np.float32]]:
    """Tapes of real muscle noise, four channels, and of electrodes that lose contact, one; unit power."""
    tapes = {}
    for kind, name in zip(("myo", "contact"), NOISE_FOLDERS, strict=True):
        records = sorted(header.stem for header in (folder / name).glob("*.hea"))
        blocks = []
        for record in records:
            # Of electrode noise the patient is the record that it was taken from: en1054357_V2.
            if not trains(record.removeprefix("en").split("_")[0]):
                continue
            found = read_record(folder / name / record)
            data = _resampled(bridge_missing(found.data), found.fs, fs)
            data = data - data.mean(axis=1, keepdims=True)
            # Each by its own power: otherwise one bad electrode would be all of the tape.
            blocks.append((data / (data.std(axis=1, keepdims=True) + 1e-9)).astype(np.float32))
        tapes[kind] = join_blocks(blocks, fs)
    return tapes


def _resampled(data: Samples, have: float, want: float) -> Samples:
    up, down = ratio(have, want)
    at_rate: Samples = resample_poly(data, up, down, axis=1, padtype="line").astype(np.float32)
    return at_rate
