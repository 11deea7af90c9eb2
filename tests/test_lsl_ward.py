"""A whole ward on the network: 64 streams of three leads at 250 Hz, all of them found and opened.

``python -m pytest -s tests/test_lsl_ward.py`` says how long it took.
"""

import multiprocessing
import time

import lsl_outlets  # noqa: F401 - isolates LSL
import numpy as np

from streamer.joining import Joining
from streamer.lsl.network import load_pylsl
from streamer.lsl.settings import LslSettings
from streamer.settings import SourceSettings

STREAMS, LEADS, FS = 64, 3, 250


def serve(ready):
    pylsl = load_pylsl()
    outlets = []
    for number in range(STREAMS):
        info = pylsl.StreamInfo(f"bed-{number}", "ECG", LEADS, FS, "float32", f"serial-{number}")
        channels = info.desc().append_child("channels")
        for lead in ("I", "II", "V1"):
            channel = channels.append_child("channel")
            channel.append_child_value("label", lead)
            channel.append_child_value("unit", "millivolts")
        outlets.append(pylsl.StreamOutlet(info))
    ready.set()
    size = FS // 10
    newest = pylsl.local_clock()
    while True:
        newest += size / FS
        time.sleep(max(0.0, newest - pylsl.local_clock()))
        stamps = newest - np.arange(size)[::-1] / FS
        for outlet in outlets:
            outlet.push_chunk(np.ones((size, LEADS), np.float32), stamps)


def test_all_of_64_streams_are_found_and_opened():
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    ward = context.Process(target=serve, args=(ready,), daemon=True)
    ward.start()
    try:
        assert ready.wait(60)
        base = SourceSettings(kind="lsl", lsl=LslSettings(every=True, timeout=60.0))
        began = time.monotonic()
        joining = Joining([base], lambda number, settings, source: source.info)
        opened = []
        while len(opened) < STREAMS and time.monotonic() < began + 90:
            opened += joining.arrived()
            time.sleep(0.02)
        took = time.monotonic() - began
        joining.close()
    finally:
        ward.kill()
        ward.join(10)
    assert sorted(info.name for info in opened) == sorted(f"LSL bed-{number}" for number in range(STREAMS))
    assert {info.leads for info in opened} == {("I", "II", "V1")}
    print(f"\n{len(opened)} streams of {LEADS} leads at {FS} Hz found and opened in {took:.1f} s")  # noqa: T201 - asked for with -s
