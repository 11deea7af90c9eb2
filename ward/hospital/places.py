"""How far each bed has come at a hospital: kept by the broker, so that any machine can go on from there."""

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.errors import InputError
from ward.log.beds import bed_key
from ward.log.broker import Log

if TYPE_CHECKING:
    from nats.js.kv import KeyValue


@dataclass(frozen=True)
class Place:
    """Where a bed is.

    Parameters
    ----------
    next
        Number of the sample behind the last that was accepted; None before there is one.
    after
        Number of a message of the log, behind which all samples from `next` on lie.
    """

    next: int | None
    after: int


class Places:
    """Those of the beds at one destination; `open_places` opens it.

    A second sender to the same destination takes a bed over; the first is told so when it next accepts.
    """

    def __init__(self, log: Log, bucket: "KeyValue", destination: str) -> None:
        self._log, self._bucket = log, bucket
        self._destination = hashlib.blake2b(destination.encode(), digest_size=8).hexdigest()
        self._revisions: dict[str, int] = {}

    async def begin(self, bed: str, otherwise: int) -> Place:
        """Where a bed goes on; without a place, behind this message of the log."""
        key = self._key(bed)
        found = await self._log.value(self._bucket, key)
        place = Place(None, otherwise) if found is None else Place(**json.loads(found[0]))
        self._revisions[bed] = 0 if found is None else found[1]
        await self.keep(bed, place)
        return place

    async def keep(self, bed: str, place: Place) -> None:
        """Keep where a bed is.

        Raises
        ------
        InputError
            If another sender keeps it too.
        """
        from nats.js.errors import KeyWrongLastSequenceError

        key, told = self._key(bed), json.dumps({"next": place.next, "after": place.after}).encode()
        try:
            self._revisions[bed] = await self._log.surely(
                lambda: self._bucket.update(key, told, last=self._revisions[bed])
            )
        except KeyWrongLastSequenceError:
            # It may be ours, and the broker's answer was lost.
            found = await self._log.value(self._bucket, key)
            if found is None or found[0] != told:
                raise InputError(
                    "another `ecg-stream hospital` sends one of these beds to there as well; end one of them"
                ) from None
            self._revisions[bed] = found[1]

    def _key(self, bed: str) -> str:
        return f"{self._destination}.{bed_key(bed)}"


async def open_places(log: Log, destination: str) -> Places:
    """The places of a destination, in a bucket that is made where there is none."""
    from nats.js.api import KeyValueConfig

    config = KeyValueConfig(bucket="ward-hospital", history=1)
    return Places(log, await log.surely(lambda: log.js.create_key_value(config)), destination)
