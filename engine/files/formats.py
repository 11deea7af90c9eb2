"""The table of formats: which endings belong to which, and who opens them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from engine.files.opened import Opened, Stated
from streamer.errors import InputError


@dataclass(frozen=True)
class Format:
    """A format of files.

    Parameters
    ----------
    endings
        Of the files' names, in lower case; of a record of several files that of the one which names it.
    opener
        ``module:name`` of what makes its `Opened`, imported when there is such a file.
    """

    name: str
    endings: tuple[str, ...]
    opener: str


FORMATS = (
    Format("WFDB", (".hea",), "engine.files.wfdb_record:open_record"),
    Format("EDF, EDF+, BDF", (".edf", ".bdf"), "engine.files.edf:Edf"),
    Format("CSV, TSV", (".csv", ".tsv"), "engine.files.table:Table"),
    Format("NumPy", (".npy",), "engine.files.array:NumpyFile"),
    Format("HDF5", (".h5", ".hdf5"), "engine.files.array:Hdf5File"),
    Format("MATLAB", (".mat",), "engine.files.matlab:open_mat"),
    Format("Parquet", (".parquet",), "engine.files.parquet:Parquet"),
    Format("XDF", (".xdf",), "engine.files.xdf:Xdf"),
    Format("DICOM", (".dcm",), "engine.files.dicom:Dicom"),
)
"""Every format that is read and written; one line each."""

_CONVERT = (
    "cannot be written, for lack of a library that is kept, and so not cleaned; convert it to EDF first"
)
_NOT_WRITTEN = {
    ".xdfz": "compressed XDF is not read; unpack it (gunzip -c) into a file that ends in .xdf",
    ".xml": f"HL7 aECG {_CONVERT}",
    ".scp": f"SCP-ECG {_CONVERT}",
    ".ecg": f"ISHNE {_CONVERT}",
}
"""Formats of ECG that are not taken, and what to do."""
_ENDINGS = {ending: each for each in FORMATS for ending in each.endings}


def is_known(file: Path) -> bool:
    """Whether a file in a folder is one to clean, by its ending."""
    return file.suffix.lower() in _ENDINGS


def open_file(file: Path, stated: Stated) -> Opened:
    """Open a file by its ending; raises InputError where that is none of ours or the file cannot be used."""
    ending = file.suffix.lower()
    if ending in _NOT_WRITTEN:
        raise InputError(f"{file}: {_NOT_WRITTEN[ending]}")
    if ending not in _ENDINGS:
        known = " ".join(_ENDINGS)
        raise InputError(f"{file} is of no known format by its ending {ending!r}; known are: {known}")
    if not file.is_file():
        raise InputError(f"{file} is no file")
    if not file.stat().st_size:
        raise InputError(f"{file} is empty")
    module, _, name = _ENDINGS[ending].opener.partition(":")
    opener: Callable[[Path, Stated], Opened] = getattr(import_module(module), name)
    return opener(file, stated)
