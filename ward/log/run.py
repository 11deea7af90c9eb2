"""A worker of a ward of several machines, from its start to Ctrl-C."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.in_process.stages import System, open_system
from engine.run.ctrl_c import ctrl_c_noted
from ward.log.broker import open_log
from ward.log.partition import BedCount
from ward.log.worker import Worker

_LOOK_S = 0.1


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
    url: str, model: str, lookahead_ms: float | None, hop_ms: float, tell: Callable[[str], None]
) -> WorkerSummary:
    """Clean what falls to this worker until Ctrl-C.

    Parameters
    ----------
    lookahead_ms
        None is the network's own.
    tell
        Given a line whenever a person should know something.

    Raises
    ------
    InputError
        If the broker or the network cannot be used.
    """
    system = open_system(model, lookahead_ms, hop_ms, waits=True)
    with ctrl_c_noted() as pressed:
        return asyncio.run(_work(url, system, pressed, tell))


async def _work(
    url: str, system: System, pressed: Callable[[], bool], tell: Callable[[str], None]
) -> WorkerSummary:
    log = await open_log(url)
    stop = asyncio.Event()

    async def look() -> None:
        while not pressed():
            await asyncio.sleep(_LOOK_S)
        stop.set()

    looking = asyncio.create_task(look())
    try:
        worker = Worker(log, system, tell)
        tell(f"{worker.name} takes part in the ward at {url}; Ctrl-C ends")
        await worker.run(stop)
    finally:
        looking.cancel()
        await log.close()
    return WorkerSummary(worker.name, worker.counts)
