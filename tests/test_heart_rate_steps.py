"""How soon the heart rate on a screen follows a change, and what it says of irregular rhythms."""

import numpy as np
import pytest

from streamer.heart_rate import LISTENED_S, heart_rate
from streamer.qrs import find_qrs

FS = 250.0


def lead(beats_s, heights_mv, sigmas_s, seconds):
    """Bells at given times, with noise of 5 µV; (samples,) mV."""
    t = np.arange(0, seconds, 1 / FS)[:, None]
    bells = heights_mv * np.exp(-0.5 * ((t - beats_s) / sigmas_s) ** 2)
    noise = 0.005 * np.random.default_rng(0).standard_normal(len(t))
    return (bells.sum(axis=1) + noise).astype(np.float32)


def rate_at(trace, second):
    window = trace[max(0, round((second - LISTENED_S) * FS)) : round(second * FS)]
    return heart_rate(find_qrs(window, FS), window, FS)


@pytest.mark.parametrize(("before", "after"), [(80, 120), (80, 40)])
def test_a_step_of_the_rate_is_followed_within_ten_seconds(before, after):
    """Within 10 % or 5 bpm of the new rate from then on."""
    step_s = 20.0
    beats = np.concatenate(
        [np.arange(0.5, step_s, 60 / before), np.arange(step_s + 60 / after, 40, 60 / after)]
    )
    trace = lead(beats, 1.0, 0.012, 40)
    assert rate_at(trace, step_s) == pytest.approx(before, rel=0.02)
    for late_s in np.arange(10, 20, 0.5):
        assert rate_at(trace, step_s + late_s) == pytest.approx(after, abs=max(5, 0.1 * after))


@pytest.mark.parametrize("bpm", [20, 30, 60, 150, 250, 300])
def test_rates_from_20_to_300_are_said(bpm):
    trace = lead(np.arange(0.5, 20, 60 / bpm), 1.0, 0.012, 20)
    for second in (12, 15, 18):
        assert rate_at(trace, second) == pytest.approx(bpm, rel=0.02)


def test_the_first_figure_comes_within_three_seconds_of_the_second_beat():
    beats = np.arange(2.0, 20, 0.8)
    trace = lead(beats, 1.0, 0.012, 20)
    assert rate_at(trace, beats[1] - 0.1) is None
    assert rate_at(trace, beats[1] + 3.0) == pytest.approx(75, rel=0.02)


def test_trigeminy_and_couplets_count_every_beat():
    """Two normal beats and a ventricular one, and two ventricular ones in a row."""
    normal = np.array([0.0, 0.8, 2.4, 3.2])
    for pattern, period in (([True, True, False], 2.4), ([True, True, False, False], 3.0)):
        offsets = normal[:2].tolist() + ([1.3] if period == 2.4 else [1.3, 1.8])
        beats = np.concatenate([0.5 + start + np.array(offsets) for start in np.arange(0, 40, period)])
        is_normal = np.tile(pattern, len(beats) // len(pattern))
        trace = lead(beats, np.where(is_normal, 1.0, -1.8), np.where(is_normal, 0.012, 0.04), 40)
        true = 60 * len(pattern) / period
        for second in (15, 22, 30):
            assert rate_at(trace, second) == pytest.approx(true, abs=max(5, 0.1 * true))
