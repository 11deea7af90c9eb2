"""Describe the machine of a measurement, and how busy other processes kept it."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

RUNTIMES = ("onnxruntime", "torch", "tensorrt", "tensorrt-rtx", "numpy")
"""Packages whose version decides what a call costs."""

IDLE_CORES = 0.1
"""A machine is idle when others use less than this; the scheduler and a shell need some."""
_CPUS = Path("/sys/devices/system/cpu")


def describe_machine() -> dict[str, Any]:
    """CPU, clocks, load, system and versions, ready for JSON; null is what cannot be read here."""
    clock = psutil.cpu_freq()
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "clock_mhz": clock.current if clock else None,
        "governor": _governor(),
        "load_average": list(os.getloadavg()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in RUNTIMES if (found := _version(name))},
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }


def _cpu_model() -> str:
    """Linux names the model in a file of its own; elsewhere Python knows at least the kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _governor() -> str | None:
    """How the kernel chooses the clock of the cores; None where it does not say (many virtual machines)."""
    found = {
        file.read_text(encoding="ascii").strip() for file in _CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")
    }
    return ", ".join(sorted(found)) or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Others:
    """Cores that all other processes use, between one reading and the next.

    Time that the host of a virtual machine takes away (steal) is included.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._look()

    def _look(self) -> tuple[float, float]:
        times, own = psutil.cpu_times(), self._process.cpu_times()
        # Linux counts a guest's time in `user` as well.
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        busy -= getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return time.perf_counter(), busy - own.user - own.system

    def cores(self) -> float:
        """Mean since the last reading."""
        before, self._before = self._before, self._look()
        seconds = self._before[0] - before[0]
        # The kernel counts in ticks of 10 ms, so that the difference may come out below zero.
        return max(0.0, (self._before[1] - before[1]) / seconds) if seconds else 0.0


def measure_others(seconds: float = 1.0) -> float:
    """Cores that others use while this process does nothing."""
    others = Others()
    time.sleep(seconds)
    return others.cores()
