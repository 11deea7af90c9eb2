"""Programs that stamp what a radio delivers: found, counted, and told from devices that stamp themselves."""

import numpy as np
import pytest
from arrival_tools import ArrivalDevice

from streamer.broadcast.device_profiles import PROFILES, packets
from streamer.chunk import StreamInfo
from streamer.regularise import YOUNG_S
from streamer.stamped import COUNTED, StampedStream

ORIGIN = 1000.0
MINUTES_30 = 1800.0
DEVICES = {
    "strap": ArrivalDevice(130, 73),
    "slow strap": ArrivalDevice(130, 73, ppm=-120),
    "strap, samples stamped one by one": ArrivalDevice(130, 73, each=True),
    "patch": ArrivalDevice(250, 50, stall_every_s=5),
    "board": ArrivalDevice(250, 10, jitter_s=0.004, ppm=200),
    "serial port": ArrivalDevice(250, 10, jitter_s=0.001),
}


class Heard:
    """A stream that took what a device sent; each sample's value is the device's count of it."""

    def __init__(self, fs):
        self.now_s = 0.0
        info = StreamInfo(fs, ("II",), "made", "made")
        self.stream = StampedStream(info, fs, lambda piece: piece, clock=lambda: self.now_s)
        self.pieces = []
        self.believed = 0  # pieces that left before the stamps were known

    def take(self, first, stamps, arrived_s):
        while self.stream.holds and self.now_s + 0.05 < arrived_s:
            self.now_s += 0.05
            self.pieces += self.stream.release(int(self.now_s * 1e9))
        self.now_s = arrived_s
        rows = np.arange(first, first + len(stamps), dtype=np.float64)[:, None]
        self.pieces += self.stream.push(ORIGIN + stamps, rows, int(arrived_s * 1e9))
        if not self.found:
            self.believed = len(self.pieces) + 1

    def end(self):
        self.pieces += self.stream.flush()
        return self

    @property
    def found(self):
        return self.stream.health.counted == COUNTED

    @property
    def counter(self):
        return np.concatenate([piece.rows[:, 0] for piece in self.pieces])

    @property
    def misplaced(self):
        """By how many samples each lies too late."""
        indices = np.concatenate([np.arange(piece.start, piece.stop) for piece in self.pieces])
        return indices - self.counter

    @property
    def stamps(self):
        return np.concatenate([piece.stamps for piece in self.pieces]) - ORIGIN


def heard(device, seconds, seed=0):
    listener, sent = Heard(device.fs), 0
    for pull in device.pulls(seconds, seed):
        listener.take(*pull)
        sent += len(pull.stamps)
    return listener.end(), sent


@pytest.mark.parametrize(("name", "seed"), [*((name, 0) for name in DEVICES), ("strap", 1), ("patch", 1)])
def test_half_an_hour_with_stalls_is_whole(name, seed):
    device = DEVICES[name]
    listener, sent = heard(device, MINUTES_30 if device.packet > 10 else MINUTES_30 / 3, seed)
    counts = listener.stream.health.counts
    assert listener.found
    assert (np.diff(listener.counter) == 1).all()
    assert (len(listener.counter), counts.late, counts.duplicates) == (sent, 0, 0)
    # What was believed before the stamps were known stays; nothing is added to it.
    young = round(YOUNG_S * device.fs)
    assert counts.gap_samples <= 0.3 * device.fs
    assert (listener.misplaced[young:] == listener.misplaced[-1]).all()
    true_s = (listener.counter + 1) / (device.fs * (1 + 1e-6 * device.ppm))
    assert np.abs(listener.stamps - true_s)[round(60 * device.fs) :].max() < 0.08
    counted = np.concatenate([piece.stamps for piece in listener.pieces[listener.believed + 1 :]])
    assert (np.diff(counted) > 0).all()
    rate = device.fs * (1 + 1e-6 * device.ppm)
    assert listener.stream.health.effective_fs_hz == pytest.approx(rate, rel=3e-4)


@pytest.mark.parametrize("name", ["strap", "board"])
def test_a_packet_that_is_lost_is_found(name):
    device = DEVICES[name]
    lossy = ArrivalDevice(device.fs, device.packet, jitter_s=device.jitter_s, loss=0.004)
    listener, sent = heard(lossy, MINUTES_30 if device.packet > 10 else MINUTES_30 / 3)
    lost = listener.counter[-1] + 1 - sent
    assert lost > 5 * device.packet
    assert listener.stream.health.counts.gap_samples == pytest.approx(lost, rel=0.05)
    assert abs(listener.misplaced[-1]) < 0.1 * device.fs
    assert (np.diff(listener.counter) >= 1).all()


def test_a_queue_that_drains_slowly_is_no_loss():
    fs, packet = 250, 25
    listener, at = Heard(fs), 0.0
    for number, first in enumerate(range(0, 120 * fs, packet)):
        due = (first + packet) / fs + 0.01 * (number % 2)
        stalled = 60 < due < 62
        # From 62 s on the radio delivers half as much again as the device takes.
        at = 62.0 if stalled and at < 62 else max(due, at + packet / fs / 1.5) if at >= 62 else due
        listener.take(first, at - np.arange(packet)[::-1] / fs, at)
    assert listener.end().found
    assert listener.stream.health.counts.gap_samples == 0
    assert not listener.misplaced.any()


def test_a_new_connection_goes_on_behind_a_gap_of_its_length():
    device = DEVICES["strap"]
    listener = Heard(device.fs)
    resumed = False
    for pull in device.pulls(120):
        if 60 < pull.arrived_s < 75:
            continue
        if pull.arrived_s >= 75 and not resumed:
            resumed = True
            before = listener.stream.health.counts.gap_samples
            listener.pieces += listener.stream.flush()
            listener.stream.resume()
        listener.take(*pull)
    gap = listener.end().stream.health.counts.gap_samples - before
    missing = np.diff(listener.counter).max() - 1
    assert gap == pytest.approx(missing, abs=1.5 * device.fs)
    assert abs(listener.misplaced[-1]) < 1.5 * device.fs


# A smooth device sends sample by sample: ten times as long to hear, and the least to go wrong.
@pytest.mark.parametrize(
    ("name", "seed"),
    [(name, seed) for name in sorted(PROFILES) for seed in range(1 if name == "smooth" else 8)],
)
def test_stamps_of_the_device_itself_are_believed(name, seed):
    fs = PROFILES[name].fs or 250.0
    listener, random = Heard(fs), np.random.default_rng(seed)
    for packet in packets(name, fs, seed):
        if packet.due_s > 120:
            break
        listener.take(packet.first, packet.stamps, packet.due_s + random.exponential(2e-4))
    assert not listener.end().found


@pytest.mark.parametrize("stall_s", [0.0, 0.8])
def test_exact_stamps_are_believed_with_losses_stalls_duplicates_and_a_clock_that_is_set(stall_s):
    fs, packet = 250.0, 10
    listener, random, delivered = Heard(fs), np.random.default_rng(0), 0.0
    for number, first in enumerate(range(0, round(300 * fs), packet)):
        sampled = (first + packet) / fs
        if number % 40 == 7:
            continue
        stalled = sampled // 20 * 20 + stall_s if sampled % 20 < stall_s else sampled
        delivered = max(stalled, delivered + 1e-4)
        stamps = np.arange(first, first + packet) / fs - 30 * (sampled > 150)
        for _ in range(2 if number % 50 == 9 else 1):
            listener.take(first, stamps, delivered + random.exponential(2e-4))
    counts = listener.end().stream.health.counts
    assert not listener.found
    assert counts.gap_samples > 0
    assert counts.clock_jumps == 1
