"""Where the time goes from the command to the first cleaned sample: the product itself is started."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.lab.profile.hops import Show
from engine.lab.profile.machine import Others, describe_machine, measure_others
from streamer.errors import InputError

COMMAND, FIRST = "command", "first sample"
"""Parts that are not in a summary: what the command imports before it reads its options, and what follows
the engine's own start."""


def profile_start(
    model: str, backend: str, times: int, show: Show = lambda what, done, total: None
) -> dict[str, Any]:
    """Clean a second of the synthetic patient as fast as possible, in a new process each time.

    Returns
    -------
    dict
        ``parts``: median and largest of each part in s, by wall clock, and median of its CPU time in the
        process that it belongs to, None where that is not known; ``cold_start_s``: the same of all of
        it after the command; ``cpu_s``: median CPU time of all processes, cleaning included.

    Raises
    ------
    InputError
        If the product cannot start with this model and backend.
    """
    machine, before, others = describe_machine(), measure_others(), Others()
    walls: dict[str, list[float]] = {}
    cpus: dict[str, list[float]] = {}
    cold, used = [], []
    for done in range(times):
        show("starts", done, times)
        wall_s, cpu_s = _ran(["-c", "import ecg_stream.command_line"])
        summary, all_s = _summary(model, backend)
        parts = {COMMAND: {"wall_s": wall_s, "cpu_s": cpu_s}, **summary["start"]}
        cold_s = summary["streams"][0]["cold_start_s"]
        parts[FIRST] = {"wall_s": cold_s - sum(part["wall_s"] for part in summary["start"].values())}
        for name, part in parts.items():
            walls.setdefault(name, []).append(part["wall_s"])
            if "cpu_s" in part:
                cpus.setdefault(name, []).append(part["cpu_s"])
        cold.append(cold_s)
        used.append(all_s)
    machine["others_cores"] = {"before": before, "during": others.cores()}
    return {
        "model": model,
        "backend": backend,
        "times": times,
        "parts": {
            name: {
                "wall_s": statistics.median(found),
                "longest_s": max(found),
                "cpu_s": statistics.median(cpus[name]) if name in cpus else None,
            }
            for name, found in walls.items()
        },
        "cold_start_s": {"wall_s": statistics.median(cold), "longest_s": max(cold)},
        "cpu_s": statistics.median(used),
        "machine": machine,
    }


def _summary(model: str, backend: str) -> tuple[dict[str, Any], float]:
    """What a run of the product says of itself, and its CPU time."""
    with TemporaryDirectory(prefix="ecg-stream-") as folder:
        file = Path(folder) / "summary.json"
        words = ["--source", "synthetic", "--model", model, "--backend", backend, "--headless"]
        _, cpu_s = _ran(["-m", "ecg_stream", *words, "--seconds", "1", "--speed", "0", "--json", str(file)])
        summary: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return summary, cpu_s


def _ran(words: Sequence[str]) -> tuple[float, float]:
    """Wall-clock and CPU time of Python with these words, s."""
    began, before = time.perf_counter(), _children_s()
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        why = ran.stderr.strip().splitlines()[-1:] or [f"exit status {ran.returncode}"]
        raise InputError(f"the product does not start: {why[0].removeprefix('ecg-stream: ')}")
    return time.perf_counter() - began, _children_s() - before


def _children_s() -> float:
    """CPU time of all children that have ended."""
    times = os.times()
    return times.children_user + times.children_system
