"""What memory cleaning takes while a long file goes through: an EDF of synthetic patients, made for it."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import time as time_of_day
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.files.clean_file import Request, clean_file
from engine.files.inputs import wanted_files
from engine.files.opened import Stated
from engine.in_process.arrays import Settings
from engine.lab.profile.machine import describe_machine
from streamer.console.installed import why_missing
from streamer.errors import InputError
from streamer.synthetic import SyntheticPatient

FS = 360
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_TURN_S = 60
"""A patient stays so long; after the last comes the first again."""
_PATIENTS = 6
_PARTS = 12
_LIMITS_MV = (-8.0, 8.0)
_MB = 1024.0
"""Of `ru_maxrss` on Linux, which counts kB."""


def profile_day(hours: float, model: str, report: Callable[[int, int], None]) -> dict[str, Any]:
    """Make a 12-lead EDF of so many hours and clean it in this process.

    Parameters
    ----------
    report
        Told how many parts are cleaned, and of how many.

    Returns
    -------
    dict
        Seconds of wall clock and CPU time, the size of the file, and as ``memory_mb`` the most memory of this
        process until each twelfth of the signal was cleaned, and until all was written.

    Raises
    ------
    InputError
        If the file cannot be cleaned, or edfio is not installed.
    """
    if missing := why_missing(["edfio"], "files"):
        raise InputError(missing)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "day.edf"
        # Of this process nothing is measured but cleaning.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
            maker.submit(make_edf, file, hours).result()
        figures: dict[str, Any] = {
            "model": model,
            "machine": describe_machine(),
            "hours": hours,
            "leads": len(LEADS),
            "file_mb": file.stat().st_size / 1e6,
        }
        (wanted,) = wanted_files([str(file)], Path(folder) / "cleaned")
        memory: list[float] = []

        def part_done(share: float) -> None:
            memory.extend([_peak_mb()] * (int(share * _PARTS) - len(memory)))
            report(int(share * _PARTS), _PARTS)

        wall, cpu = time.monotonic(), time.process_time()
        clean_file(wanted, Request(Settings(model, None, causal=False), Stated()), part_done)
        figures |= {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
        return {**figures, "memory_mb": [*memory, _peak_mb()]}


def make_edf(file: Path, hours: float) -> None:
    """Write synthetic patients, one after the other, as an EDF file of 12 leads and records of a second."""
    turns = [_turn(seed) for seed in range(_PATIENTS)]
    records = round(3600 * hours)
    header, size = turns[0][: 256 * (1 + len(LEADS))], 2 * FS * len(LEADS)
    with file.open("wb") as written:
        # The number of data records stands in bytes 236 to 243.
        written.write(header[:236] + f"{records:<8d}".encode() + header[244:])
        for place, start in enumerate(range(0, records, _TURN_S)):
            samples = turns[place % _PATIENTS][len(header) :]
            written.write(samples[: min(_TURN_S, records - start) * size])


def _turn(seed: int) -> bytes:
    """A whole EDF file of one patient's turn."""
    import edfio

    rows = SyntheticPatient(leads=LEADS, fs=FS, seed=seed).read(0, FS * _TURN_S).data.astype(float)
    signals = [
        edfio.EdfSignal(row, FS, label=f"ECG {lead}", physical_dimension="mV", physical_range=_LIMITS_MV)
        for row, lead in zip(rows, LEADS, strict=True)
    ]
    made = BytesIO()
    edfio.Edf(signals, starttime=time_of_day(), data_record_duration=1.0).write(made)
    return made.getvalue()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB
