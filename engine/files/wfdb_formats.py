"""Signal files of WFDB records, read and written in blocks of frames, as ``signal(5)`` describes them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

# Type of a sample, and what is to be taken from it, for the formats of whole bytes.
_PLAIN = {"16": ("<i2", 0), "61": (">i2", 0), "32": ("<i4", 0), "80": ("u1", 128), "160": ("<u2", 32768)}
_BITS = {"16": 16, "61": 16, "24": 24, "32": 32, "80": 8, "160": 16, "212": 12}


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
        return -(1 << (_BITS[self.code] - 1))

    @property
    def highest(self) -> int:
        """The highest number of the format."""
        return (1 << (_BITS[self.code] - 1)) - 1

    def read(self, folder: Path, first: int, last: int) -> NDArray[np.int64]:
        """Frames first … last-1 as whole numbers, (frames, samples in a frame)."""
        start, stop = first * self.width, last * self.width
        # Two samples of format 212 share three bytes.
        begin = start - start % 2 if self.code == "212" else start
        with (folder / self.name).open("rb") as opened:
            opened.seek(self.offset + _bytes(self.code, begin))
            raw = opened.read(_bytes(self.code, stop) - _bytes(self.code, begin))
        return _decode(self.code, raw, stop - begin)[start - begin :].reshape(-1, self.width)

    def write(self, folder: Path, first: int, frames: NDArray[np.int64]) -> None:
        """Put frames in the place of those that are there."""
        start = first * self.width
        samples = frames.reshape(-1)
        stop = start + len(samples)
        last = self.frames * self.width
        with (folder / self.name).open("r+b") as opened:
            if self.code == "212":
                # Whole pairs: the neighbours that share bytes with the first and the last sample stay.
                begin, end = start - start % 2, min(stop + stop % 2, last)
                opened.seek(self.offset + _bytes(self.code, begin))
                there = opened.read(_bytes(self.code, end) - _bytes(self.code, begin))
                pairs = _decode(self.code, there, end - begin)
                pairs[start - begin : stop - begin] = samples
                raw, start = _encode(self.code, pairs)[: len(there)], begin
            else:
                raw = _encode(self.code, samples)
            opened.seek(self.offset + _bytes(self.code, start))
            opened.write(raw)


def signal_file(file: Path, code: str, offset: int, width: int) -> SignalFile:
    """Look at a signal file; raises InputError where it is not there or of another format."""
    if code not in _BITS:
        raise InputError(
            f"{file} has the WFDB format {code}, which cannot be written again; allowed: {', '.join(_BITS)}; "
            "copy the record to one of these first"
        )
    if not file.is_file():
        raise InputError(f"{file} is not there; the header beside it names it")
    size = max(0, file.stat().st_size - offset)
    samples = size * 8 // _BITS[code]
    return SignalFile(file.name, code, offset, width, samples // width)


def _bytes(code: str, samples: int) -> int:
    """Bytes that so many samples take; the odd one of format 212 takes two."""
    return -(-samples * _BITS[code] // 8)


def _decode(code: str, raw: bytes, samples: int) -> NDArray[np.int64]:
    if code in _PLAIN:
        kind, zero = _PLAIN[code]
        return np.frombuffer(raw, kind).astype(np.int64) - zero
    if code == "24":
        wide = np.zeros((samples, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (wide.view("<i4").reshape(-1) >> 8).astype(np.int64)
    triples = np.frombuffer(raw.ljust(-(-len(raw) // 3) * 3, b"\0"), np.uint8).reshape(-1, 3).astype(np.int64)
    pairs = np.empty((len(triples), 2), np.int64)
    pairs[:, 0] = triples[:, 0] | (triples[:, 1] & 0x0F) << 8
    pairs[:, 1] = triples[:, 2] | (triples[:, 1] & 0xF0) << 4
    return (pairs.reshape(-1)[:samples] + 2048) % 4096 - 2048


def _encode(code: str, samples: NDArray[np.int64]) -> bytes:
    if code in _PLAIN:
        kind, zero = _PLAIN[code]
        return (samples + zero).astype(kind).tobytes()
    if code == "24":
        return samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    pairs = np.append(samples, np.zeros(len(samples) % 2, np.int64)).reshape(-1, 2) % 4096
    triples = np.stack(
        [pairs[:, 0] & 0xFF, pairs[:, 0] >> 8 | pairs[:, 1] >> 8 << 4, pairs[:, 1] & 0xFF], axis=1
    )
    return triples.astype(np.uint8).tobytes()
