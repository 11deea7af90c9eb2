"""Clean many files, on one process or several; one that is refused does not keep the others."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.queues import Queue

from engine.files.clean_file import Done, Request, clean_file
from engine.files.inputs import Wanted
from streamer.errors import InputError, one_line

_LOOK_S = 0.2
_channel: "Queue[tuple[int, float]] | None" = None
"""In a worker: where shares that are done go, by the number of the file."""


def clean_many(
    wanted: Sequence[Wanted], request: Request, jobs: int, report: Callable[[int, float], None]
) -> Iterator[Done]:
    """Clean files, and give what became of each when it is known.

    Parameters
    ----------
    jobs
        Processes that work at once.
    report
        Called with the number of a file, and which share of it is done.
    """
    if jobs == 1 or len(wanted) == 1:
        for number, each in enumerate(wanted):
            yield _clean_or_refuse(each, request, partial(report, number))
        return
    context = multiprocessing.get_context("spawn")
    channel = context.Queue()
    with ProcessPoolExecutor(min(jobs, len(wanted)), context, _begin_worker, (channel,)) as workers:
        try:
            waiting: dict[Future[Done], Wanted] = {
                workers.submit(_work, number, each, request): each for number, each in enumerate(wanted)
            }
            while waiting:
                ready, _ = wait(waiting, _LOOK_S, FIRST_COMPLETED)
                while not channel.empty():
                    report(*channel.get())
                for future in ready:
                    yield _result(future, waiting.pop(future))
        finally:
            workers.shutdown(cancel_futures=True)


def _result(future: Future[Done], wanted: Wanted) -> Done:
    try:
        return future.result()
    except BrokenProcessPool:
        return Done(wanted.file, "refused", f"{wanted.file}: the process that cleaned it was killed")


def _begin_worker(channel: "Queue[tuple[int, float]]") -> None:
    global _channel
    _channel = channel


def _work(number: int, wanted: Wanted, request: Request) -> Done:
    def report(share: float) -> None:
        if _channel is not None:
            _channel.put((number, share))

    return _clean_or_refuse(wanted, request, report)


def _clean_or_refuse(wanted: Wanted, request: Request, report: Callable[[float], None]) -> Done:
    try:
        return clean_file(wanted, request, report)
    except InputError as error:
        return Done(wanted.file, "refused", str(error))
    except OSError as error:
        return Done(wanted.file, "refused", f"{wanted.file}: {error.strerror or one_line(error)}")
