"""A Polar H10 without a radio: what a belt sends, and how it goes away."""

import struct
import threading
import time

from streamer.devices.polar_frames import FS

SIZE = 73
"""Samples in a frame."""


def frame(microvolts, last_ns, kind=0, layout=0):
    body = b"".join(int(value).to_bytes(3, "little", signed=True) for value in microvolts)
    return struct.pack("<BQB", kind, last_ns, layout) + body


class Belt:
    """A belt that counts, and sends a frame as soon as it has one; some never arrive.

    Parameters
    ----------
    lost
        Numbers of the frames that never arrive.
    leaves
        After so many frames it goes away once.
    """

    def __init__(self, lost=(), leaves=None):
        self.lost, self.leaves, self.begun = lost, leaves, time.perf_counter()
        self.connections = self.closed = 0
        self._ended = threading.Event()

    def __call__(self, address, look_s):
        self.connections += 1
        self._ended = threading.Event()
        return self

    def start(self, heard, gone):
        threading.Thread(target=self._send, args=(heard, gone, self._ended), daemon=True).start()

    def _send(self, heard, gone, ended):
        number = int((time.perf_counter() - self.begun) * FS / SIZE)
        while not ended.wait(max(0.0, self.begun + (number + 1) * SIZE / FS - time.perf_counter())):
            first = number * SIZE
            if number == self.leaves:
                self.leaves = None
                gone()
                return
            if number not in self.lost:
                last_ns = round(1e9 * (600 + (first + SIZE - 1) / FS))
                heard(frame(range(first, first + SIZE), last_ns))
            number += 1

    def close(self):
        self.closed += 1
        self._ended.set()
