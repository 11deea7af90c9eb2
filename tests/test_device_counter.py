"""A device's own numbers, which wrap, become a count in which every loss is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.devices.counter import SETTLED_S, CounterLine

FS = 250.0


class Line:
    """Samples that a device took at `FS`, and when they came, s."""

    def __init__(self, modulo=256, first=0):
        self.line, self.modulo, self.first = CounterLine(modulo, FS), modulo, first
        self.counted = []

    def push(self, taken, arrived_s=None, numbers=None):
        taken = np.asarray(taken)
        arrived_s = (taken[-1] + 1) / FS if arrived_s is None else arrived_s
        numbers = (taken + self.first) % self.modulo if numbers is None else np.asarray(numbers)
        self.counted += self.line.push(numbers, taken[:, None].astype(float), round(1e9 * arrived_s))

    def places(self):
        """Places of all samples beside the true ones, both from 0 on."""
        self.counted += self.line.flush()
        places = np.concatenate([each.places for each in self.counted])
        taken = np.concatenate([each.rows[:, 0] for each in self.counted])
        return places - places[0], taken - taken[0]

    def check(self):
        np.testing.assert_array_equal(*self.places())


def runs(begin, stop, size=10):
    return [np.arange(at, min(at + size, stop)) for at in range(begin, stop, size)]


@given(
    first=st.integers(0, 255),
    lost=st.lists(st.integers(0, 100), min_size=20, max_size=20),
    sizes=st.lists(st.integers(1, 40), min_size=20, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_every_loss_is_exact_wherever_packets_and_wraps_lie(first, lost, sizes):
    line, at = Line(first=first), 0
    for gap, size in zip(lost, sizes, strict=True):
        at += gap
        line.push(np.arange(at, at + size))
        at += size
    line.check()


@pytest.mark.parametrize("lost", [256, 300, 500, 512, 700, 1100])
def test_a_loss_of_more_than_a_wrap_is_exact(lost):
    line = Line()
    for run in (*runs(0, 1000), *runs(1000 + lost, 3000)):
        line.push(run)
    line.check()


@pytest.mark.parametrize("stall_s", [0.6, 1.1, 3.0, 4.5])
def test_a_stall_that_loses_nothing_leaves_no_gap(stall_s):
    """The buffer of a driver or of the kernel hands out at once what it has taken meanwhile."""
    line = Line()
    for run in runs(0, 1000):
        line.push(run)
    late = 4.0 + stall_s
    for run in runs(1000, 3000):
        line.push(run, max(late, (run[-1] + 1) / FS))
    line.check()


def test_what_waits_for_the_number_of_wraps_leaves_when_it_is_known():
    line = Line()
    for run in runs(0, 1000):
        line.push(run)
    before = len(line.counted)
    line.push(np.arange(1500, 1510))
    assert len(line.counted) == before
    assert line.line.holds
    came_ns = round(1e9 * 1510 / FS)
    assert line.line.release(came_ns + round(0.9e9 * SETTLED_S)) == []
    (counted,) = line.line.release(came_ns + round(1.1e9 * SETTLED_S))
    assert counted.places[0] - line.counted[-1].places[-1] == 501


@pytest.mark.parametrize("where", range(1, 20))
def test_a_number_that_was_misread_moves_nothing(where):
    line = Line()
    numbers = np.arange(20)
    numbers[where] = 201
    for part in np.split(np.arange(20), 4):
        line.push(part, numbers=numbers[part])
    line.push(np.arange(20, 40))
    line.check()


def test_a_last_sample_in_doubt_leaves_when_nothing_comes_behind_it():
    line = Line()
    line.push([0, 1, 2])
    line.push([9])
    assert line.line.holds
    counted = line.line.release(round(1e9 * (10 / FS + SETTLED_S)))
    assert [each.rows[0, 0] for each in counted] == [9]
    assert not line.line.holds


def test_a_sample_that_comes_twice_has_the_same_place():
    line = Line()
    line.push([0, 1, 2, 2, 3])
    places, _ = line.places()
    assert list(places) == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(("away", "modulo"), [(5.0, 256), (5.0, 65536), (300.0, 65536)])
def test_a_device_that_counted_on_while_it_was_away_is_exact(away, modulo):
    line = Line(modulo)
    for run in runs(0, 500):
        line.push(run)
    line.line.resume()
    for run in runs(500 + round(away * FS), 500 + round((away + 2) * FS)):
        # It is found a little later, or earlier, than its samples say.
        line.push(run, (run[-1] + 1) / FS + 0.1)
    line.check()
