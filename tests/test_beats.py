import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from models.beat_matching import BeatCount, count_beats
from streamer.beats import BeatDetector, find_beats
from streamer.records.find import find_record
from streamer.records.record import read_record
from streamer.synthetic import SyntheticPatient

MIT_BIH = (
    *map(
        str, [*range(100, 110), *range(111, 120), *range(121, 125), *range(200, 204), 205, *range(207, 211)]
    ),
    *map(str, [*range(212, 216), 217, *range(219, 224), 228, *range(230, 235)]),
)


def lead(bpm=70, fs=360.0, seconds=30, seed=0):
    block = SyntheticPatient(heart_rate=bpm, fs=fs, seed=seed).read(0, round(seconds * fs))
    return block.data[0], np.array([mark.sample for mark in block.annotations])


@pytest.mark.parametrize("fs", [125.0, 250.0, 360.0, 500.0, 1000.0])
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


def test_missing_samples_spoil_only_their_own_beats():
    data, beats = lead()
    holes = data.copy()
    holes[10 * 360 : 11 * 360] = np.nan
    found = find_beats(holes, 360.0)
    outside = beats[(beats > 720) & (beats < 9 * 360) | (beats > 13 * 360) & (beats < 29 * 360)]
    assert np.abs(outside[:, None] - found).min(axis=1).max() <= 18


def test_any_stretch_however_short_is_survived():
    rng = np.random.default_rng(0)
    for samples in (0, 1, 100, 720, 3000):
        assert find_beats(rng.standard_normal(samples).astype(np.float32), 360.0).ndim == 1
    with pytest.raises(ValueError, match="at 100 Hz and more, got 50"):
        BeatDetector(50)


def test_any_cut_into_chunks_finds_the_same_beats_and_each_in_time():
    data, _ = lead()
    data[3000:3003] = np.nan
    data[5000:5100] = np.nan
    whole = find_beats(data, 360.0)
    detector, found = BeatDetector(360.0), []
    assert detector.delay_s < 0.55
    edges = np.sort(np.random.default_rng(0).integers(0, data.size, 400))
    for start, stop in pairwise([0, *edges, data.size]):
        beats = detector.push(data[start:stop])
        # Until it has learnt, and where a beat was overdue, it says them later.
        if stop > 4 * 360:
            assert (start - beats <= detector.delay_s * 360).all()
        found.append(beats)
    np.testing.assert_array_equal(np.concatenate([*found, detector.finish()]), whole)


def test_a_long_lead_at_once_has_the_beats_of_its_chunks():
    data, _ = lead(seconds=200)
    data += 0.1 * np.random.default_rng(0).standard_normal(data.size).astype(np.float32)
    detector = BeatDetector(360.0)
    found = [detector.push(data[start : start + 999]) for start in range(0, data.size, 999)]
    np.testing.assert_array_equal(np.concatenate([*found, detector.finish()]), find_beats(data, 360.0))


def test_a_lead_costs_few_calls_be_it_noisy():
    """Noise has four peaks a second that are no beats: they are counted, and no more is done with them."""
    data, _ = lead(seconds=60)
    data += 0.1 * np.random.default_rng(0).standard_normal(data.size).astype(np.float32)
    calls = Counter()
    sys.setprofile(lambda _frame, event, _arg: calls.update([event]))
    try:
        found = find_beats(data, 360.0)
    finally:
        sys.setprofile(None)
    assert found.size == pytest.approx(70, abs=1)
    assert calls["call"] + calls["c_call"] < 75 * 60


@pytest.mark.parametrize("fs", [125.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("r_mv", [0.5, 0.8])
def test_broad_beats_of_middle_voltage_are_found_at_every_rate(fs, r_mv):
    time = np.arange(round(30 * fs)) / fs
    beats = np.arange(0.5, 29.5, 0.8)
    data = (r_mv * np.exp(-0.5 * ((time[:, None] - beats) / 0.03) ** 2)).sum(axis=1)
    found = find_beats(data.astype(np.float32), fs)
    assert count_beats((beats * fs).astype(np.int64), found, round(0.05 * fs)) == BeatCount(beats.size, 0, 0)


@pytest.mark.parametrize("fs", [125.0, 250.0, 360.0, 1000.0])
@pytest.mark.parametrize("shape", ["upright", "inverted", "with a broad S"])
def test_a_beat_lies_where_the_lead_is_furthest_from_its_surroundings(fs, shape):
    """Drift of 2 mV aside. The peak of the envelope alone lies up to 19 ms away, behind a broad S wave."""
    time = np.arange(round(20 * fs)) / fs
    beats = np.arange(0.5, 19.5, 0.8137)
    data = np.exp(-0.5 * ((time[:, None] - beats) / 0.012) ** 2).sum(axis=1)
    if shape == "with a broad S":
        data -= 0.6 * np.exp(-0.5 * ((time[:, None] - beats - 0.05) / 0.02) ** 2).sum(axis=1)
    drift = 2 * np.sin(2 * np.pi * 0.2 * time)
    found = find_beats(((-data if shape == "inverted" else data) + drift).astype(np.float32), fs) / fs
    away = np.abs(found[:, None] - beats).min(axis=1)
    assert found.size == beats.size
    assert away.max() <= 0.5 / fs + 0.004


@pytest.mark.parametrize("seed", range(5))
def test_what_is_no_beat_is_not_found(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(3600) / 360
    for level in (0.002, 0.005, 0.01, 0.02):
        noise = level * rng.standard_normal(3600)
        assert find_beats(noise.astype(np.float32), 360.0).size == 0
    mains = 0.02 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 0.3 * time)
    assert find_beats((mains + noise / 20).astype(np.float32), 360.0).size == 0
    p_waves = (0.1 * np.exp(-0.5 * ((time[:, None] - np.arange(0.3, 10, 0.8)) / 0.025) ** 2)).sum(axis=1)
    assert find_beats((p_waves + noise / 4).astype(np.float32), 360.0).size == 0
    pacing = np.where(np.arange(3600) % 300 == 7, 2.0, 0.0)
    assert find_beats((pacing + noise / 4).astype(np.float32), 360.0).size == 0


def test_tall_ventricular_beats_do_not_hide_those_between():
    time = np.arange(60 * 360) / 360
    beats = np.arange(1.0, 59.0, 0.67)
    normal = np.exp(-0.5 * ((time[:, None] - beats[::2]) / 0.012) ** 2).sum(axis=1)
    broad = 2.5 * np.exp(-0.5 * ((time[:, None] - beats[1::2]) / 0.035) ** 2).sum(axis=1)
    found = find_beats((normal + broad).astype(np.float32), 360.0)
    assert count_beats((beats * 360).astype(np.int64), found, 54) == BeatCount(beats.size, 0, 0)


@pytest.mark.data
def test_beats_of_mit_bih(physionet):
    """All 48 records as they are, their first lead from minute 5 on: F1 .9983, the least .981 of 108."""
    total, least = BeatCount(0, 0, 0), 1.0
    for name in MIT_BIH:
        record = read_record(find_record(name, "mitdb", physionet))
        quiet = np.zeros(record.data.shape[1], np.bool_)
        quiet[: 300 * 360] = True
        edges = [mark.sample for mark in record.annotations if mark.symbol in "[]"]
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            quiet[start - 54 : stop + 54] = True  # flutter, which is not scored
        ours, found = (beats[~quiet[beats]] for beats in (record.beats, find_beats(record.data[0], 360.0)))
        count = count_beats(ours, found, 54)
        total, least = total + count, min(least, count.f1)
    assert total.f1 >= 0.998
    assert least >= 0.98
    record = read_record(find_record("102", "mitdb", physionet))
    lead = record.data[list(record.leads).index("V2"), : 120 * 360]
    assert count_beats(record.beats[record.beats < lead.size], find_beats(lead, 360.0), 54).f1 >= 0.99
