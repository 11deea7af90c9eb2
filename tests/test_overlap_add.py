"""The cross-fade itself."""

import numpy as np
from engine_tools import FS
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import EngineConfig
from engine.overlap_add import fade


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 600))
def test_the_weights_of_every_sample_sum_to_one(hop, lookahead):
    weights = fade(EngineConfig(FS, hop + lookahead, hop, lookahead)).astype(np.float64)
    for first in range(hop):
        assert abs(weights[first::hop].sum() - 1) < 1e-6


def test_without_lookahead_each_sample_comes_from_one_window():
    np.testing.assert_array_equal(fade(EngineConfig(FS, 100, 10, 0)), np.ones(10))


def test_the_newest_sample_of_a_window_counts_least():
    weights = fade(EngineConfig(FS, 720, 14, 108))
    assert weights[-1] < 0.01 * weights.max()
    assert weights[0] < 0.05 * weights.max()
