"""A link between two hosts in user space: two TAP devices, and what a bad network does to frames.

Run by `hosts.py` as a program of its own: ``python link.py PID_A PID_B``. It makes a device ``link0`` in
the network namespace of each process and carries Ethernet frames between them. Lines of JSON on standard
input change how: ``{"delay_s": 0.2, "jitter_s": 0.02, "loss": 0.01, "rate_bps": 1e6, "cut": true}``;
each is answered with a line. The kernel's own ``netem`` is not in every kernel.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_CLONE_NEWNET = 0x40000000
_MOST_BYTES = 65536
_QUEUED_S = 2.0
"""What a limited rate holds back for longer is dropped, as routers do."""


def open_device(pid: int) -> int:
    """A TAP device in the network namespace of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{pid}/ns/net") as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"link0", _IFF_TAP | _IFF_NO_PI))
    return device


class Link:
    """Frames on their way, each with the time at which it arrives at the other side."""

    def __init__(self, devices: tuple[int, int]) -> None:
        self._other = dict(zip(devices, reversed(devices), strict=True))
        self._free = dict.fromkeys(devices, 0.0)  # when the wire of a limited rate is free again
        self._random = random.Random(0)
        self._due: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self.how = {"delay_s": 0.0, "jitter_s": 0.0, "loss": 0.0, "rate_bps": 0.0, "cut": False}

    def take(self, device: int) -> None:
        """Everything that waits at one side."""
        while True:
            try:
                frame = os.read(device, _MOST_BYTES)
            except BlockingIOError:
                return
            if self.how["cut"] or self._random.random() < self.how["loss"]:
                continue
            now = time.monotonic()
            leaves = now
            if self.how["rate_bps"]:
                leaves = max(now, self._free[device]) + 8 * len(frame) / self.how["rate_bps"]
                if leaves - now > _QUEUED_S:
                    continue
                self._free[device] = leaves
            # Jitter beyond the distance of two frames puts them in another order.
            leaves += self.how["delay_s"] + self._random.uniform(0, 1) * self.how["jitter_s"]
            self._count += 1
            heapq.heappush(self._due, (leaves, self._count, self._other[device], frame))

    def deliver(self) -> float | None:
        """Hand over what is due; returns how long until the next is, None where nothing waits."""
        while self._due:
            wait = self._due[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, device, frame = heapq.heappop(self._due)
            try:
                os.write(device, frame)
            except OSError:
                continue  # the other side is not up yet, or its queue is full
        return None


def main() -> None:
    """Carry frames until standard input ends."""
    devices = open_device(int(sys.argv[1])), open_device(int(sys.argv[2]))
    link = Link(devices)
    with selectors.DefaultSelector() as waiting:
        for device in devices:
            waiting.register(device, selectors.EVENT_READ)
        waiting.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in waiting.select(link.deliver()):
                if key.fileobj is not sys.stdin:
                    link.take(key.fd)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                link.how |= json.loads(line)
                print("done", flush=True)


if __name__ == "__main__":
    main()
