"""Whether a name is the path of a file on this machine, and no record of a database."""

import os
import re
from pathlib import Path

from streamer.errors import InputError

_ENDING = re.compile(r"\.[A-Za-z]\w{0,7}")
_BESIDE = (".dat", ".mat", ".atr")
"""Files of a WFDB record that its header stands beside."""


def path_of(name: str) -> Path | None:
    """The file that is meant, absolute: of a WFDB record its header. None where a record's name is meant.

    A path has a folder or an ending: ``./100``, ``ward/100.hea``, ``recording.edf``. A name with a folder in
    it, such as ``data/1``, is of a database where no such file is here.

    Raises
    ------
    InputError
        If it can only be a path, and there is no such file.
    """
    path = Path(name).expanduser()
    if "/" not in name and os.sep not in name and not _ENDING.fullmatch(path.suffix):
        return None
    header = (
        path.with_suffix(".hea") if path.suffix.lower() in _BESIDE else path.with_name(f"{path.name}.hea")
    )
    for file in (header, path):
        if file.is_file():
            return file.absolute()
    if path.is_absolute() or name.startswith((".", "~")) or _ENDING.fullmatch(path.suffix):
        raise InputError(f"{name}: there is no such file, and no record of that path")
    return None


def record_of(header: Path) -> Path:
    """Path of a record without the ending of its header, as wfdb wants it."""
    return header.with_suffix("")
