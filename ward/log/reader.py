"""Reads one bed of a ward as its samples leave, each once and in order."""

from collections.abc import Iterator

import numpy as np

from engine.messages import Cleaned, Gap
from streamer.partition import partition_of
from ward.log.broker import Log, cleaned_subject
from ward.log.follower import Follower
from ward.log.frames import Flag, Message, Piece, decode


class BedReader:
    """What is cleaned of a bed.

    Parameters
    ----------
    bed
        Its name.
    after
        Number on the log of the message before the first that is read; 0 reads all that is there.

    Attributes
    ----------
    ended
        Whether the bed has ended.
    """

    def __init__(self, log: Log, bed: str, after: int = 0) -> None:
        self.bed, self.ended = bed, False
        self._follower = Follower(log, cleaned_subject(partition_of(bed)), after)
        self._newest_epoch = 0
        self._next: int | None = None

    async def read(self) -> list[Piece]:
        """Pieces that have come, maybe none; what an owner wrote that had lost the bed is left out."""
        return [
            piece for message in await self._follower.read() for piece in self.pieces_of(decode(message.data))
        ]

    def pieces_of(self, message: Message) -> Iterator[Piece]:
        """What of a message is of this bed and new."""
        if message.epoch < self._newest_epoch:
            return
        self._newest_epoch = message.epoch
        for piece in message.pieces:
            if piece.bed != self.bed:
                continue
            if piece.flag & Flag.ENDS:
                self.ended = True
                continue
            new = piece if self._next is None else piece.after(self._next)
            if new is not None:
                self.ended, self._next = False, new.stop
                yield new

    async def close(self) -> None:
        """Read no more."""
        await self._follower.close()


def message_of(piece: Piece, since_1970: float = 0.0) -> Cleaned | Gap:
    """A piece as sinks take it.

    Parameters
    ----------
    since_1970
        What is subtracted from its stamps, s: where this machine's monotonic clock began.
    """
    if piece.flag & Flag.GAP:
        return Gap(piece.bed, piece.start, piece.stop)
    raw, cleaned, mean_square = (np.array(signal) for signal in piece.signals)
    marks, reasons = (np.array(words) for words in piece.words)
    stamps = piece.stamps - since_1970
    return Cleaned(
        piece.bed, piece.start, raw, cleaned, mean_square, None, marks, stamps, (), reasons=reasons
    )
