"""What stands on the log: pieces of beds, as bytes of a fixed layout.

All numbers are little-endian. A message is

====== ======= ==============================================================================
offset format  meaning
====== ======= ==============================================================================
0      4 bytes ``ECGW``
4      uint8   version of the layout, 1
5      3 bytes zero
8      uint64  epoch of the owner that cleaned; 0 of raw
16     uint64  newest raw message that this answers, by its number on the log; 0 of raw
24     uint32  number of pieces, which follow each other
====== ======= ==============================================================================

and a piece

====== ======= ==============================================================================
0      uint8   `Flag`
1      uint8   leads
2      uint8   signals: 1 of raw (the samples), 3 of cleaned (raw, cleaned, mean square), 0 of a gap
3      uint8   words: 2 of cleaned (mark and reason), else 0
4      uint32  samples
8      uint64  number of the first sample in its bed
16     float64 rate, Hz
24     uint16  bytes of the bed's name
26     uint16  bytes of the names of the leads, with a line feed between them
28     bytes   both names, UTF-8
…      float64 when the source sampled each, seconds since 1970; none of a gap
…      float32 signals, mV, (signals, leads, samples)
…      uint8   words, (words, leads, samples)
====== ======= ==============================================================================
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = b"ECGW", 1
_HEAD: Final = struct.Struct("<4sB3xQQI")
_PIECE: Final = struct.Struct("<BBBBIQdHH")
_MOST_SIGNALS, _MOST_WORDS = 3, 2
MOST_SAMPLES: Final = 2**32 - 1
"""A piece has no more: at 360 Hz a gap of 138 days."""


class Flag(IntFlag):
    """What a piece is besides its samples."""

    NONE = 0
    ENDS = 1
    """The bed ends here; the piece has no samples."""
    GAP = 2
    """Its samples never came."""
    SETTLING = 4
    """Cleaned by a network that has not heard enough of the bed yet, since no snapshot could be had."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive samples of a bed.

    Parameters
    ----------
    bed
        Its name in the ward.
    fs
        Rate, Hz.
    start, count
        Number of the first sample, and how many there are.
    stamps
        When the source sampled each, seconds since 1970, (samples,).
    signals
        Millivolts, (signals, leads, samples): the samples of raw; raw, cleaned and mean square of cleaned.
    words
        (2, leads, samples) of cleaned: `engine.marks.Mark` and `Reason`.
    """

    bed: str
    leads: tuple[str, ...]
    fs: float
    start: int
    count: int
    stamps: NDArray[np.float64]
    signals: NDArray[np.float32]
    words: NDArray[np.uint8]
    flag: Flag = Flag.NONE

    @property
    def stop(self) -> int:
        """Number of the first sample after these."""
        return self.start + self.count

    def after(self, sample: int) -> "Piece | None":
        """What of it does not lie before a sample; None where nothing is left."""
        drop = max(0, sample - self.start)
        if drop == 0:
            return self
        if drop >= self.count:
            return None
        return replace(
            self,
            start=self.start + drop,
            count=self.count - drop,
            stamps=self.stamps[drop:],
            signals=self.signals[..., drop:],
            words=self.words[..., drop:],
        )


@dataclass(frozen=True, eq=False)
class Message:
    """One message of the log: pieces of the beds of a partition, with `epoch` and `through` as above."""

    pieces: Sequence[Piece]
    epoch: int = 0
    through: int = 0


def plain_piece(
    bed: str, leads: tuple[str, ...], fs: float, start: int, count: int = 0, flag: Flag = Flag.NONE
) -> Piece:
    """A piece without samples: a gap, or the end of a bed."""
    return Piece(
        bed,
        leads,
        fs,
        start,
        count,
        np.empty(0),
        np.empty((0, len(leads), count), np.float32),
        np.empty((0, len(leads), count), np.uint8),
        flag,
    )


def encode(message: Message) -> bytes:
    """A message as bytes."""
    parts = [_HEAD.pack(MAGIC, VERSION, message.epoch, message.through, len(message.pieces))]
    for piece in message.pieces:
        bed, leads = piece.bed.encode(), "\n".join(piece.leads).encode()
        parts += [
            _PIECE.pack(
                piece.flag,
                len(piece.leads),
                len(piece.signals),
                len(piece.words),
                piece.count,
                piece.start,
                piece.fs,
                len(bed),
                len(leads),
            ),
            bed,
            leads,
            piece.stamps.astype("<f8").tobytes(),
            piece.signals.astype("<f4").tobytes(),
            piece.words.tobytes(),
        ]
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """A message from bytes, whose arrays are read-only.

    Raises
    ------
    ValueError
        If they are no such message.
    """
    try:
        magic, version, epoch, through, count = _HEAD.unpack_from(data)
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"it begins with {data[:5]!r}")
        pieces = list(_pieces(data, count))
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return Message(pieces, epoch, through)


def _pieces(data: bytes, count: int) -> Iterator[Piece]:
    at = _HEAD.size
    for _ in range(count):
        flag, leads, signals, words, samples, start, fs, bed_bytes, lead_bytes = _PIECE.unpack_from(data, at)
        at += _PIECE.size
        bed = data[at : at + bed_bytes].decode()
        names = tuple(data[at + bed_bytes : at + bed_bytes + lead_bytes].decode().split("\n"))
        at += bed_bytes + lead_bytes
        if len(names) != leads or not (np.isfinite(fs) and fs > 0) or not bed:
            raise ValueError(f"a piece has {leads} leads {names} at {fs:g} Hz")
        if signals > _MOST_SIGNALS or words > _MOST_WORDS:
            raise ValueError(f"a piece has {signals} signals and {words} words")
        stamped = samples if signals else 0
        stop = at + 8 * stamped + leads * samples * (4 * signals + words)
        if stop > len(data):
            raise ValueError(f"it has {len(data)} bytes, and {stop} are needed")
        stamps = np.frombuffer(data, "<f8", stamped, at)
        at += stamps.nbytes
        values = np.frombuffer(data, "<f4", signals * leads * samples, at)
        at += values.nbytes
        said = np.frombuffer(data, np.uint8, words * leads * samples, at)
        at += said.nbytes
        yield Piece(
            bed,
            names,
            fs,
            start,
            samples,
            stamps,
            values.reshape(signals, leads, samples),
            said.reshape(words, leads, samples),
            Flag(flag),
        )


def merged(pieces: Sequence[Piece]) -> list[Piece]:
    """The same samples, with what follows each other in a bed as one piece; beds stay in their order."""
    of_bed: dict[str, list[Piece]] = {}
    for piece in pieces:
        of_bed.setdefault(piece.bed, []).append(piece)
    return [each for own in of_bed.values() for each in _merged_bed(own)]


def _merged_bed(pieces: Sequence[Piece]) -> Iterator[Piece]:
    together: list[Piece] = []
    for piece in pieces:
        follows = together and piece.start == together[-1].stop and not piece.flag | together[-1].flag
        if together and not follows:
            yield _joined(together)
            together = []
        together.append(piece)
    if together:
        yield _joined(together)


def _joined(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return replace(
        pieces[0],
        count=sum(piece.count for piece in pieces),
        stamps=np.concatenate([piece.stamps for piece in pieces]),
        signals=np.concatenate([piece.signals for piece in pieces], axis=2),
        words=np.concatenate([piece.words for piece in pieces], axis=2),
    )


def in_messages(pieces: Sequence[Piece], most_bytes: int) -> Iterator[list[Piece]]:
    """Pieces, in order, a message's worth at a time."""
    together: list[Piece] = []
    size = 0
    for piece in pieces:
        more = _PIECE.size + 200 + piece.stamps.nbytes + piece.signals.nbytes + piece.words.nbytes
        if together and size + more > most_bytes:
            yield together
            together, size = [], 0
        together.append(piece)
        size += more
    if together:
        yield together
