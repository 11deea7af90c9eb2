import numpy as np
import pytest

from streamer.effective_rate import EffectiveRate
from streamer.watchdog import LOST_S, RECOVERED_S, STALE_S, StreamState, Watchdog


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_stream_is_not_live_before_its_first_sample(clock):
    dog = Watchdog(clock)
    assert dog.looked() is StreamState.STALE
    assert dog.fed() is StreamState.LIVE


def test_age_makes_stale_then_lost(clock):
    dog = Watchdog(clock)
    dog.fed()
    clock.now += STALE_S - 0.01
    assert dog.looked() is StreamState.LIVE
    clock.now += 0.02
    assert dog.looked() is StreamState.STALE
    assert dog.sample_age_s == pytest.approx(STALE_S + 0.01)
    clock.now += LOST_S
    assert dog.looked() is StreamState.LOST
    # Nothing but a sample ends a loss.
    assert dog.looked() is StreamState.LOST


def test_stale_goes_back_to_live_and_lost_to_recovered(clock):
    dog = Watchdog(clock)
    dog.fed()
    clock.now += STALE_S
    dog.looked()
    assert dog.fed() is StreamState.LIVE
    dog.disconnected()
    assert dog.state is StreamState.LOST
    assert dog.fed() is StreamState.RECOVERED
    clock.now += RECOVERED_S / 2
    assert dog.fed() is StreamState.RECOVERED
    clock.now += RECOVERED_S
    assert dog.fed() is StreamState.LIVE
    assert dog.counts == {
        StreamState.LIVE: 3,
        StreamState.STALE: 2,
        StreamState.LOST: 1,
        StreamState.RECOVERED: 1,
    }


def test_a_bursty_device_is_live_between_its_bursts(clock):
    dog = Watchdog(clock)
    for _ in range(20):
        dog.fed()
        clock.now += 0.56
        assert dog.looked() is StreamState.LIVE


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 55.0])
def test_rate_is_found_among_stray_stamps(ppm):
    random = np.random.default_rng(1)
    rate = EffectiveRate(250)
    true = 250 * (1 + ppm / 1e6)
    for index in range(0, 60 * 250, 25):
        stray = random.choice([0.0, 0.2], p=[0.85, 0.15])
        rate.add(index / true + random.normal(0, 0.0005) + stray, index)
    assert rate.ppm == pytest.approx(ppm, abs=25)
    assert rate.hz == pytest.approx(true, rel=3e-5)


def test_rate_is_not_known_at_once_nor_moved_by_gaps():
    rate = EffectiveRate(250)
    for index in range(0, 1000, 25):
        rate.add(index / 250, index)
    assert rate.hz is None
    for index in range(2500, 5000, 25):
        rate.add(index / 250, index)
    assert rate.hz == pytest.approx(250)


def test_rate_stands_while_a_source_that_came_back_is_measured_again():
    rate = EffectiveRate(250)
    for index in range(0, 5000, 25):
        rate.add(index / 250, index)
    assert rate.hz == pytest.approx(250)
    rate.restart()
    rate.add(-500.0, 5000)
    assert rate.hz == pytest.approx(250)
