"""Signal files of WFDB records, read and written in blocks of frames, as ``signal(5)`` describes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

# Type of a sample, and what is to be taken from it, for the formats that numpy has.
_PLAIN = {"16": ("<i2", 0), "61": (">i2", 0), "32": ("<i4", 0), "80": ("u1", 128), "160": ("<u2", 32768)}
# The others pack samples into little-endian words. For each its bytes, and what lies in it: which sample,
# from which of its bits on, how many of them, and where.
_PACKED = {
    "24": (3, ((0, 0, 24, 0),)),
    "212": (3, ((0, 0, 12, 0), (1, 8, 4, 12), (1, 0, 8, 16))),
    "310": (4, ((0, 0, 10, 1), (2, 0, 5, 11), (1, 0, 10, 17), (2, 5, 5, 27))),
    "311": (4, ((0, 0, 10, 0), (1, 0, 10, 10), (2, 0, 10, 20))),
}
BITS = {"16": 16, "61": 16, "24": 24, "32": 32, "80": 8, "160": 16, "212": 12, "310": 10, "311": 10}
BITS |= {"508": 8, "516": 16, "524": 24}
_FLAC = 500
"""Formats beyond are FLAC."""


@dataclass(frozen=True)
class SignalFile:
    """A signal file.

    Parameters
    ----------
    code
        Number of its format.
    offset
        Bytes before the first sample.
    width
        Samples in a frame, of all its signals.
    frames
        That are there.
    """

    name: str
    code: str
    offset: int
    width: int
    frames: int

    @property
    def missing(self) -> int:
        """What stands where there is no sample: the lowest number of the format."""
        return -(1 << (BITS[self.code] - 1))

    @property
    def highest(self) -> int:
        """The highest number of the format."""
        return (1 << (BITS[self.code] - 1)) - 1

    def begin(self, folder: Path) -> None:
        """Prepare the copy in a folder for writing."""

    def finish(self, folder: Path) -> None:
        """Make the copy whole."""

    def read(self, folder: Path, first: int, last: int) -> NDArray[np.int64]:
        """Frames first … last-1 as whole numbers, (frames, samples in a frame)."""
        start, stop = first * self.width, last * self.width
        with (folder / self.name).open("rb") as opened:
            begin, samples = self._words(opened, start, stop)
        return samples[start - begin : stop - begin].reshape(-1, self.width)

    def write(self, folder: Path, first: int, frames: NDArray[np.int64]) -> None:
        """Put frames in the place of those that are there."""
        start, stop = first * self.width, first * self.width + frames.size
        with (folder / self.name).open("r+b") as opened:
            # Whole words: neighbours that share one with the first or the last sample stay.
            begin, samples = self._words(opened, start, stop)
            there = opened.tell() - self._place(begin)
            samples[start - begin : stop - begin] = frames.reshape(-1)
            opened.seek(self._place(begin))
            opened.write(_encode(self.code, samples)[:there])

    def _words(self, opened: BinaryIO, start: int, stop: int) -> tuple[int, NDArray[np.int64]]:
        """First sample, and samples, of the words that hold samples start … stop-1."""
        size, group = _word(self.code)
        begin = start // group * group
        opened.seek(self._place(begin))
        length = -(-(stop - begin) // group) * size
        # The last word of a file may be cut behind its last sample.
        return begin, _decode(self.code, opened.read(length).ljust(length, b"\0"))

    def _place(self, sample: int) -> int:
        size, group = _word(self.code)
        return self.offset + sample // group * size


def signal_file(file: Path, code: str, offset: int, frame: Sequence[int]) -> SignalFile:
    """Look at a signal file; raises InputError where it is not there or of another format.

    Parameters
    ----------
    frame
        Samples of each of its signals in a frame.
    """
    if code not in BITS:
        allowed = ", ".join(BITS)
        raise InputError(
            f"{file} has the WFDB format {code}, which cannot be written again; allowed: {allowed}; copy the "
            "record to one of these first"
        )
    if not file.is_file():
        raise InputError(f"{file} is not there; the header beside it names it")
    if int(code) > _FLAC:
        from engine.files.wfdb_flac import flac_file

        return flac_file(file, code, offset, frame)
    size, group = _word(code)
    samples = max(0, file.stat().st_size - offset) * group // size
    return SignalFile(file.name, code, offset, sum(frame), samples // sum(frame))


def _word(code: str) -> tuple[int, int]:
    """Bytes of a word of a format, and samples in it."""
    if code in _PLAIN:
        return BITS[code] // 8, 1
    size, fields = _PACKED[code]
    return size, 1 + max(sample for sample, *_ in fields)


def _decode(code: str, raw: bytes) -> NDArray[np.int64]:
    """Samples of whole words."""
    if code in _PLAIN:
        kind, zero = _PLAIN[code]
        return np.frombuffer(raw, kind).astype(np.int64) - zero
    size, fields = _PACKED[code]
    wide = np.zeros((len(raw) // size, 4), np.uint8)
    wide[:, :size] = np.frombuffer(raw, np.uint8).reshape(-1, size)
    words = wide.view("<u4").reshape(-1).astype(np.int64)
    samples = np.zeros((len(words), _word(code)[1]), np.int64)
    for sample, low, bits, at in fields:
        samples[:, sample] |= (words >> at) % (1 << bits) << low
    half = 1 << (BITS[code] - 1)
    return (samples.reshape(-1) + half) % (2 * half) - half


def _encode(code: str, samples: NDArray[np.int64]) -> bytes:
    """Whole words of samples."""
    if code in _PLAIN:
        kind, zero = _PLAIN[code]
        return (samples + zero).astype(kind).tobytes()
    size, fields = _PACKED[code]
    rows = samples.reshape(-1, _word(code)[1])
    words = np.zeros(len(rows), np.int64)
    for sample, low, bits, at in fields:
        words |= (rows[:, sample] >> low) % (1 << bits) << at
    return words.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :size].tobytes()
