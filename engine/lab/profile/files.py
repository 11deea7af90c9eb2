"""What cleaning files costs, on one process and on several, beside playing them as fast as possible."""

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.files.clean_file import Request
from engine.files.inputs import Wanted, wanted_files
from engine.files.many import clean_many
from engine.files.opened import Stated
from engine.in_process.arrays import Settings
from engine.lab.profile.machine import describe_machine
from engine.run.protocol import CleanSettings, Job
from engine.run.session import Session
from streamer.errors import InputError
from streamer.settings import SourceSettings
from streamer.several import side_by_side

_MB = 1024.0
"""Of `ru_maxrss` on Linux, which counts kB."""


def profile_files(
    files: Sequence[str], jobs: int, model: str, played_s: float, report: Callable[[str], None]
) -> dict[str, Any]:
    """Clean files on one process and on `jobs`, then play the begin of each.

    Parameters
    ----------
    played_s
        Signal of each file that is played, s; 0 plays none.
    report
        Told what begins.

    Returns
    -------
    dict
        For each way seconds of wall clock and of CPU time, and seconds of leads that these cleaned; and the
        most memory of this process once it had cleaned on its own, MB.

    Raises
    ------
    InputError
        If a file cannot be cleaned.
    """
    figures: dict[str, Any] = {"model": model, "machine": describe_machine(), "ways": []}
    for count in sorted({1, jobs}):
        report(f"cleaning on {count}")
        with TemporaryDirectory() as folder:
            wanted = wanted_files(files, Path(folder))
            way = _timed(lambda wanted=wanted, count=count: _clean(wanted, count, model))  # type: ignore[misc]
        figures["ways"].append({"way": "clean", "jobs": count, **way})
        if count == 1:
            figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB
    if played_s:
        report("playing")
        way = _timed(lambda: sum(_play(str(each.file), model, played_s) for each in wanted))
        figures["ways"].append({"way": "play", "jobs": 1, **way})
    return figures


def _timed(work: Callable[[], float]) -> dict[str, float]:
    wall, cpu = time.monotonic(), _cpu_s()
    leads_s = work()
    return {"leads_s": leads_s, "wall_s": time.monotonic() - wall, "cpu_s": _cpu_s() - cpu}


def _cpu_s() -> float:
    """CPU time of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _clean(wanted: Sequence[Wanted], jobs: int, model: str) -> float:
    request = Request(Settings(model, None, causal=False), Stated())
    done = list(clean_many(wanted, request, jobs, lambda number, share: None))
    for each in done:
        if each.status == "refused":
            raise InputError(each.said)
    return sum(each.signal_s for each in done)


def _play(file: str, model: str, seconds: float) -> float:
    """Seconds of leads that were played."""
    base = SourceSettings("replay", speed=0, seconds=seconds)
    job = Job(sources=side_by_side(base, file), clean=CleanSettings(model=model), traces=False)
    (stream,) = Session(job).run().summary.streams
    return stream.samples_out * len(stream.leads) / stream.source_fs_hz
