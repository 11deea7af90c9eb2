"""Sends messages of HL7 v2 over MLLP: one after the other, each until the receiver has accepted it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streamer.errors import InputError

if TYPE_CHECKING:
    from hl7.mllp import HL7StreamReader, HL7StreamWriter

ANSWER_S: Final = 10.0
"""A receiver that says nothing for so long is asked again, over a new connection."""
AGAIN_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Waited before each further attempt; the last of them for ever."""
_ACCEPTED: Final = ("AA", "CA")


class _NotAccepted(Exception):
    """What a receiver said instead of accepting."""


def parse_receiver(text: str) -> tuple[str, int]:
    """``HOST:PORT`` as both.

    Raises
    ------
    InputError
        If it is none.
    """
    host, _, port = text.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--hl7 is {text!r}; allowed: HOST:PORT of who listens, as hospital.example:2575")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Receiver:
    """Who gets messages over MLLP.

    Parameters
    ----------
    tell
        Given a line where it does not accept, and where it does again.
    answer_s, again_s
        As `ANSWER_S` and `AGAIN_S`.

    Attributes
    ----------
    attempts
        How often a message had to be sent again.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tell: Callable[[str], None],
        *,
        answer_s: float = ANSWER_S,
        again_s: tuple[float, ...] = AGAIN_S,
    ) -> None:
        self._host, self._port, self._tell = host, port, tell
        self._answer_s, self._again_s = answer_s, again_s
        self._connection: tuple[HL7StreamReader, HL7StreamWriter] | None = None
        self._turn = asyncio.Lock()
        self.attempts = 0

    async def send(self, message: str, identifier: str, stop: asyncio.Event) -> bool:
        """Send a message until it is accepted; False where it is told to stop before it was.

        It is sent again as it was, with the identifier it had: a receiver whose answer was lost knows it.
        """
        from hl7 import HL7Exception
        from hl7.mllp import InvalidBlockError

        async with self._turn:
            attempt = 0
            while True:
                try:
                    await asyncio.wait_for(self._ask(message, identifier), self._answer_s)
                except TimeoutError:
                    why = f"no answer in {self._answer_s:g} s"
                    await self.close()
                except _NotAccepted as error:
                    why = str(error)
                except (OSError, EOFError, ValueError, LookupError, HL7Exception, InvalidBlockError) as error:
                    why = str(error) or type(error).__name__
                    await self.close()
                else:
                    if attempt:
                        self._tell(f"{self._host}:{self._port} accepts again")
                    return True
                if not attempt:
                    self._tell(f"{self._host}:{self._port} does not accept ({why}); it is sent again")
                pause = self._again_s[min(attempt, len(self._again_s) - 1)]
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                if stop.is_set():
                    return False
                attempt += 1
                self.attempts += 1

    async def _ask(self, message: str, identifier: str) -> None:
        from hl7.mllp import open_hl7_connection

        if self._connection is None:
            self._connection = await open_hl7_connection(self._host, self._port, encoding="utf-8")
        reader, writer = self._connection
        writer.writeblock(message.encode())
        await writer.drain()
        while True:
            answer = await reader.readmessage()
            said = answer.segment("MSA")
            # One that is late is of an attempt before this one.
            if str(said(2)) != identifier:
                continue
            if str(said(1)) not in _ACCEPTED:
                words = " ".join(str(field) for field in said[3:4])
                raise _NotAccepted(f"it says {said(1)} {words}".rstrip())
            return

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            _, writer = self._connection
            self._connection = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
