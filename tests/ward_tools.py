"""A ward without engines: beds that are fed by hand, or at real speed by a thread."""

import threading
import time
from contextlib import contextmanager

import numpy as np

from engine.messages import Cleaned
from engine.run.protocol import Setup, StartedStream
from streamer.chunk import StreamInfo
from streamer.synthetic import SyntheticPatient
from ward.beds import Beds
from ward.station.access import Address
from ward.station.server import Station

FS = 360.0
LOOPBACK = Address("127.0.0.1", 0)


def started(name, fs=FS):
    return StartedStream(StreamInfo(fs, ("II",), name, f"id of {name}"), Setup())


def message(name, start, raw, cleaned=None, spread=0.0, mark=0):
    """Samples of a bed that leave its engine, (samples,) mV."""
    raw = np.asarray(raw, np.float32)[None]
    cleaned = raw if cleaned is None else np.asarray(cleaned, np.float32)[None]
    marks = np.full(raw.shape, mark, np.uint8)
    stamps = (start + np.arange(raw.shape[1])) / FS
    return Cleaned(
        f"id of {name}", start, raw, cleaned, cleaned**2 + np.float32(spread) ** 2, None, marks, stamps, ()
    )


def beds_of(*names, worker=0):
    beds = Beds()
    for name in names:
        beds.plays(worker, started(name))
    return beds


@contextmanager
def feeding(beds, seconds=60.0):
    """Give every bed a heart, and go on at real speed."""
    ecg = SyntheticPatient(leads=("II",), seed=3).read(0, round(FS * (seconds + 20))).data[0]
    names = [bed.info.name for bed in beds.all]
    ends = threading.Event()

    def feed():
        begun, sent = time.monotonic() - 10, 0
        while not ends.wait(0.04) and time.monotonic() - begun < seconds:
            stop = round(FS * (time.monotonic() - begun))
            for name in names:
                beds.take(0, message(name, sent, ecg[sent:stop]))
            sent = stop
            beds.listen(0.01)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def station_of(beds, address=LOOPBACK, ready=lambda: True):
    return Station(beds, address, ready)
