"""Watches a whole ward on the log, for the station."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from engine.run.ctrl_c import ctrl_c_noted
from ward.beds import Beds
from ward.log.broker import CLEANED, Log, open_log
from ward.log.follower import Follower
from ward.log.frames import decode
from ward.log.wall import Wall
from ward.log.worker import WORKER

_BEFORE_S = 20.0
"""The traces begin so long ago: heart rates are there at once."""
_LOOK_S = 0.5
_MOST = 500
"""Messages that are taken at a time: of hundreds of beds more than a thousand come in a second."""
_PASS_S = 0.04
_LISTEN_SHARE = 0.25
"""Of the time between two passes, for finding heart rates."""
_AWAY_S = 2.0
"""The broker is away where it has not answered for so long."""


class Watch:
    """Reads the log until it is told to stop, and keeps `beds` as it says.

    Attributes
    ----------
    ready
        Whether the broker answers, and a worker is alive.
    """

    def __init__(self, beds: Beds) -> None:
        self.beds = beds
        self.ready = False
        self._wall = Wall(beds)
        self._alive: list[str] = []
        self._answered_s = 0.0

    def run(self, url: str, tell: Callable[[str], None]) -> None:
        """Watch until Ctrl-C.

        Raises
        ------
        InputError
            If the broker cannot be used.
        """
        with ctrl_c_noted() as pressed:
            asyncio.run(self.watch(url, pressed, tell))

    async def watch(self, url: str, over: Callable[[], bool], tell: Callable[[str], None]) -> None:
        """Watch until `over` says so."""
        log = await open_log(url)
        tasks = [
            asyncio.create_task(work(log)) for work in (self._read, self._look, self._tell_all, self._listen)
        ]
        try:
            tell(f"the ward at {url} is watched; Ctrl-C ends")
            while not over() and not any(task.done() for task in tasks):
                await asyncio.sleep(_PASS_S)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(log.close(), _AWAY_S)

    async def _read(self, log: Log) -> None:
        """Take cleaned samples as they come, of all partitions with one reader."""
        cleaned = Follower(log, CLEANED, since=time.time() - _BEFORE_S)
        while True:
            for each in await cleaned.read(_MOST):
                partition = int(each.subject.split(".")[1])
                try:
                    message = decode(each.data)
                except ValueError as why:
                    number = each.metadata.sequence.stream
                    self.beds.tell(f"message {number} of partition {partition} is not understood: {why}")
                    continue
                came_s = each.metadata.timestamp.timestamp()
                if self._wall.take(partition, message, came_s, time.monotonic()):
                    found = await log.value(log.owners, str(partition))
                    self._wall.owned(partition, found[0].decode() if found else "")
            await asyncio.sleep(_PASS_S)

    async def _look(self, log: Log) -> None:
        """Ask who is alive."""
        while True:
            names = await log.keys(log.workers)
            self._alive = [name for name in names if name.startswith(WORKER)]
            self._answered_s = time.monotonic()
            await asyncio.sleep(_LOOK_S)

    async def _listen(self, log: Log) -> None:
        """Find heart rates, on a thread: what has come is shown meanwhile."""
        while True:
            await asyncio.sleep(_PASS_S)
            await asyncio.to_thread(self.beds.listen, _LISTEN_SHARE * _PASS_S)

    async def _tell_all(self, log: Log) -> None:
        """Say how the beds are doing, whether the broker answers or not."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = time.monotonic()
            answers = now_s - self._answered_s < _AWAY_S
            self.ready = answers and bool(self._alive)
            self._wall.look(self._alive if answers else None, now_s)
