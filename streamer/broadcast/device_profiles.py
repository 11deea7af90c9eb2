"""How real devices deliver their samples: seeded schedules of packets, stamps and losses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

SMOOTH_PACKET_S = 0.01


class Packet(NamedTuple):
    """Samples first … first+len(stamps)-1, handed over together.

    `due_s` and `stamps` count in seconds from the first sample's time; stamps have the shape
    (samples,).
    """

    first: int
    due_s: float
    stamps: NDArray[np.float64]


@dataclass(frozen=True)
class DeviceProfile:
    """A kind of device.

    Parameters
    ----------
    packets
        From the rate in Hz and a random generator to packets without end.
    fs
        Rate of the device in Hz; None takes the signal's.
    """

    title: str
    packets: Callable[[float, np.random.Generator], Iterator[Packet]]
    fs: float | None = None


def _smooth(fs: float, random: np.random.Generator) -> Iterator[Packet]:
    size, first = max(1, round(SMOOTH_PACKET_S * fs)), 0
    while True:
        stamps = np.arange(first, first + size) / fs
        yield Packet(first, float(stamps[-1]), stamps)
        first += size


def _polar_h10(fs: float, random: np.random.Generator) -> Iterator[Packet]:
    """Bluetooth delivers late and unevenly; the stamps are the strap's own, from its own quartz."""
    size, first, due = 73, 0, 0.0
    true_fs = fs * (1 - 120e-6)
    while True:
        stamps = np.arange(first, first + size) / true_fs + random.normal(0, 0.05 / fs)
        due = max(due, float(stamps[-1]) + min(0.02 + random.exponential(0.03), 0.3))
        if random.random() >= 0.01:
            yield Packet(first, due, stamps)
        first += size


def _jittery(fs: float, random: np.random.Generator) -> Iterator[Packet]:
    first, due = 0, 0.0
    true_fs = fs * (1 + 80e-6)
    while True:
        pair = []
        for _ in range(2):
            size = max(4, round(random.uniform(0.01, 0.1) * fs))
            times = np.arange(first, first + size) / true_fs
            due = max(due, float(times[-1]) + random.exponential(0.015))
            pair.append(Packet(first, due, times + random.normal(0, 0.15 / fs, size)))
            first += size
        chance = random.random()
        if chance < 0.03:
            # The second overtakes the first.
            yield pair[1]
            yield pair[0]._replace(due_s=pair[1].due_s + 0.005)
            continue
        yield from pair
        if chance > 0.97:
            yield pair[1]._replace(due_s=pair[1].due_s + 0.01)


def _dropping(fs: float, random: np.random.Generator) -> Iterator[Packet]:
    """Loses from one sample to two seconds, about every four seconds, anywhere after the first second."""
    first = 0
    true_fs = fs * (1 + 30e-6)
    while True:
        size = max(1, round(random.uniform(0.01, 0.05) * fs))
        stamps = np.arange(first, first + size) / true_fs + random.normal(0, 0.02 / fs, size)
        due = float(stamps[-1]) + random.exponential(0.003)
        if random.random() < 0.0075 and first > fs:
            # The samples after `cut` are lost, in this packet and beyond it.
            cut = int(random.integers(0, size))
            if cut:
                yield Packet(first, due, stamps[:cut])
            first += cut + max(1, round(float(np.exp(random.uniform(0, np.log(2 * fs))))))
            continue
        yield Packet(first, due, stamps)
        first += size


PROFILES = {
    "smooth": DeviceProfile("packets of 10 ms with exact stamps", _smooth),
    "polar-h10": DeviceProfile("73 samples every 560 ms, a packet in a hundred lost", _polar_h10, 130.0),
    "jittery": DeviceProfile("uneven packets and stamps, some sent twice or in the wrong order", _jittery),
    "dropping": DeviceProfile("from one sample to two seconds lost, again and again", _dropping),
}


def packets(name: str, fs: float, seed: int) -> Iterator[Packet]:
    """Packets of a device, without end, the same for the same seed.

    Raises
    ------
    InputError
        If there is no such profile.
    """
    return find_profile(name).packets(fs, np.random.default_rng(seed))


def find_profile(name: str) -> DeviceProfile:
    """Profile by name; raises InputError where there is none."""
    if name not in PROFILES:
        raise InputError(f"device profile {name!r} is unknown; allowed: {', '.join(PROFILES)}")
    return PROFILES[name]
