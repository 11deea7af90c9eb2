"""MATLAB's .mat files: version 7.3 is HDF5, versions 4 to 7.2 are read and written whole by scipy."""

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.array import ArrayFile, Hdf5File
from engine.files.opened import Opened, Stated, chosen_array
from engine.files.verdicts import Span
from streamer.errors import InputError, one_line, some

_KEPT = ("double", "single", "char", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
"""Classes of variables that scipy writes again as it read them."""

_WRONG = (ValueError, TypeError, OSError, LookupError, NotImplementedError, OverflowError, MemoryError)


def open_mat(file: Path, stated: Stated) -> Opened:
    """Open a .mat file by what it begins with."""
    with file.open("rb") as opened:
        begins = opened.read(512)
    # Version 7.3 has a block of text of MATLAB's own before HDF5's first word.
    hdf5 = begins[:8] == b"\x89HDF\r\n\x1a\n" or begins.startswith(b"MATLAB 7.3")
    return Hdf5File(file, stated) if hdf5 else MatFile(file, stated)


class MatFile(ArrayFile):
    """A .mat file before version 7.3; it is held in memory, as such files have at most 2 GB a variable."""

    def __init__(self, file: Path, stated: Stated) -> None:
        import scipy.io

        try:
            found = scipy.io.whosmat(str(file))
            self._contents: dict[str, Any] = scipy.io.loadmat(str(file))
        # What scipy 1.17 raises for files that are cut off or none of MATLAB's.
        except (*_WRONG, scipy.io.matlab.MatReadError, zlib.error) as error:
            raise InputError(
                f"{file} cannot be read as MATLAB's, or is truncated: {one_line(error)} (a record of the "
                "PhysioNet Challenges needs its WFDB header beside it)"
            ) from error
        other = [f"{name} ({kind})" for name, _, kind in found if kind not in _KEPT]
        if other:
            raise InputError(
                f"{file} holds what would not come out as it was: {some(other)}; save the ECG alone, or with "
                "-v7.3"
            )
        sizes = {name: math.prod(shape) for name, shape, kind in found if kind != "char"}
        self._name = chosen_array(stated, file, sizes)
        shape = self._contents[self._name].shape
        if stated.axis is None and len(shape) == 2 and 1 in shape:
            # MATLAB's vectors have two axes.
            self._contents[self._name] = self._contents[self._name].reshape(-1)
        self._shape = shape
        super().__init__(file, stated)

    @contextmanager
    def _array(self, file: Path, *, writable: bool = False) -> Iterator[Any]:
        # One array is read and written: what has been cleaned is not read again.
        yield self._contents[self._name]

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`; an array has no place for what the guard said."""
        import scipy.io

        contents = {name: value for name, value in self._contents.items() if not name.startswith("__")}
        contents[self._name] = np.reshape(contents[self._name], self._shape)
        before_5 = scipy.io.matlab.matfile_version(str(self.files[0]))[0] == 0
        scipy.io.savemat(self._target, contents, format="4" if before_5 else "5", do_compression=not before_5)
