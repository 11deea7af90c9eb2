"""Where in an XDF file the samples of its streams lie, so that values can change in their place.

The layout is that of https://github.com/sccn/xdf/wiki/Specifications; what a file says is read by pyxdf.
"""

import struct
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

MAGIC = b"XDF:"
_SAMPLES, _OF_A_STREAM = 3, (2, 3, 4, 6)
_LENGTHS = {1: "<B", 4: "<I", 8: "<Q"}


def sample_places(file: Path, sizes: dict[int, int]) -> dict[int, list[NDArray[np.int64]]]:
    """Bytes before the first value of each sample, for each stream and in the chunks in which they came.

    Parameters
    ----------
    sizes
        Bytes of the values of a sample, by the ids of the streams that are wanted.

    Raises
    ------
    InputError
        If the file is not whole.
    """
    places: dict[int, list[NDArray[np.int64]]] = {stream: [] for stream in sizes}
    size = file.stat().st_size
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{file} is no XDF file: it does not begin as one")
        try:
            while opened.tell() < size:
                length = _number(opened)
                stop = opened.tell() + length
                if stop > size:
                    raise InputError(f"{file} is truncated: its last chunk is not whole")
                (tag,) = struct.unpack("<H", opened.read(2))
                stream = struct.unpack("<I", opened.read(4))[0] if tag in _OF_A_STREAM else None
                if tag == _SAMPLES and stream in places:
                    begin = opened.tell()
                    content = opened.read(stop - begin)
                    places[stream].append(begin + _samples(content, sizes[stream]))
                opened.seek(stop)
        except (struct.error, KeyError, IndexError) as error:
            raise InputError(
                f"{file} cannot be read as XDF, or is truncated, at byte {opened.tell()}"
            ) from error
    return places


def _number(opened: IO[bytes]) -> int:
    """A length, which says by how many bytes it is written."""
    (width,) = opened.read(1)
    (number,) = struct.unpack(_LENGTHS[width], opened.read(width))
    return int(number)


def _samples(content: bytes, size: int) -> NDArray[np.int64]:
    """Where in a chunk of samples the values of each begin: behind a byte, and a stamp where that is an 8."""
    width = content[0]
    (count,) = struct.unpack_from(_LENGTHS[width], content, 1)
    places, at = np.empty(count, np.int64), 1 + width
    for number in range(count):
        at += 1 + content[at]
        places[number] = at
        at += size
    if at > len(content):
        raise IndexError(at)
    return places
