"""A cleaned heart rate that raw does not bear out is none."""

import numpy as np
import pytest

from streamer.heart_rate import confirmed_rate, heart_rate

FS = 250.0
TRACE = np.zeros(2500, np.float32)


def beats_at(*seconds):
    return np.rint(np.array(seconds) * FS).astype(np.int64)


EVEN = beats_at(*np.arange(0.4, 10, 0.8))  # 75 bpm
ONE_INVENTED = np.sort(np.append(EVEN, beats_at(4.8)))
ONE_MISSED = np.delete(EVEN, 5)


@pytest.mark.parametrize(
    ("raw_bpm", "shown"),
    [(75.0, True), (70.1, True), (79.9, True), (69.0, False), (81.0, False), (None, True)],
)
def test_a_rate_is_shown_where_raw_has_the_same_or_none(raw_bpm, shown):
    rate = confirmed_rate(raw_bpm, EVEN, TRACE, FS)
    assert rate == (heart_rate(EVEN, TRACE, FS) if shown else None)


@pytest.mark.parametrize("beats", [ONE_INVENTED, ONE_MISSED])
def test_one_odd_beat_needs_a_rate_of_raw(beats):
    rate = heart_rate(beats, TRACE, FS)
    assert abs(rate - 75) > 5
    assert confirmed_rate(rate, beats, TRACE, FS) == rate
    assert confirmed_rate(75.0, beats, TRACE, FS) is None
    assert confirmed_rate(None, beats, TRACE, FS) is None


def test_fast_rates_may_lie_further_apart():
    fast = beats_at(*np.arange(0.3, 10, 0.3))  # 200 bpm
    assert confirmed_rate(191.0, fast, TRACE, FS) == pytest.approx(200)
    assert confirmed_rate(189.0, fast, TRACE, FS) is None


def test_where_cleaned_has_no_rate_raw_gives_none():
    assert confirmed_rate(75.0, beats_at(1.0), TRACE, FS) is None


def test_few_beats_are_no_rate_of_their_own():
    """Three that are even and alike were made of electrode motion, before raw had a rate."""
    few = EVEN[:4]
    trace = TRACE[: 4 * 250]
    assert confirmed_rate(75.0, few, trace, FS) == pytest.approx(75)
    assert confirmed_rate(None, few, trace, FS) is None
    assert confirmed_rate(None, EVEN[:5], trace, FS) == pytest.approx(75)
