"""A worker of a ward of several machines, from its start to Ctrl-C."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.in_process.stages import System, open_system
from engine.run.ctrl_c import ctrl_c_noted
from ward.log.broker import open_log
from ward.log.figures import Figures
from ward.log.partition import BedCount
from ward.log.worker import Worker

_LOOK_S = 0.1
_LEAVES_S = 10.0
"""Told to stop, a worker waits this long for a broker that is away."""


@dataclass(frozen=True)
class WorkerSummary:
    """What a worker did.

    Parameters
    ----------
    worker
        Its name in the ward.
    beds
        What it wrote of each bed.
    """

    worker: str
    beds: dict[str, BedCount]


def work(
    url: str,
    model: str,
    lookahead_ms: float | None,
    hop_ms: float,
    tell: Callable[[str], None],
    figures: Figures,
) -> WorkerSummary:
    """Clean what falls to this worker until Ctrl-C.

    Parameters
    ----------
    lookahead_ms
        None is the network's own.
    tell
        Given a line whenever a person should know something.
    figures
        What the worker counts of itself.

    Raises
    ------
    InputError
        If the broker or the network cannot be used.
    """
    system = open_system(model, lookahead_ms, hop_ms, waits=True)
    with ctrl_c_noted() as pressed:
        return asyncio.run(_work(url, system, pressed, tell, figures))


async def _work(
    url: str, system: System, pressed: Callable[[], bool], tell: Callable[[str], None], figures: Figures
) -> WorkerSummary:
    log = await open_log(url)
    stop = asyncio.Event()

    async def look() -> None:
        while not pressed():
            figures.beat(log.troubled_s, log.connections)
            await asyncio.sleep(_LOOK_S)
        stop.set()

    looking = asyncio.create_task(look())
    try:
        worker = Worker(log, system, tell, figures)
        tell(f"{worker.name} takes part in the ward at {url}; Ctrl-C ends")
        running = asyncio.create_task(worker.run(stop))
        await asyncio.wait({running, looking}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({running}, timeout=_LEAVES_S)
        if not running.done():
            tell(f"the broker took no last snapshot in {_LEAVES_S:g} s; others begin behind the one before")
            await _end(running)
        if not running.cancelled():
            running.result()
    finally:
        looking.cancel()
        await _end(asyncio.create_task(log.close()), _LEAVES_S)
    return WorkerSummary(worker.name, worker.counts)


async def _end(task: asyncio.Task[None], patience_s: float = 0.0) -> None:
    """Wait for a task for some time, then cancel it until it is over: it may wait again on its way out."""
    await asyncio.wait({task}, timeout=patience_s)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_LOOK_S)
