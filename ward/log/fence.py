"""Writes for the owner of a partition, and for nobody who has been its owner."""

from typing import TYPE_CHECKING, Final

from ward.log.broker import STREAM, Log, cleaned_subject
from ward.log.frames import Message, decode, encode

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

_WRONG_LAST: Final = 10071
_PLACE: Final = "Nats-Expected-Last-Subject-Sequence"


class Fenced(Exception):
    """Another worker owns the partition now; nothing more may be written."""


class Fence:
    """Cleaned messages and snapshots of a partition, each written behind the last one that is known.

    Whoever takes a partition over writes one of its own first, so what those before it still write is
    behind another, and the broker refuses it.

    Parameters
    ----------
    number
        Of the partition.
    epoch
        Of this ownership; later ones are greater.

    Attributes
    ----------
    last
        Number on the log of the newest cleaned message.
    """

    def __init__(self, log: Log, number: int, epoch: int) -> None:
        self._log, self._epoch = log, epoch
        self._subject, self._key = cleaned_subject(number), str(number)
        self._revision = 0  # of the newest snapshot
        self.last = 0

    @property
    def _snapshots(self) -> "KeyValue":
        return self._log.snapshots

    async def shut_out(self, through: int) -> None:
        """Write an empty message that answers for what is cleaned `through`.

        Raises
        ------
        Fenced
            If a later owner has written one.
        """
        while True:
            found = await self._log.newest(self._subject)
            self.last = 0
            if found is not None:
                data, self.last = found
                if _epoch_of(data) > self._epoch:
                    raise Fenced
            try:
                await self.write(Message((), self._epoch, through))
            except Fenced:
                continue
            return

    async def take_snapshot(self) -> bytes:
        """The newest snapshot, empty where there is none; those before us cannot leave another."""
        from nats.js.errors import KeyWrongLastSequenceError

        while True:
            packed, revision = await self._log.value(self._snapshots, self._key) or (b"", 0)
            try:
                self._revision = await self._log.surely(
                    lambda packed=packed, revision=revision: self._snapshots.update(  # type: ignore[misc]
                        self._key, packed, last=revision
                    )
                )
            except KeyWrongLastSequenceError:
                continue
            return packed

    async def write(self, message: Message) -> None:
        """Write behind the last message that is known.

        Raises
        ------
        Fenced
            If another one is the last.
        """
        from nats.js.errors import APIError

        data, headers = encode(message), {_PLACE: str(self.last)}
        try:
            written = await self._log.surely(
                lambda: self._log.js.publish(self._subject, data, stream=STREAM, headers=headers)
            )
            self.last = written.seq
        except APIError as error:
            if error.err_code != _WRONG_LAST:
                raise
            # It may be ours, and the broker's answer was lost.
            found = await self._log.newest(self._subject)
            if found is None or found[0] != data:
                raise Fenced from error
            self.last = found[1]

    async def leave_snapshot(self, packed: bytes) -> None:
        """Leave a snapshot, unless another worker has left one since.

        Raises
        ------
        Fenced
            If one has.
        """
        from nats.js.errors import KeyWrongLastSequenceError

        try:
            self._revision = await self._log.surely(
                lambda: self._snapshots.update(self._key, packed, last=self._revision)
            )
        except KeyWrongLastSequenceError as error:
            found = await self._log.value(self._snapshots, self._key)
            if found is None or found[0] != packed:
                raise Fenced from error
            self._revision = found[1]


def _epoch_of(data: bytes) -> int:
    try:
        return decode(data).epoch
    except ValueError:
        return 0
