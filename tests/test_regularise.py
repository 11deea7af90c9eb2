import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.broadcast.device_profiles import PROFILES, packets
from streamer.errors import InputError
from streamer.regularise import HOLD_S, Regulariser

FS = 250
ORIGIN = 1000.0


def rows(first, count):
    """Signal and the device's own count of its samples."""
    n = np.arange(first, first + count)
    return np.stack([np.sin(n / 7), n], axis=1)


class Feed:
    """Sends samples of a device to a regulariser; stamps and arrivals in seconds from the start."""

    def __init__(self, fs=FS):
        self.order = Regulariser(fs)
        self.fs = fs
        self.pieces = []

    def send(self, first, count, *, late_s=0.0, stamps=None, arrived_s=None, data=None):
        if stamps is None:
            stamps = np.arange(first, first + count) / self.fs + late_s
        arrived = (first + count) / self.fs if arrived_s is None else arrived_s
        data = rows(first, count) if data is None else data
        self.pieces += self.order.push(ORIGIN + np.asarray(stamps), data, int(arrived * 1e9))

    def end(self):
        self.pieces += self.order.flush()

    def steady(self, first, stop, size=10):
        for at in range(first, stop, size):
            self.send(at, min(size, stop - at))

    @property
    def indices(self):
        return np.concatenate([np.arange(p.start, p.stop) for p in self.pieces])

    @property
    def counter(self):
        return np.concatenate([p.rows[:, 1] for p in self.pieces])

    def assert_exact(self):
        """Every sample lies where the device's own count says, and none is there twice."""
        np.testing.assert_array_equal(self.indices, self.counter - self.counter[0])
        self.assert_forward()
        span = self.indices[-1] + 1
        assert span == len(self.indices) + self.order.counts.gap_samples

    def assert_forward(self):
        assert (np.diff(self.indices) > 0).all()


def run_profile(name, fs, seed, seconds):
    feed, duplicates, sent = Feed(fs), 0, set()
    for packet in packets(name, fs, seed):
        if packet.due_s > seconds:
            break
        duplicates += len(packet.stamps) if packet.first in sent else 0
        sent.add(packet.first)
        feed.send(packet.first, len(packet.stamps), stamps=packet.stamps, arrived_s=packet.due_s)
    feed.end()
    return feed, duplicates


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(PROFILES)),
    fs=st.sampled_from([100.0, 125.0, 130.0, 250.0, 360.0, 500.0, 1000.0, 2000.0]),
    seed=st.integers(0, 10_000),
)
def test_every_sample_of_every_device_is_in_its_place_or_in_a_gap(name, fs, seed):
    feed, duplicates = run_profile(name, fs, seed, seconds=20)
    feed.assert_exact()
    assert feed.order.counts.duplicates == duplicates
    assert feed.order.counts.clock_jumps == 0


def test_profiles_do_what_they_are_for():
    assert run_profile("dropping", 360, 0, 60)[0].order.counts.gaps > 5
    jittery = run_profile("jittery", 360, 0, 60)[0].order.counts
    assert jittery.duplicates > 0
    assert jittery.reordered > 0
    assert jittery.gaps == 0
    polar = next(packets("polar-h10", 130, 0))
    assert len(polar.stamps) == 73
    with pytest.raises(InputError, match="allowed: smooth"):
        next(packets("perfect", 130, 0))


@pytest.mark.parametrize("missing", [1, 2, 37, 500])
def test_a_gap_has_its_size(missing):
    feed = Feed()
    feed.steady(0, 1000)
    feed.steady(1000 + missing, 3000)
    feed.end()
    feed.assert_exact()
    assert (feed.order.counts.gaps, feed.order.counts.gap_samples) == (1, missing)


def test_gaps_within_one_pull_are_found():
    feed = Feed()
    feed.steady(0, 1000)
    kept = np.r_[1000:1013, 1014:1050, 1060:1100]
    feed.send(0, 0, stamps=kept / FS, data=rows(0, 1100)[kept], arrived_s=1100 / FS)
    feed.steady(1100, 1500)
    feed.assert_exact()
    assert (feed.order.counts.gaps, feed.order.counts.gap_samples) == (2, 11)


def test_samples_sent_twice_are_dropped_and_counted():
    feed = Feed()
    feed.steady(0, 1000)
    feed.send(980, 10, arrived_s=4.01)
    feed.send(985, 30, arrived_s=4.1)
    feed.steady(1015, 1200)
    feed.assert_exact()
    assert feed.order.counts.duplicates == 10 + 15


def test_equal_values_at_other_times_are_no_duplicates():
    feed = Feed()
    flat = np.zeros((10, 2))
    for first in range(0, 1000, 10):
        feed.send(first, 10, data=flat)
    assert feed.order.counts.duplicates == 0
    assert feed.order.next == 1000


def test_equal_stamps_of_other_values_are_no_duplicates():
    """A clock of 10 ms steps repeats its stamps; every sample counts, and none is missing."""
    feed = Feed()
    for first in range(0, 2000, 10):
        feed.send(first, 10, stamps=np.floor(np.arange(first, first + 10) / FS / 0.01) * 0.01)
    # A flat stretch under such a clock is no proof of anything either.
    for first in range(2000, 2500, 10):
        stamps = np.floor(np.arange(first, first + 10) / FS / 0.01) * 0.01
        feed.send(first, 10, stamps=stamps, data=np.zeros((10, 2)))
    feed.end()
    assert feed.order.next == 2500
    assert feed.order.counts.gaps == feed.order.counts.duplicates == 0


def test_swapped_packets_are_put_back():
    feed = Feed()
    feed.steady(0, 1000)
    feed.send(1012, 8)
    feed.send(1000, 12, arrived_s=4.09)
    feed.steady(1020, 1500)
    feed.assert_exact()
    assert feed.order.counts.reordered == 12
    assert feed.order.counts.gaps == 0


def test_what_comes_behind_its_own_gap_stays_out():
    feed = Feed()
    feed.steady(0, 1000)
    feed.steady(1020, 1200)
    feed.send(1000, 20, arrived_s=4.81)
    feed.steady(1200, 1500)
    feed.assert_exact()
    assert (feed.order.counts.late, feed.order.counts.gap_samples) == (20, 20)


def test_a_stray_stamp_is_no_gap():
    feed = Feed()
    feed.steady(0, 1000)
    feed.send(1000, 4, late_s=0.1)
    feed.steady(1004, 1500)
    feed.assert_exact()
    assert feed.order.counts.gaps == 0


@pytest.mark.parametrize("by_s", [-3600.0, -0.5, 3600.0, 86400.0])
def test_a_clock_that_is_set_is_no_gap(by_s):
    feed = Feed()
    feed.steady(0, 2000)
    for first in range(2000, 4000, 10):
        feed.send(first, 10, late_s=by_s)
    feed.end()
    feed.assert_exact()
    assert (feed.order.counts.clock_jumps, feed.order.counts.gaps) == (1, 0)


def test_a_wrong_nominal_rate_is_learnt():
    """One per cent off: what a cheap quartz never is. No gap may be seen in it."""
    feed = Feed()
    for first in range(0, 20_000, 10):
        feed.send(first, 10, stamps=np.arange(first, first + 10) / FS * 1.01)
    feed.send(20_007, 10, stamps=np.arange(20_007, 20_017) / FS * 1.01)
    feed.end()
    feed.assert_exact()
    assert feed.order.counts.gap_samples == 7


def test_held_samples_leave_in_time_without_new_ones():
    feed = Feed()
    feed.steady(0, 1000)
    feed.send(1100, 10, arrived_s=4.44)
    assert feed.order.holds
    assert feed.order.release(int((4.44 + HOLD_S / 2) * 1e9)) == []
    released = feed.order.release(int((4.44 + HOLD_S) * 1e9))
    assert [(p.start, p.stop) for p in released] == [(1100, 1110)]
    assert not feed.order.holds


def test_a_new_connection_is_behind_a_gap_of_its_length():
    feed = Feed()
    feed.steady(0, 1000)
    feed.order.resume()
    feed.steady(3000, 3500)
    feed.assert_exact()
    assert feed.order.counts.gap_samples == 2000


def test_a_new_connection_with_another_clock_is_behind_a_gap_by_arrival():
    feed = Feed()
    feed.steady(0, 1000)
    feed.order.resume()
    for first in range(0, 500, 10):
        feed.send(first, 10, late_s=-777.0, arrived_s=4 + 2 + first / FS)
    feed.end()
    feed.assert_forward()
    assert feed.order.counts.gap_samples == 2 * FS
    assert len(feed.indices) == 1500


@pytest.mark.parametrize("moved_s", [0.0, -900.0, 0.02])
@pytest.mark.parametrize(("last_late_s", "first_late_s"), [(0.0, 3.0), (3.0, 0.0)])
def test_what_is_late_around_a_break_has_its_place_where_the_clocks_are_compared(
    moved_s, last_late_s, first_late_s
):
    """The device held samples back, or a slow machine took them late; its clock was set, or measured anew."""
    feed = Feed()
    feed.steady(0, 990)
    feed.send(990, 10, arrived_s=1000 / FS + last_late_s)
    feed.order.resume(lambda: moved_s)
    set_s = -moved_s if abs(moved_s) > 1 else 0.0
    feed.send(3000, 10, late_s=set_s, arrived_s=3010 / FS + first_late_s)
    feed.send(3010, 10, late_s=set_s, arrived_s=3020 / FS + first_late_s)
    feed.end()
    assert feed.pieces[-1].stop == 3020


def test_the_first_sample_of_a_new_connection_that_comes_twice_is_dropped():
    """A soak of a day met it: one sample says nothing of how coarse the clock is, the day before does."""
    feed = Feed()
    feed.steady(0, 1000)
    feed.order.resume()
    for first, count in ((1500, 1), (1500, 1), (1501, 9)):
        feed.send(first, count, arrived_s=6.04)
    feed.steady(1510, 2000)
    feed.end()
    assert feed.order.counts.duplicates == 1
    assert feed.order.counts.clock_jumps == 0
    feed.assert_exact()


def test_a_coarse_clock_stays_one_over_a_break_and_loses_nothing():
    feed = Feed()
    flat = np.zeros((1, 1))
    for at in range(2000):
        if at == 1000:
            feed.order.resume()
        feed.send(at, 1, stamps=[at // 8 * 8 / FS], data=flat)
    feed.end()
    assert feed.order.counts.duplicates == 0
    assert sum(len(piece.rows) for piece in feed.pieces) == 2000


def test_stamps_that_are_no_numbers_are_counted_over():
    feed = Feed()
    feed.send(0, 4, stamps=[np.nan, 0.004, np.inf, 0.012])
    for first in range(4, 1000, 4):
        stamps = np.arange(first, first + 4) / FS
        stamps[first % 3] = np.nan
        feed.send(first, 4, stamps=stamps)
    feed.assert_exact()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.001, 0.02, 0.5, 10.0, 1e9]))
def test_a_thousand_pulls_with_a_mad_clock_lose_nothing_and_never_go_back(seed, scale):
    random = np.random.default_rng(seed)
    feed = Feed()
    first = 0
    for _ in range(1000):
        count = int(random.integers(1, 20))
        stamps = np.arange(first, first + count) / FS + random.normal(0, scale, count)
        feed.send(first, count, stamps=stamps)
        first += count
    feed.end()
    feed.assert_forward()
    counts = feed.order.counts
    assert len(feed.indices) + counts.duplicates + counts.late == first
    # Gaps that the clock makes up are bounded by the time that really passed.
    assert feed.order.next / FS < 1.05 * first / FS + 2


def test_samples_in_the_wrong_order_right_behind_a_gap_keep_their_places():
    feed = Feed()
    feed.steady(0, 2500)
    # 200 samples are lost; of the next 20 the later half comes first.
    feed.send(2710, 10, arrived_s=10.88)
    feed.send(2700, 10, arrived_s=10.88)
    feed.steady(2720, 3500)
    feed.end()
    feed.assert_exact()
    assert feed.order.counts.gap_samples == 200
    assert feed.order.counts.reordered == 10


def test_late_samples_prove_nothing_of_a_jump_that_waits():
    feed = Feed()
    feed.steady(0, 2500)
    # After a gap that is reported at once by a second one, samples of the first come, too late.
    feed.send(2600, 50, arrived_s=11.2)
    feed.send(2750, 50, arrived_s=11.2)
    feed.send(2550, 50, arrived_s=11.2)
    feed.steady(2800, 3500)
    feed.end()
    feed.assert_exact()
    assert feed.order.counts.late == 50
    assert feed.order.counts.gap_samples == 200


def test_clocks_set_within_the_first_pull_are_no_gap():
    """By the time since the machine was switched on, as arrivals count."""
    order = Regulariser(FS)
    t = np.arange(5) / FS
    now_s = 86_400.0
    order.push(np.r_[now_s - 600 + t, now_s - 300 + t, now_s + t], rows(0, 15), int(now_s * 1e9))
    order.flush()
    assert order.next == 15
    assert order.counts.gaps == 0
    assert order.counts.clock_jumps == 2
