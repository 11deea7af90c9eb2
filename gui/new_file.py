"""Names for files that a key writes: each press has its own, also two within a second."""

from datetime import datetime
from pathlib import Path


def new_file(folder: Path, kind: str, suffix: str) -> Path:
    """Make an empty file that was not there before, named by its kind and the time; returns where.

    It is made at once, so that no other window can take its name meanwhile.

    Parameters
    ----------
    folder
        It is made where it is missing.
    kind, suffix
        Begin and end of the name.

    Raises
    ------
    OSError
        If the folder or the file cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{kind}-{datetime.now():%Y%m%dT%H%M%S}"
    number = 1
    while True:
        path = folder / (f"{stem}-{number}{suffix}" if number > 1 else f"{stem}{suffix}")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path
