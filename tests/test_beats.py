import numpy as np
import pytest

from streamer.beats import SHORTEST_S, find_beats
from streamer.synthetic import SyntheticPatient


def lead(bpm=70, fs=360.0, seconds=30, seed=0):
    block = SyntheticPatient(heart_rate=bpm, fs=fs, seed=seed).read(0, round(seconds * fs))
    return block.data[0], np.array([mark.sample for mark in block.annotations])


@pytest.mark.parametrize("fs", [250.0, 360.0, 500.0])
@pytest.mark.parametrize("bpm", [50, 75, 130])
def test_every_beat_is_found_and_no_other(fs, bpm):
    data, beats = lead(bpm, fs)
    found = find_beats(data, fs)
    assert found.dtype == np.int64
    inside = beats[(beats > 2 * fs) & (beats < data.size - fs)]
    away = np.abs(inside[:, None] - found).min(axis=1)
    assert away.max() <= 0.05 * fs
    assert 60 * fs / np.median(np.diff(found)) == pytest.approx(bpm, rel=0.05)


@pytest.mark.parametrize("level", [0.0, 2.5])
def test_a_flat_lead_has_no_beats(level):
    flat = np.full(10_000, level, dtype=np.float32)
    assert find_beats(flat, 360.0).size == 0


def test_a_lead_that_is_missing_has_no_beats():
    assert find_beats(np.full(10_000, np.nan, dtype=np.float32), 360.0).size == 0


@pytest.mark.parametrize("seconds", [0, 0.5, SHORTEST_S - 0.01])
def test_too_short_a_stretch_has_no_beats(seconds):
    data, _ = lead()
    assert find_beats(data[: round(seconds * 360)], 360.0).size == 0


def test_missing_samples_spoil_only_their_own_beats():
    data, beats = lead()
    holes = data.copy()
    holes[10 * 360 : 11 * 360] = np.nan
    found = find_beats(holes, 360.0)
    outside = beats[(beats > 720) & (beats < 9 * 360) | (beats > 13 * 360) & (beats < 29 * 360)]
    assert np.abs(outside[:, None] - found).min(axis=1).max() <= 18


def test_any_short_noise_is_survived():
    rng = np.random.default_rng(0)
    for samples in (720, 721, 1000, 3000):
        assert find_beats(rng.standard_normal(samples).astype(np.float32), 360.0).ndim == 1
