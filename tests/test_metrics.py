from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import Moments

FIGURES = ("count", "snr_db", "rmse_mv", "prd_percent", "correlation")


def pair(samples=5000, leads=2, seed=0, error=0.3):
    rng = np.random.default_rng(seed)
    reference = (rng.standard_normal((leads, samples)) * 2 + 1.5).astype(np.float32)
    output = (0.8 * reference + error * rng.standard_normal((leads, samples)) - 4).astype(np.float32)
    return reference, output


def test_figures_are_those_of_the_textbook():
    reference, output = (array.astype(np.float64) for array in pair())
    moments = Moments.of(*pair())
    error = output - reference
    np.testing.assert_array_equal(moments.count, 5000)
    np.testing.assert_allclose(moments.snr_db, 10 * np.log10(reference.var(axis=1) / error.var(axis=1)))
    np.testing.assert_allclose(moments.rmse_mv, error.std(axis=1))
    np.testing.assert_allclose(moments.prd_percent, 100 * error.std(axis=1) / reference.std(axis=1))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(reference, output, strict=True)]
    np.testing.assert_allclose(moments.correlation, expected)


def test_offsets_do_not_count():
    reference, output = pair()
    shifted = Moments.of(reference + np.float32(100), output - np.float32(50))
    for figure in FIGURES:
        np.testing.assert_allclose(
            getattr(shifted, figure), getattr(Moments.of(reference, output), figure), rtol=1e-3
        )


def test_ten_times_less_error_is_twenty_decibels():
    reference, _ = pair()
    noise = np.random.default_rng(1).standard_normal(reference.shape).astype(np.float32)
    loud, soft = (
        Moments.of(reference, reference + level * noise) for level in (np.float32(1), np.float32(0.1))
    )
    np.testing.assert_allclose(soft.snr_db - loud.snr_db, 20, atol=1e-3)
    np.testing.assert_allclose(loud.rmse_mv, 10 * soft.rmse_mv, rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_stretches_add_up(cuts):
    reference, output = pair(2000)
    edges = [0, *sorted(cuts), 2000]
    total = Moments.none(2)
    for first, last in pairwise(edges):
        total += Moments.of(reference[:, first:last], output[:, first:last])
    for figure in FIGURES:
        np.testing.assert_allclose(
            getattr(total, figure), getattr(Moments.of(reference, output), figure), rtol=1e-9
        )


@pytest.mark.parametrize("where", ["reference", "output"])
def test_missing_samples_are_left_out_of_both(where):
    reference, output = pair()
    (reference if where == "reference" else output)[0, 100:900] = np.nan
    moments = Moments.of(reference, output)
    kept = np.r_[0:100, 900:5000]
    np.testing.assert_array_equal(moments.count, [4200, 5000])
    expected = Moments.of(reference[:1, kept], output[:1, kept])
    for figure in FIGURES:
        np.testing.assert_allclose(getattr(moments, figure)[0], getattr(expected, figure)[0])


def test_nothing_has_no_figures():
    moments = Moments.none(3)
    assert moments.count.tolist() == [0, 0, 0]
    for figure in FIGURES[1:]:
        assert np.isnan(getattr(moments, figure)).all()
    reference, output = pair()
    reference[1] = np.nan
    half = Moments.of(reference, output) + Moments.none(2)
    assert np.isfinite(half.snr_db[0])
    assert np.isnan(half.snr_db[1])


def test_perfection_and_flatness_are_finite():
    reference, _ = pair()
    perfect = Moments.of(reference, reference)
    assert (perfect.snr_db > 150).all()
    np.testing.assert_allclose(perfect.correlation, 1)
    flat = Moments.of(np.zeros_like(reference), reference)
    assert np.isfinite(flat.snr_db).all()
    assert np.isfinite(flat.correlation).all()


def test_an_inverted_output_does_not_pass_for_a_good_one():
    reference, _ = pair()
    inverted = Moments.of(reference, -reference)
    np.testing.assert_allclose(inverted.snr_db, -20 * np.log10(2), atol=1e-6)
    np.testing.assert_allclose(inverted.correlation, -1)
