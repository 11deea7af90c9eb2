"""The sender's clock: measured, slewed, believed or not."""

import time

import numpy as np
import pytest

from streamer.lsl.clock import SET_S, SLEW, SenderClock

NOW = 5000.0


def clock_of(measured):
    clock = SenderClock()
    clock.note(measured)
    return clock


def test_times_are_unknown_until_the_clocks_can_be_compared():
    """As over a slow link."""
    clock = clock_of(None)
    clock.judge(NOW, NOW + 10)
    assert np.isnan(clock.times(np.array([NOW]))).all()
    assert "could not be compared" in clock.why_unknown
    assert not clock.believed
    clock.note((10.0, 0.001))
    clock.judge(NOW, NOW + 10.05)
    assert clock.why_unknown == ""
    assert clock.uncertainty_s == 0.001
    np.testing.assert_allclose(clock.times(np.array([NOW, NOW + 1])), [NOW + 10, NOW + 11])


@pytest.mark.parametrize("step", [0.118, -0.118])
def test_a_new_correction_is_moved_in_and_times_never_run_backwards(step):
    clock = clock_of((0.0, 0.05))
    clock.judge(NOW, NOW)
    stamps = NOW + np.arange(0, 60, 0.004)
    first = clock.times(stamps[:1000])
    clock.note((step, 0.002))
    times = np.concatenate([first, *(clock.times(part) for part in np.split(stamps[1000:], 28))])
    distances = np.diff(times)
    assert (distances > 0).all()
    assert np.abs(distances - 0.004).max() <= 1.01 * SLEW * 0.004
    assert times[-1] - stamps[-1] == pytest.approx(step)


def test_a_clock_that_was_set_is_followed_at_once():
    clock = clock_of((0.0, 0.001))
    clock.judge(NOW, NOW)
    clock.times(np.array([NOW]))
    clock.note((SET_S + 1, 0.001))
    assert clock.times(np.array([NOW + 1]))[0] == pytest.approx(NOW + 2 + SET_S)


@pytest.mark.parametrize(
    ("stamp", "said"),
    [(time.time(), "Unix time"), (3.5, "the newest says 3.500 s"), (-500, "-500.000 s")],
    ids=["unix", "boot", "negative"],
)
def test_another_clock_is_named_and_its_samples_have_no_time(stamp, said):
    clock = clock_of((0.0, 0.001))
    clock.judge(stamp, NOW)
    assert said in clock.why_unknown
    assert np.isnan(clock.times(np.array([stamp]))).all()
    # It may have been set right.
    clock.judge(NOW + 1, NOW + 1)
    assert clock.why_unknown == ""


def test_samples_of_a_bridged_outage_are_late_and_not_of_another_clock():
    clock = clock_of((0.0, 0.001))
    clock.judge(NOW, NOW)
    assert clock.believed
    np.testing.assert_allclose(clock.times(np.array([NOW + 1])), NOW + 1)
