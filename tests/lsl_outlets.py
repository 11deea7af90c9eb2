"""Real outlets in child processes, on this machine's loopback alone.

Importing this file isolates the test run: no LSL call may come before it. Workers that run at the same
time (pytest -n) are isolated from each other as well, by a session and by ports of their own.
"""

import atexit
import multiprocessing
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamer.broadcast.outlet import Broadcast, BroadcastSettings
from streamer.lsl.network import BASE_PORT, PORTS, keep_to_this_machine, load_pylsl
from streamer.settings import SourceSettings

_MARK = "ECG_STREAM_TEST_LSL"
if _MARK not in os.environ:  # children inherit both the mark and the configuration
    os.environ[_MARK] = "isolated"
    _FOLDER = tempfile.TemporaryDirectory(prefix="ecg-stream-lsl-")
    # An interrupted worker would complain that nobody had cleaned up.
    atexit.register(_FOLDER.cleanup)
    _WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    keep_to_this_machine(Path(_FOLDER.name), BASE_PORT + PORTS * _WORKER)


@dataclass
class Device:
    """An outlet that repeats one frame; a channel labelled ``counter`` counts the samples instead."""

    name: str
    type: str = "ECG"
    fs: float = 250.0
    # label, unit, type; "" leaves the field out
    channels: list = field(default_factory=lambda: [("II", "millivolts", "ECG")])
    frame: tuple = (0.5,)
    format: str = "float32"
    source_id: str = "device"
    stamp_error_s: float = 0.0
    true_fs: float = 0.0
    """What it samples at; 0 is what it states."""
    stamp_from_s: float | None = None
    """Its stamps count from here; None is LSL's clock."""
    stamp_scale: float = 1.0


def serve(device, ready):
    pylsl = load_pylsl()
    info = pylsl.StreamInfo(
        device.name, device.type, len(device.channels), device.fs, device.format, device.source_id
    )
    described = info.desc().append_child("channels")
    for fields in device.channels:
        channel = described.append_child("channel")
        for key, value in zip(("label", "unit", "type", "scaling_factor"), fields, strict=False):
            if value:
                channel.append_child_value(key, value)
    outlet = pylsl.StreamOutlet(info, max_buffered=10)
    ready.set()
    random = np.random.default_rng(0)
    counting = [i for i, fields in enumerate(device.channels) if fields[0] == "counter"]
    true_fs = device.true_fs or device.fs or 50
    size, first, began = max(1, round(0.02 * true_fs)), 0, pylsl.local_clock()
    shift = 0.0 if device.stamp_from_s is None else device.stamp_from_s - began
    while True:
        stamps = began + np.arange(first, first + size) / true_fs
        time.sleep(max(0.0, stamps[-1] - pylsl.local_clock()))
        if device.format == "string":
            outlet.push_sample(["event"])
        else:
            frames = np.tile(np.array(device.frame, np.float64), (size, 1))
            frames[:, counting] = np.arange(first, first + size)[:, None]
            stamps = device.stamp_scale * (stamps + shift)
            outlet.push_chunk(frames, stamps + random.normal(0, device.stamp_error_s, size))
        first += size


def _broadcast(source, settings, ready):
    sender = Broadcast(source, settings)
    ready.set()
    sender.run()


@contextmanager
def running(*devices):
    """Serve `Device` or `BroadcastSettings`, each in a process of its own; hands out the processes."""
    context = multiprocessing.get_context("spawn")
    processes = []
    try:
        for device in devices:
            ready = context.Event()
            if isinstance(device, BroadcastSettings):
                work = (_broadcast, (SourceSettings(leads=("II", "V1")), device, ready))
            else:
                work = (serve, (device, ready))
            process = context.Process(target=work[0], args=work[1], daemon=True)
            process.start()
            processes.append(process)
            assert ready.wait(60)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join(10)
