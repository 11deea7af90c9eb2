"""The recursive filter of our own: what scipy computes, to rounding."""

import numpy as np
import pytest
from scipy import signal

from streamer.zero_phase import Section, highpass, zero_phase

FS = 360.0


def walk(samples, signals):
    """A random walk on an electrode's offset, (samples, signals) mV."""
    steps = np.random.default_rng(0).standard_normal((samples, signals))
    return 300 + 0.1 * steps.cumsum(axis=0)


@pytest.mark.parametrize("fs", [100.0, 360.0, 1000.0])
@pytest.mark.parametrize("corner", [0.5, 40.0])
def test_a_butterworth_highpass(fs, corner):
    sos = signal.butter(2, corner, "highpass", fs=fs, output="sos")
    np.testing.assert_allclose(highpass(corner, fs), np.delete(sos[0], 3), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("samples", "padding"), [(1, 0), (2, 1), (5, 4), (720, 360), (7201, 1440)])
@pytest.mark.parametrize("signals", [1, 2, 64])
def test_it_filters_forwards_and_backwards_as_scipy_does(samples, padding, signals):
    sos = signal.butter(2, (0.5, 40.0), "bandpass", fs=FS, output="sos")
    sections = [Section(*np.delete(row, 3)) for row in sos]
    x = walk(samples, signals)
    expected = signal.sosfiltfilt(sos, x, axis=0, padlen=padding)
    np.testing.assert_allclose(zero_phase(sections, x, padding), expected, rtol=0, atol=1e-6)


def test_what_comes_later_in_one_signal_leaves_the_others_alone():
    x = walk(720, 2)
    alone = zero_phase([highpass(0.5, FS)], x[:, 1:], 360)
    x[400:, 0] += 50
    np.testing.assert_array_equal(zero_phase([highpass(0.5, FS)], x, 360)[:, 1:], alone)
