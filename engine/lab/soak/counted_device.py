"""A device whose every sample says which it is, as an LSL outlet; it can be made to misbehave."""

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from engine.lab.soak.counting import LEADS, Numbers, frames_of
from streamer.lsl.network import load_pylsl

FS = 360.0
PACKET_S = 0.02
_KEPT_S = 360
Span = tuple[int, int]
"""Numbers of samples, from the first to before the second."""


class CountedDevice:
    """It samples all the time, and sends packets, each sample with the time at which it was due.

    Parameters
    ----------
    name
        Of its stream.

    Attributes
    ----------
    there
        Whether it has an outlet; what it samples without one is nowhere sent.
    holds
        Whether it keeps what it samples to itself, until it sends everything at once.
    unsent
        Samples that it never sent, in order.
    """

    def __init__(self, name: str, fs: float = FS) -> None:
        self._name, self._fs = name, fs
        self._size = round(PACKET_S * fs)
        self._clock = load_pylsl().local_clock
        self._outlet: Any = self._new_outlet()
        self._waiting: list[Numbers] = []
        self._began: float = self._clock()
        self.first = 0
        self.there, self.holds = True, False
        self.unsent: list[Span] = []

    def _new_outlet(self) -> Any:
        """One that keeps six minutes for a client that is cut off."""
        pylsl = load_pylsl()
        info = pylsl.StreamInfo(
            self._name, "ECG", len(LEADS), self._fs, pylsl.cf_float32, f"{self._name}-device"
        )
        channels = info.desc().append_child("channels")
        for lead in LEADS:
            channel = channels.append_child("channel")
            for field, text in (("label", lead), ("unit", "millivolts"), ("type", "ECG")):
                channel.append_child_value(field, text)
        return pylsl.StreamOutlet(info, max_buffered=_KEPT_S)

    def wait_for_client(self, timeout_s: float) -> None:
        """Begin to sample when the first one listens, or after so long."""
        self._outlet.wait_for_consumers(timeout_s)
        self._began = self._clock()

    @property
    def wait_s(self) -> float:
        """Until the last sample of the next packet is due."""
        return float(max(0.0, self._began + (self.first + self._size) / self._fs - self._clock()))

    def sample(self, lost: Sequence[Span] = (), jitter_s: float = 0.0) -> None:
        """Sample a packet, and send it with what was held, if nothing speaks against it.

        Parameters
        ----------
        lost
            Samples that it never sends.
        jitter_s
            Of the stamps, standard deviation.
        """
        numbers = np.arange(self.first, self.first + self._size)
        self.first += self._size
        if not self.there:
            self._outlet = None
            for each in (*self._waiting, numbers):
                self._never_sends(int(each[0]), int(each[-1]) + 1)
            self._waiting = []
            return
        if self._outlet is None:
            self._outlet = self._new_outlet()
        for begin, stop in lost:
            out = numbers[(numbers >= begin) & (numbers < stop)]
            if len(out):
                self._never_sends(int(out[0]), int(out[-1]) + 1)
                numbers = numbers[(numbers < begin) | (numbers >= stop)]
        if len(numbers):
            self._waiting.append(numbers)
        if self.holds or not self._waiting:
            return
        numbers, self._waiting = np.concatenate(self._waiting), []
        stamps = self._began + numbers / self._fs
        if jitter_s:
            stamps += np.random.default_rng(self.first).normal(0, jitter_s, len(numbers))
        self._outlet.push_chunk(frames_of(numbers), stamps)

    def _never_sends(self, begin: int, stop: int) -> None:
        if self.unsent and self.unsent[-1][1] == begin:
            begin, _ = self.unsent.pop()
        self.unsent.append((begin, stop))


def serve(name: str, commands: Connection) -> None:
    """Be such a device until the pipe says ``end``; the answer is what it never sent.

    Commands are ``(attribute, value)`` for `CountedDevice.there` and ``holds``, and ``("lose", samples)``
    from now on.
    """
    device, lost = CountedDevice(name), list[Span]()
    commands.send("ready")
    while True:
        while commands.poll(device.wait_s):
            what, value = commands.recv()
            if what == "end":
                commands.send(device.unsent)
                return
            if what == "lose":
                lost = [(device.first, device.first + value)]
            else:
                setattr(device, what, value)
        device.sample(lost)
