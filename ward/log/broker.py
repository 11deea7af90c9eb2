"""The broker: NATS JetStream holds the log, who owns what, and the snapshots.

=========================== ==============================================================================
``ward.<partition>.raw``     what the beds of a partition sent, a message a hop
``ward.<partition>.cleaned`` what was made of it; a message is written only behind the one its writer knows
``ward-beds``                bed → who sends it, and where on the log it was last
``ward-workers``             who is alive: a key each, gone `LEASE_S` after it was last renewed
``ward-owners``              partition → who owns it; the revision of the entry is the owner's epoch
``ward-snapshots``           partition → what its engine carried, and where on the log that was
=========================== ==============================================================================
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from streamer.errors import InputError
from streamer.partition import PARTITIONS

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

STREAM: Final = "ward"
LEASE_S = 2.0
"""A worker that has not renewed its key for so long has lost its partitions."""
KEPT_S = 3600.0
"""The log and what is known of beds reach back so far."""
OLDEST = (2, 11)
"""Broker versions before this lose acknowledged messages where they crash."""
_ASKED_S = 2.0
_FIRST_S = 5.0
_AGAIN_S = 0.1
_PARTITIONS_KEY = "partitions"

T = TypeVar("T")


def raw_subject(partition: int) -> str:
    """Where the raw samples of a partition stand."""
    return f"ward.{partition}.raw"


def cleaned_subject(partition: int) -> str:
    """Where its cleaned samples stand."""
    return f"ward.{partition}.cleaned"


class Log:
    """A connection to the broker of a ward; see `open_log`.

    Attributes
    ----------
    troubled_s
        When the broker last did not answer, `time.monotonic`; long ago where it always has.
    connections
        How often it was connected to.
    """

    def __init__(self, client: "Client", js: "JetStreamContext") -> None:
        self._client, self.js = client, js
        self.troubled_s = -float("inf")
        self.connections = 1
        self.beds: KeyValue
        self.workers: KeyValue
        self.owners: KeyValue
        self.snapshots: KeyValue

    @property
    def most_bytes(self) -> int:
        """The largest message that the broker takes."""
        return self._client.max_payload

    async def surely(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the broker answers: it may be down for a while. What it refuses is raised."""
        from nats import errors
        from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

        while True:
            try:
                return await ask()
            except (
                TimeoutError,
                errors.NoRespondersError,
                errors.OutboundBufferLimitError,
                errors.ConnectionReconnectingError,
                NoStreamResponseError,
                ServiceUnavailableError,
            ):
                self.troubled_s = time.monotonic()
                await asyncio.sleep(_AGAIN_S)

    async def set_up(self) -> None:
        """Make the log where there is none.

        Raises
        ------
        InputError
            If the broker is too old, has no JetStream, or holds a log of another kind.
        """
        from nats.js.api import KeyValueConfig, StorageType, StreamConfig
        from nats.js.errors import APIError, BadRequestError, KeyWrongLastSequenceError

        version = self._client.connected_server_version
        if (version.major, version.minor) < OLDEST:
            raise InputError(
                f"the broker is nats-server {version.major}.{version.minor}, which loses what it has "
                f"acknowledged when it crashes; use {'.'.join(map(str, OLDEST))} or newer"
            )
        stream = StreamConfig(
            name=STREAM,
            subjects=["ward.*.raw", "ward.*.cleaned"],
            storage=StorageType.FILE,
            max_age=KEPT_S,
            duplicate_window=120.0,
            allow_direct=True,
        )
        try:
            await self.surely(lambda: self.js.add_stream(stream))

            async def bucket(name: str, ttl_s: float | None) -> "KeyValue":
                config = KeyValueConfig(bucket=f"ward-{name}", ttl=ttl_s, history=1)
                return await self.surely(lambda: self.js.create_key_value(config))

            self.beds, self.owners = await bucket("beds", KEPT_S), await bucket("owners", None)
            self.workers, self.snapshots = await bucket("workers", LEASE_S), await bucket("snapshots", None)
        except BadRequestError as error:
            raise InputError(f"the broker holds another log of this name: {error.description}") from error
        except APIError as error:
            raise InputError(
                f"the broker keeps no log (start it with JetStream): {error.description}"
            ) from error
        try:
            await self.surely(lambda: self.owners.create(_PARTITIONS_KEY, str(PARTITIONS).encode()))
        except KeyWrongLastSequenceError:
            there = (await self.surely(lambda: self.owners.get(_PARTITIONS_KEY))).value
            if there != str(PARTITIONS).encode():
                raise InputError(
                    f"the ward on this broker has {(there or b'').decode()} partitions and this program "
                    f"{PARTITIONS}; use the same version everywhere, or another broker"
                ) from None

    async def keys(self, bucket: "KeyValue") -> list[str]:
        """All keys of a bucket."""
        from nats.js.errors import NoKeysError

        try:
            return await self.surely(bucket.keys)
        except NoKeysError:
            return []

    async def value(self, bucket: "KeyValue", key: str) -> tuple[bytes, int] | None:
        """Value and revision of a key; None where there is none."""
        from nats.js.errors import KeyNotFoundError

        try:
            entry = await self.surely(lambda: bucket.get(key))
        except KeyNotFoundError:
            return None
        return entry.value or b"", entry.revision or 0

    async def time_of(self, number: int) -> float | None:
        """When a message came, seconds since 1970; None where the log has it no more."""
        from nats.js.errors import NotFoundError

        try:
            found = await self.surely(lambda: self.js.get_msg(STREAM, seq=number, direct=True))
        except NotFoundError:
            return None
        return found.time.timestamp() if found.time else None

    async def newest(self, subject: str) -> tuple[bytes, int] | None:
        """The newest message of a subject and its number; None where there is none."""
        from nats.js.errors import NotFoundError

        try:
            found = await self.surely(lambda: self.js.get_last_msg(STREAM, subject, direct=True))
        except NotFoundError:
            return None
        return found.data or b"", found.seq or 0

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()


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
        self._connection = log.connections

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
            if time.monotonic() - self._asked_s > _ASKED_S:
                await self._look_whether_there()
            return []
        except (APIError, errors.Error):
            # The broker was restarted, and has forgotten who reads.
            await self.close()
            await asyncio.sleep(_AGAIN_S)
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


async def open_log(url: str) -> Log:
    """Connect to the broker of a ward, and make its log where there is none.

    Raises
    ------
    InputError
        If nats-py is not there, no broker answers, or it cannot be used.
    """
    from streamer.console.installed import how_to_install

    try:
        import nats
    except ImportError as error:
        raise InputError(f"--nats needs nats-py; install it: {how_to_install('ward')}") from error

    why: list[Exception] = [TimeoutError("it says nothing")]

    async def note(error: Exception) -> None:
        # Once it is connected, what goes wrong is answered where it is asked.
        why[0] = error

    async def again() -> None:
        log.connections += 1

    try:
        connecting = nats.connect(
            url,
            error_cb=note,
            reconnected_cb=again,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_AGAIN_S,
        )
        # It would try for ever, since it shall when it is connected once.
        client = await asyncio.wait_for(connecting, _FIRST_S)
    except (OSError, ValueError, nats.errors.Error) as error:
        reason = why[0] if isinstance(error, TimeoutError) else error
        raise InputError(f"no broker answers at {url}: {reason}; give --nats nats://HOST:PORT") from error
    log = Log(client, client.jetstream(timeout=_ASKED_S))
    try:
        await log.set_up()
    except BaseException:
        await log.close()
        raise
    return log
