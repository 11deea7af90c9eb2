"""A device on a serial port: the far end of a pseudo terminal, and a thread that writes into it."""

import os
import pty
import threading
import time
from contextlib import contextmanager

FS = 250


class Arduino:
    """What a port's far end is; `port` is what ecg-stream opens."""

    def __init__(self):
        self._far, self._near = pty.openpty()
        self.port = os.ttyname(self._near)

    def send(self, data):
        """Write bytes at once."""
        while data:
            data = data[os.write(self._far, data) :]

    def unplug(self):
        """Take the port away."""
        if self._far is not None:
            os.close(self._far)
            os.close(self._near)
            self._far = None


@contextmanager
def sending(piece, *, fs=FS, size=5, device=None):
    """A device that sends ``piece(start, stop)``, samples of its count as bytes, at its rate."""
    device, ended = device or Arduino(), threading.Event()

    def send():
        begun, at = time.perf_counter(), 0
        while not ended.wait(max(0.0, begun + at / fs - time.perf_counter())):
            device.send(piece(at, at + size))
            at += size

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield device
    finally:
        ended.set()
        # A full port that nobody reads holds it up.
        thread.join(10)
        device.unplug()
