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
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

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
AGAIN_S = 0.1
_PARTITIONS_KEY = "partitions"
_THERE: Final = "ward-there."
_THERE_S = 0.25

T = TypeVar("T")


def raw_subject(partition: int) -> str:
    """Where the raw samples of a partition stand."""
    return f"ward.{partition}.raw"


CLEANED: Final = "ward.*.cleaned"
"""The cleaned samples of all partitions."""


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
                await asyncio.sleep(AGAIN_S)

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
            subjects=["ward.*.raw", CLEANED],
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
        from nats.js.errors import NoKeysError, NotFoundError

        async def listed() -> list[str]:
            try:
                # It would wait for ever for the rest of a list whose broker has died meanwhile.
                return await asyncio.wait_for(bucket.keys(), _ASKED_S)
            except NoKeysError:
                return []
            except NotFoundError as error:
                # The broker was restarted in the middle of the list, and has forgotten who asked for it.
                raise TimeoutError from error

        return await self.surely(listed)

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

    async def answer_as(self, name: str) -> None:
        """Answer whoever asks `is_there`, for as long as the connection lives."""

        async def here(asked: "Msg") -> None:
            await asked.respond(b"")

        await self._client.subscribe(_THERE + name, cb=here)

    async def is_there(self, name: str) -> bool:
        """Whether somebody has a connection who answers as that name.

        The broker knows at once when a process has died, and says that nobody listens; one that is
        paused, or out of reach, still counts as there.
        """
        from nats import errors

        try:
            await self._client.request(_THERE + name, timeout=_THERE_S)
        except errors.NoRespondersError:
            return False
        except (TimeoutError, errors.Error):
            pass
        return True

    async def close(self) -> None:
        """Hang up; a broker that is gone need not hear it."""
        with contextlib.suppress(OSError):
            await self._client.close()


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
        log.troubled_s = time.monotonic()

    try:
        connecting = nats.connect(
            url,
            error_cb=note,
            reconnected_cb=again,
            max_reconnect_attempts=-1,
            reconnect_time_wait=AGAIN_S,
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
