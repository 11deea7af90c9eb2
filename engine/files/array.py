"""NumPy's .npy and datasets of HDF5: arrays of one or two axes, whose rate and unit the user states."""

import shutil
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.opened import Channel, Opened, Rows, Stated, chosen_array, stated_rate, stated_unit
from engine.files.verdicts import Span
from streamer.console.installed import how_to_install
from streamer.errors import InputError, one_line


class ArrayFile(Opened):
    """A file with one array of leads; see `engine.files.opened.Opened`."""

    def __init__(self, file: Path, stated: Stated) -> None:
        self.files = (file,)
        self._target, self._stated = file, stated
        with self._array(file) as array:
            shape, kind = array.shape, array.dtype
        if kind.kind not in "iuf":
            raise InputError(
                f"{file} holds values of type {kind}; allowed: integers and floating-point numbers"
            )
        # A null dataset of HDF5 has no shape.
        if shape is None or len(shape) not in (1, 2):
            raise InputError(f"{file} has the shape {shape}; allowed: (samples,), or two axes, one of leads")
        if len(shape) == 2 and stated.axis not in (0, 1):
            raise InputError(
                f"{file} has the shape {shape}; state with --axis 0 or 1 along which samples follow "
                "each other"
            )
        self._axis = 0 if len(shape) == 1 else stated.axis
        leads = 1 if len(shape) == 1 else shape[1 - (stated.axis or 0)]
        fs, unit = stated_rate(stated, file), stated_unit(stated, file)
        self.channels = tuple(
            Channel(str(place + 1), unit, fs, shape[self._axis or 0], ecg=True) for place in range(leads)
        )

    @abstractmethod
    def _array(self, file: Path, *, writable: bool = False) -> Any:
        """Open the array on disk, as a context."""

    def _part(self, array: Any, place: int, start: int, stop: int) -> Any:
        """How the samples of a lead are addressed."""
        if len(array.shape) == 1:
            return slice(start, stop)
        return (slice(start, stop), place) if self._axis == 0 else (place, slice(start, stop))

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        with self._array(self.files[0]) as array:
            rows = [np.asarray(array[self._part(array, place, start, stop)], np.float64) for place in places]
        return np.stack(rows)

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self.files[0].name
        shutil.copyfile(self.files[0], self._target)

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`."""
        with self._array(self._target, writable=True) as array:
            for row, place in zip(rows, places, strict=True):
                part = self._part(array, place, start, start + len(row))
                array[part] = self.into(np.asarray(array[part]), row)

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: an array has no place for what the guard said."""


class NumpyFile(ArrayFile):
    """A .npy file."""

    @contextmanager
    def _array(self, file: Path, *, writable: bool = False) -> Iterator[Any]:
        try:
            array = np.lib.format.open_memmap(file, mode="r+" if writable else "r")
        except ValueError as error:
            raise InputError(f"{file} cannot be read as .npy, or is truncated: {one_line(error)}") from error
        yield array
        if writable:
            array.flush()


class Hdf5File(ArrayFile):
    """A dataset of an HDF5 file, MATLAB's own from version 7.3 on too."""

    @contextmanager
    def _array(self, file: Path, *, writable: bool = False) -> Iterator[Any]:
        try:
            import h5py
        except ImportError as error:
            raise InputError(f"{file} needs h5py: {how_to_install('files')}") from error
        try:
            opened = h5py.File(file, "r+" if writable else "r")
        except OSError as error:
            raise InputError(f"{file} cannot be read as HDF5, or is truncated: {one_line(error)}") from error
        with opened:
            sizes: dict[str, int] = {}

            def note(name: str, each: Any) -> None:
                if isinstance(each, h5py.Dataset):
                    sizes[name] = each.size or 0

            opened.visititems(note)
            # A path may be spelled in several ways, such as with a slash before it.
            stated = self._stated.variable
            if stated is None or not isinstance(found := opened.get(stated), h5py.Dataset):
                found = opened[chosen_array(self._stated, file, sizes)]
            if found.is_virtual or found.external or found.file.filename != opened.filename:
                # They would be changed there.
                raise InputError(
                    f"{file}: the values of {found.name} lie in another file; copy them into one, "
                    "or clean that one"
                )
            yield found
