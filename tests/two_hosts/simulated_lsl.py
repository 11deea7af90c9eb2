"""The Lab Streaming Layer of a simulation: pylsl's inlet and resolver, on a link that does not exist.

What liblsl does to samples stands here as far as it decides which of them arrive, and when: the outlet keeps
`OUTLET_S` for a client whose link is down, the inlet `max_buflen`, each drops its oldest; TCP keeps order; an
outlet that ends takes with it what it had not sent.
"""

import numpy as np
import pylsl
from scenario import Scenario
from simulated_time import SimulatedClock

from engine.lab.soak.counting import LEADS, frames_of

OUTLET_S = 360.0
PACKET_S = 0.02
LATENCY_S, JITTER_S = 0.02, 0.005
RESENT_S = 0.4
"""TCP sends again so long after the link is back, at most."""
AHEAD_S = -50_000.0
"""The device's clock beside ours."""
FAST = 100e-6
"""By how much the device's clock runs fast, where its stamps jitter."""
_FORGOTTEN_S = 3.0


class FarInfo(pylsl.StreamInfo):
    """What a device announces; each start of its outlet has another uid."""

    def __init__(self, fs: float, start: int) -> None:
        super().__init__("far", "ECG", len(LEADS), fs, pylsl.cf_float32, "far-device")
        self._start = start
        channels = self.desc().append_child("channels")
        for lead in LEADS:
            channel = channels.append_child("channel")
            for field, text in (("label", lead), ("unit", "millivolts"), ("type", "ECG")):
                channel.append_child_value(field, text)

    def uid(self) -> str:
        """Another one after each start."""
        return f"start-{self._start}"

    def hostname(self) -> str:
        """Not this machine."""
        return "far-host"


class World:
    """The device of a scenario, and the link to it: every sample with when it is sent and when it arrives.

    Attributes
    ----------
    number, stamp, sent, arrives
        Of the samples that the device ever sends, in order; times by our clock, stamps by the device's.
    received
        Numbers of the samples that an inlet has handed over.
    """

    def __init__(self, plan: Scenario, fs: float, clock: SimulatedClock) -> None:
        self.plan, self.fs, self.clock = plan, fs, clock
        self.began = clock.now
        self.received: list[np.ndarray] = []
        random = np.random.default_rng(plan.number)
        self._random = random
        number = np.arange(round((plan.seconds + 5) * fs))
        kept = np.ones(len(number), bool)
        for first, stop in plan.lost:
            kept[first:stop] = False
        number = number[kept]
        jitters = plan.device == "jitter"
        self._rate = 1 + FAST * jitters
        taken = self.began + number / fs
        self.stamp = AHEAD_S + taken * self._rate + (random.normal(0, 0.0005, len(number)) if jitters else 0)
        size = round(PACKET_S * fs)
        sent = self.began + (number // size + 1) * size / fs
        for begin, end in plan.held:
            sent = np.where((sent >= self.began + begin) & (sent < self.began + end), self.began + end, sent)
        self.number, self.sent = number, sent
        packet = number // size
        arrives = sent + LATENCY_S + random.uniform(0, JITTER_S, packet[-1] + 1)[packet]
        self.cut = None if plan.cut is None else (self.began + plan.cut[0], self.began + plan.cut[1])
        self.gone = plan.outage == "gone"
        if self.cut and not self.gone:
            back = self.cut[1] + random.uniform(0, RESENT_S)
            arrives = np.where((sent >= self.cut[0]) & (sent < back), back, arrives)
        self.arrives = np.maximum.accumulate(arrives)

    @property
    def up(self) -> bool:
        """Whether the device can be reached."""
        return self.cut is None or not self.cut[0] <= self.clock.now < self.cut[1]

    @property
    def start(self) -> int:
        """Which start of the outlet it is."""
        return int(self.gone and self.clock.now >= self.cut[1])

    def correction(self) -> float:
        """What turns a stamp of the device into our time, measured now."""
        now = self.clock.now
        return now - (AHEAD_S + now * self._rate) + self._random.normal(0, 0.0002)


class SimulatedInlet:
    """`pylsl.StreamInlet`, as much of it as a client uses."""

    world: World
    np_dtype = np.float32

    def __init__(self, info, max_buflen=360, recover=True, as_numpy=False, **other):
        world = self.world
        self._info, self._start = info, world.start
        self._buffer = round(min(max_buflen, OUTLET_S) * world.fs)
        self._next = self._stop = 0
        self._open = False

    def _reached(self, timeout):
        world = self.world
        if self._died:
            raise pylsl.util.LostError("the stream is lost")
        if not world.up:
            world.clock.advance(timeout)
            if not world.up:
                raise pylsl.util.TimeoutError("timeout")
        world.clock.advance(LATENCY_S)

    @property
    def _died(self):
        world = self.world
        return world.gone and self._start == 0 and world.clock.now >= world.cut[0]

    def info(self, timeout=32000000.0):
        """What the outlet says of itself."""
        self._reached(timeout)
        return self._info

    def open_stream(self, timeout=32000000.0):
        """Ask for samples: those that are sent from now on."""
        if self._open:
            return
        self._reached(timeout)
        world = self.world
        self._next = int(np.searchsorted(world.sent, world.clock.now))
        self._stop = len(world.sent)
        if world.gone and self._start == 0:
            self._stop = int(np.searchsorted(world.sent, world.cut[0] - LATENCY_S))
        self._open = True

    def close_stream(self):
        """Ask for no more."""
        self._open = False

    @property
    def obj(self):
        """What liblsl's own functions are given."""
        return self

    def time_correction(self, timeout=32000000.0):
        """Offset of the device's clock to ours."""
        self._reached(timeout)
        return self.world.correction()

    def pull_chunk(self, timeout=0.0, max_samples=1024, dest_obj=None, min_samples=None):
        """What has arrived, or arrives in time: (samples, channels) and stamps."""
        world, clock = self.world, self.world.clock
        self.open_stream(timeout)
        end = clock.now + timeout
        if self._next < self._stop:
            clock.until(min(end, world.arrives[self._next]))
        elif world.gone and self._start == 0:
            clock.until(min(end, max(clock.now, world.cut[0])))
            if self._died:
                raise pylsl.util.LostError("the stream is lost")
            clock.until(end)
        else:
            clock.until(end)
        there = min(int(np.searchsorted(world.arrives, clock.now, "right")), self._stop)
        # Outlet and inlet each keep their newest samples.
        self._next = max(self._next, there - self._buffer)
        taken = slice(self._next, min(there, self._next + max_samples))
        self._next = taken.stop
        world.received.append(world.number[taken])
        rows = frames_of(world.number[taken])
        if dest_obj is not None and len(rows):
            dest_obj[: len(rows)] = rows
            rows = dest_obj[: len(rows)]
        return rows, world.stamp[taken]


class SimulatedResolver:
    """`pylsl.ContinuousResolver`: what answers, or did lately."""

    world: World

    def __init__(self, **other):
        self._seen = -np.inf

    def results(self):
        """The device, if it is there."""
        world = self.world
        if world.up:
            self._seen = world.clock.now
        if world.clock.now - self._seen > _FORGOTTEN_S:
            return []
        return [FarInfo(world.fs, world.start)]


def _time_correction_ex(inlet, remote, uncertainty, timeout, failed):
    """The function of liblsl: results and errors go where its arguments point."""
    try:
        offset = inlet.time_correction(timeout.value)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        failed._obj.value = -1 if isinstance(error, pylsl.util.TimeoutError) else -2
        return 0.0
    remote._obj.value = inlet.world.clock.now - offset
    uncertainty._obj.value = LATENCY_S
    return offset


def install(world: World) -> None:
    """Have every program part that asks pylsl meet this world."""
    SimulatedInlet.world = SimulatedResolver.world = world
    pylsl.StreamInlet, pylsl.ContinuousResolver = SimulatedInlet, SimulatedResolver
    pylsl.lib.lib.lsl_time_correction_ex = _time_correction_ex
    pylsl.local_clock = lambda: world.clock.now
