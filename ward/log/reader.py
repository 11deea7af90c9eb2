"""Reads beds of a ward as their samples leave, each once and in order."""

from collections.abc import Iterator

import numpy as np

from engine.messages import Cleaned, Gap
from streamer.partition import partition_of
from ward.log.broker import Log, cleaned_subject
from ward.log.follower import Follower
from ward.log.frames import Flag, Message, Piece, decode


class Once:
    """What is new in the cleaned messages of one partition: each sample once, and none of an old owner.

    Attributes
    ----------
    epoch
        Of the owner whose messages are taken now.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._next: dict[str, int] = {}

    def take(self, message: Message) -> Iterator[Piece]:
        """Pieces of a message that are new; those that say that a bed ends are among them."""
        if message.epoch < self.epoch:
            return
        self.epoch = message.epoch
        for piece in message.pieces:
            if piece.flag & Flag.ENDS:
                yield piece
                continue
            new = piece.after(self._next.get(piece.bed, piece.start))
            if new is not None:
                self._next[piece.bed] = new.stop
                yield new


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
        self._once = Once()

    async def read(self) -> list[Piece]:
        """Pieces that have come, maybe none; what an owner wrote that had lost the bed is left out."""
        return [
            piece for message in await self._follower.read() for piece in self.pieces_of(decode(message.data))
        ]

    def pieces_of(self, message: Message) -> Iterator[Piece]:
        """What of a message is of this bed and new."""
        for piece in self._once.take(message):
            if piece.bed == self.bed:
                self.ended = bool(piece.flag & Flag.ENDS)
                if not self.ended:
                    yield piece

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
