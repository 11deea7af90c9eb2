import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.chunk import Annotation
from streamer.errors import InputError
from streamer.records.record import WfdbRecord, clean_reference
from streamer.records.replay import RecordSignal

FS = 360.0
SAMPLES = 4000
MARKS = (Annotation(0, "+", "(N"), Annotation(5, "N"), Annotation(1500, "V"), Annotation(3999, "N"))


def record(samples=SAMPLES, marks=MARKS):
    """Two leads of which every sample is like no other."""
    data = np.random.default_rng(0).standard_normal((2, samples)).astype(np.float32)
    return WfdbRecord("r", FS, ("MLII", "V5"), data, marks)


def test_it_plays_the_record_with_its_reference():
    block = RecordSignal(record(), "db/r").read(0, SAMPLES)
    np.testing.assert_array_equal(block.data, record().data)
    np.testing.assert_array_equal(block.reference, clean_reference(record().data, FS))
    assert block.annotations == MARKS


def test_description():
    signal = RecordSignal(record(), "db/r")
    assert signal.length == SAMPLES
    assert (signal.info.fs, signal.info.leads, signal.info.name) == (FS, ("MLII", "V5"), "db/r")
    assert signal.info.has_reference


def test_without_its_own_drift_it_plays_the_reference():
    block = RecordSignal(record(), "db/r", keep_drift=False).read(100, 500)
    np.testing.assert_array_equal(block.data, block.reference)
    np.testing.assert_array_equal(block.reference, clean_reference(record().data, FS)[:, 100:600])


def test_a_later_start_moves_samples_and_marks_but_not_the_reference():
    signal = RecordSignal(record(), "db/r", first=1000)
    block = signal.read(0, 3000)
    assert signal.length == 3000
    np.testing.assert_array_equal(block.data, record().data[:, 1000:])
    # The reference's filter has seen what comes before.
    np.testing.assert_array_equal(block.reference, clean_reference(record().data, FS)[:, 1000:])
    assert block.annotations == (Annotation(500, "V"), Annotation(2999, "N"))


@pytest.mark.parametrize("first", [-1, SAMPLES, SAMPLES + 1])
def test_a_start_outside_the_record_is_refused(first):
    with pytest.raises(InputError, match=r"start .* s lies outside record db/r, which lasts 11\.1111 s"):
        RecordSignal(record(), "db/r", first=first)


@pytest.mark.parametrize(("start", "left"), [(3990, 10), (3999, 1), (4000, 0), (4001, 0), (9000, 0)])
def test_it_ends_with_the_record(start, left):
    block = RecordSignal(record(), "db/r").read(start, 100)
    assert block.data.shape == block.reference.shape == (2, left)
    assert all(mark.sample >= start for mark in block.annotations)


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, SAMPLES - 1),
    start=st.integers(0, 10 * SAMPLES),
    count=st.integers(0, 3 * SAMPLES),
)
def test_a_loop_repeats_samples_and_marks(first, start, count):
    signal = RecordSignal(record(), "db/r", first=first, loop=True)
    assert signal.length is None
    lap = SAMPLES - first
    count = min(count, 20 * lap)
    block = signal.read(start, count)
    at = (start + np.arange(count)) % lap + first
    np.testing.assert_array_equal(block.data, record().data[:, at])
    np.testing.assert_array_equal(block.reference, clean_reference(record().data, FS)[:, at])
    expected = [(start + n, mark.symbol) for n in range(count) for mark in MARKS if mark.sample == at[n]]
    assert [(mark.sample, mark.symbol) for mark in block.annotations] == expected


def test_a_loop_of_a_very_short_record():
    block = RecordSignal(record(3, ()), "db/r", loop=True).read(1, 9000)
    np.testing.assert_array_equal(block.data, np.tile(record(3, ()).data, 3001)[:, 1:9001])


def test_missing_samples_are_played_as_missing():
    holes = record()
    holes.data[0, 700:710] = np.nan
    block = RecordSignal(holes, "db/r").read(695, 20)
    np.testing.assert_array_equal(np.isnan(block.data), np.isnan(block.reference))
    assert np.isnan(block.data).sum() == 10
