from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import Moments

FIGURES = ("count", "snr_db", "rmse_mv", "prd_percent", "correlation")


def pair(samples=5000, leads=2, seed=0, error=0.3):
    rng = np.random.default_rng(seed)
    clean = (rng.standard_normal((leads, samples)) * 2 + 1.5).astype(np.float32)
    output = (0.8 * clean + error * rng.standard_normal((leads, samples)) - 4).astype(np.float32)
    return clean, output


def test_figures_are_those_of_the_textbook():
    clean, output = (array.astype(np.float64) for array in pair())
    moments = Moments.of(*pair())
    error = output - clean
    np.testing.assert_array_equal(moments.count, 5000)
    np.testing.assert_allclose(moments.snr_db, 10 * np.log10(clean.var(axis=1) / error.var(axis=1)))
    np.testing.assert_allclose(moments.rmse_mv, error.std(axis=1))
    np.testing.assert_allclose(moments.prd_percent, 100 * error.std(axis=1) / clean.std(axis=1))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(clean, output, strict=True)]
    np.testing.assert_allclose(moments.correlation, expected)


def test_offsets_do_not_count():
    clean, output = pair()
    shifted = Moments.of(clean + np.float32(100), output - np.float32(50))
    for figure in FIGURES:
        np.testing.assert_allclose(
            getattr(shifted, figure), getattr(Moments.of(clean, output), figure), rtol=1e-3
        )


def test_ten_times_less_error_is_twenty_decibels():
    clean, _ = pair()
    noise = np.random.default_rng(1).standard_normal(clean.shape).astype(np.float32)
    loud, soft = (Moments.of(clean, clean + level * noise) for level in (np.float32(1), np.float32(0.1)))
    np.testing.assert_allclose(soft.snr_db - loud.snr_db, 20, atol=1e-3)
    np.testing.assert_allclose(loud.rmse_mv, 10 * soft.rmse_mv, rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_stretches_add_up(cuts):
    clean, output = pair(2000)
    edges = [0, *sorted(cuts), 2000]
    total = Moments.none(2)
    for first, last in pairwise(edges):
        total += Moments.of(clean[:, first:last], output[:, first:last])
    for figure in FIGURES:
        np.testing.assert_allclose(
            getattr(total, figure), getattr(Moments.of(clean, output), figure), rtol=1e-9
        )


@pytest.mark.parametrize("where", ["clean", "output"])
def test_missing_samples_are_left_out_of_both(where):
    clean, output = pair()
    (clean if where == "clean" else output)[0, 100:900] = np.nan
    moments = Moments.of(clean, output)
    kept = np.r_[0:100, 900:5000]
    np.testing.assert_array_equal(moments.count, [4200, 5000])
    expected = Moments.of(clean[:1, kept], output[:1, kept])
    for figure in FIGURES:
        np.testing.assert_allclose(getattr(moments, figure)[0], getattr(expected, figure)[0])


def test_nothing_has_no_figures():
    moments = Moments.none(3)
    assert moments.count.tolist() == [0, 0, 0]
    for figure in FIGURES[1:]:
        assert np.isnan(getattr(moments, figure)).all()
    clean, output = pair()
    clean[1] = np.nan
    half = Moments.of(clean, output) + Moments.none(2)
    assert np.isfinite(half.snr_db[0])
    assert np.isnan(half.snr_db[1])


def test_perfection_and_flatness_are_finite():
    clean, _ = pair()
    perfect = Moments.of(clean, clean)
    assert (perfect.snr_db > 150).all()
    np.testing.assert_allclose(perfect.correlation, 1)
    flat = Moments.of(np.zeros_like(clean), clean)
    assert np.isfinite(flat.snr_db).all()
    assert np.isfinite(flat.correlation).all()


def test_an_inverted_output_does_not_pass_for_a_good_one():
    clean, _ = pair()
    inverted = Moments.of(clean, -clean)
    np.testing.assert_allclose(inverted.snr_db, -20 * np.log10(2), atol=1e-6)
    np.testing.assert_allclose(inverted.correlation, -1)
