"""Reads the log in order, whatever becomes of the broker meanwhile."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from ward.log.broker import AGAIN_S, STREAM, Log

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_LOOK_S: Final = 2.0
"""After so long without a message the broker is asked whether it still knows who reads."""


class Follower:
    """Reads a subject in order, from a message on; the broker may be restarted meanwhile.

    Parameters
    ----------
    after
        Number of the message before the first.
    since
        None, or only what came after this time (seconds since 1970) where `after` is 0.
    """

    def __init__(self, log: Log, subject: str, after: int = 0, since: float | None = None) -> None:
        self._log, self._subject = log, subject
        self.after, self._since = after, since
        self._pulled: Any = None
        self._asked_s = 0.0
        self._told = 0  # messages of this subscription
        self._connection = 0  # none yet

    async def read(self, most: int = 64, wait_s: float = 0.5) -> "list[Msg]":
        """Messages that follow, none where none has come in that time."""
        from nats import errors
        from nats.js.errors import APIError

        if self._connection != self._log.connections:
            # What was on its way when the connection broke is lost.
            await self.close()
        if self._pulled is None:
            self._pulled = await self._log.surely(self._subscribe)
        try:
            messages: list[Msg] = await self._pulled.fetch(most, timeout=wait_s)
        except TimeoutError:
            if time.monotonic() - self._asked_s > _LOOK_S:
                await self._look_whether_there()
            return []
        except (APIError, errors.Error):
            # The broker was restarted, and has forgotten who reads.
            await self.close()
            await asyncio.sleep(AGAIN_S)
            return []
        self._asked_s = time.monotonic()
        for number, message in enumerate(messages):
            place = message.metadata.sequence
            if place.consumer != self._told + 1:
                await self.close()
                return messages[:number]
            self._told, self.after = place.consumer, place.stream
        return messages

    async def _subscribe(self) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        place: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
        if self.after:
            place = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self.after + 1}
        elif self._since is not None:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._since))
            place = {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": at}
        config = ConsumerConfig(
            ack_policy=AckPolicy.NONE, inactive_threshold=30.0, mem_storage=True, max_deliver=1, **place
        )
        self._asked_s, self._told, self._connection = time.monotonic(), 0, self._log.connections
        return await self._log.js.pull_subscribe(self._subject, stream=STREAM, config=config)

    async def _look_whether_there(self) -> None:
        """A reader that the broker has forgotten would wait without end."""
        from nats import errors
        from nats.js.errors import APIError

        self._asked_s = time.monotonic()
        try:
            if self._pulled is not None:
                await self._pulled.consumer_info()
        except (APIError, errors.Error):
            await self.close()

    async def close(self) -> None:
        """Read no more, or from anew."""
        from nats import errors

        if self._pulled is not None:
            try:
                await self._pulled.unsubscribe()
            except errors.Error:
                pass
            self._pulled = None
