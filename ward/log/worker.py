"""A worker: owns the partitions that fall to it among all workers that are alive, and cleans their beds."""

import asyncio
import os
import platform
import time
import uuid
from collections.abc import Callable
from typing import Final

from engine.in_process.stages import System
from streamer.partition import owner_of
from ward.log.broker import LEASE_S, Log
from ward.log.fence import Fenced
from ward.log.figures import Figures
from ward.log.partition import BedCount, Partition

RENEW_S: Final = LEASE_S / 4
_LOOK_S: Final = 0.25
WORKER, SENDER = "worker", "sender"
"""What the keys of those that are alive begin with."""


def own_name(kind: str) -> str:
    """A name that nobody else has: kind, machine, process and a random part."""
    host = "".join(letter if letter.isalnum() else "-" for letter in platform.node())
    return f"{kind}-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


async def stay_alive(log: Log, name: str) -> None:
    """Renew a key for ever."""
    while True:
        await log.surely(lambda: log.workers.put(name, b""))
        await asyncio.sleep(RENEW_S)


class Worker:
    """Takes part in a ward.

    Parameters
    ----------
    tell
        Given a line whenever a person should know something.
    figures
        What it counts of itself, where anybody looks.

    Attributes
    ----------
    name
        Its name among all workers.
    counts
        What it wrote of each bed.
    figures
        As given.
    """

    def __init__(
        self, log: Log, system: System, tell: Callable[[str], None], figures: Figures | None = None
    ) -> None:
        self._log, self._system, self._tell = log, system, tell
        self.name = own_name(WORKER)
        self._absent = ""
        self._owned: dict[int, tuple[asyncio.Event, asyncio.Task[None]]] = {}
        self.counts: dict[str, BedCount] = {}
        self.figures = figures or Figures()

    async def run(self, stop: asyncio.Event) -> None:
        """Clean until told to stop; what is owned then is left for others, with a snapshot of it."""
        await self._log.answer_as(self.name)
        alive = asyncio.create_task(stay_alive(self._log, self.name))
        try:
            while not stop.is_set() and not alive.done():
                await self._look()
                try:
                    await asyncio.wait_for(stop.wait(), _LOOK_S)
                except TimeoutError:
                    continue
            if alive.done():
                alive.result()
        finally:
            self.figures.workers = 0
            for stopping, _ in self._owned.values():
                stopping.set()
            await asyncio.gather(*(task for _, task in self._owned.values()), return_exceptions=True)
            self._sweep()
            alive.cancel()
            await self._log.surely(lambda: self._log.workers.delete(self.name))

    async def _look(self) -> None:
        """Take what falls to this worker and is free, give back what falls to others now."""
        self._sweep()
        workers = [key for key in await self._log.keys(self._log.workers) if key.startswith(WORKER)]
        self.figures.workers = len(workers) if self.name in workers else 0
        if self.name not in workers:
            # Others think it dead, or soon will; it has nothing to say before it is back.
            return
        workers = await self._without_dead(workers)
        partitions = {int(key.partition(".")[0]) for key in await self._log.keys(self._log.beds)}
        free = []
        for partition in sorted(partitions):
            mine = owner_of(partition, workers) == self.name
            if partition in self._owned and not mine:
                self._owned[partition][0].set()
            elif mine and partition not in self._owned:
                free.append(partition)
        await asyncio.gather(*(self._claim(partition, workers) for partition in free))

    async def _without_dead(self, workers: list[str]) -> list[str]:
        """Look after the worker whose name follows; one that has died is taken off the list of the living.

        A process that dies loses its connection at once, and the broker says so long before the lease ends.
        """
        ring = sorted(workers)
        following = ring[(ring.index(self.name) + 1) % len(ring)]
        if following == self.name or await self._log.is_there(following):
            self._absent = ""
            return workers
        if following != self._absent or time.monotonic() - self._log.troubled_s < LEASE_S:
            # It may be about to connect again.
            self._absent = following
            return workers
        await self._log.surely(lambda: self._log.workers.delete(following))
        return [name for name in workers if name != following]

    async def _claim(self, partition: int, workers: list[str]) -> None:
        from nats.js.errors import KeyWrongLastSequenceError

        if time.monotonic() - self._log.troubled_s < LEASE_S:
            # The broker was away: those that are alive have yet to say so.
            return
        owners, key = self._log.owners, str(partition)
        found = await self._log.value(owners, key)
        owner, revision = ("", 0) if found is None else (found[0].decode(), found[1])
        if owner in workers and owner != self.name:
            return
        try:
            epoch = await self._log.surely(lambda: owners.update(key, self.name.encode(), last=revision))
        except KeyWrongLastSequenceError:
            return
        stopping = asyncio.Event()
        self._owned[partition] = stopping, asyncio.create_task(self._own(partition, epoch, stopping))

    async def _own(self, number: int, epoch: int, stopping: asyncio.Event) -> None:
        partition = Partition(self._log, number, epoch, self._system, self._tell, self.figures)
        self.figures.takes(number)
        left = "error"
        try:
            await partition.run(stopping)
            await self._give_up(number, epoch)
            left = "given_back"
        except Fenced:
            left = "lost"
            self._tell(f"partition {number} was taken over by another worker")
        finally:
            self.figures.leaves(number, left)
            for bed, count in partition.counts.items():
                mine = self.counts.setdefault(bed, BedCount())
                mine.cleaned += count.cleaned
                mine.missing += count.missing

    async def _give_up(self, partition: int, epoch: int) -> None:
        from nats.js.errors import KeyWrongLastSequenceError

        try:
            await self._log.surely(lambda: self._log.owners.update(str(partition), b"", last=epoch))
        except KeyWrongLastSequenceError as error:
            found = await self._log.value(self._log.owners, str(partition))
            if found is None or found[0]:
                raise Fenced from error

    def _sweep(self) -> None:
        """Forget what is owned no more; an error of a partition ends it, and another attempt follows."""
        for partition, (_, task) in list(self._owned.items()):
            if task.done():
                del self._owned[partition]
                if not task.cancelled() and (error := task.exception()) is not None:
                    self._tell(f"partition {partition}: {type(error).__name__}: {error}; it is begun again")
