from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.chunk import Annotation, Chunk, StreamInfo
from streamer.errors import InputError
from streamer.resample import PASSBAND, Resampler, ratio, resample, resampled_info

OUT = 360.0
RATES = [128.0, 250.0, 256.0, 500.0, 1000.0, 2000.0]
every_rate = pytest.mark.parametrize("fs", RATES)


def stream(data, fs, pieces=(37,), start=0, reference=None, marks=()):
    """Chunks of (leads, samples), cut into pieces of the sizes given, over and over."""
    data = np.atleast_2d(np.asarray(data, dtype=np.float32))
    at, turn = 0, 0
    while at < data.shape[1]:
        count = min(pieces[turn % len(pieces)], data.shape[1] - at)
        first = start + at
        yield Chunk(
            "s",
            first,
            data[:, at : at + count],
            100.0 + np.arange(first, first + count) / fs,
            1000 + first,
            None if reference is None else reference[:, at : at + count],
            tuple(mark for mark in marks if first <= mark.sample < first + count),
        )
        at, turn = at + count, turn + 1


def resampled(chunks, fs, fs_out=OUT):
    return list(resample(chunks, StreamInfo(fs, ("I",), "n", "s"), fs_out))


def joined(chunks, field="data"):
    for one, next_one in pairwise(chunks):
        assert next_one.start == one.stop
    return np.concatenate([getattr(chunk, field) for chunk in chunks], axis=-1)


def whole(data, fs, fs_out=OUT, pieces=(37,)):
    return joined(resampled(stream(data, fs, pieces), fs, fs_out))


def tone(frequency, fs, seconds=8.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * fs)) / fs + 0.4)


def expected_count(samples, fs, fs_out=OUT):
    """Outputs at m / fs_out before the time of the sample after the last: ceil(n · up / down)."""
    up, down = ratio(fs, fs_out)
    return -(-samples * up // down)


# What comes out


@pytest.mark.parametrize(
    ("fs", "up_down"),
    [
        (120.0, (3, 1)),
        (128.0, (45, 16)),
        (250.0, (36, 25)),
        (256.0, (45, 32)),
        (333.3, (1200, 1111)),
        (360.0, (1, 1)),
        (360.0001, (1, 1)),
        (500.0, (18, 25)),
        (720.0, (1, 2)),
        (1000.0, (9, 25)),
        (2000.0, (9, 50)),
    ],
)
def test_ratio_is_the_smallest(fs, up_down):
    assert ratio(fs, OUT) == up_down


@pytest.mark.parametrize("fs", [0.01, 1e7])
def test_rates_far_apart_are_refused(fs):
    with pytest.raises(InputError, match=r"cannot resample .* Hz to 360 Hz: rates may lie up to 2000"):
        ratio(fs, OUT)


@pytest.mark.parametrize("pieces", [(1,), (37, 1, 500), (10_000,)])
@pytest.mark.parametrize("samples", [1, 2, 5, 100, 997])
@every_rate
def test_every_output_before_the_end_comes_and_no_other(fs, samples, pieces):
    chunks = resampled(stream(np.ones(samples), fs, pieces), fs)
    assert chunks[0].start == 0
    assert joined(chunks).shape == (1, expected_count(samples, fs))


def test_a_stream_at_the_right_rate_passes_untouched():
    chunks = list(stream(np.ones(100), OUT))
    assert all(a is b for a, b in zip(resampled(chunks, OUT), chunks, strict=True))


def test_an_empty_stream_stays_empty():
    assert resampled([], 250.0) == []


def test_the_description_says_the_new_rate():
    info = StreamInfo(250.0, ("I", "II"), "n", "s", True)
    assert resampled_info(info, OUT) == StreamInfo(OUT, ("I", "II"), "n", "s", True)


# Fidelity


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.29])
@every_rate
def test_the_passband_is_kept_and_nothing_is_added(fs, share):
    """Against the same tone sampled at the new rate: level, phase, and every image at once."""
    frequency = share * min(fs, OUT)
    assert share < PASSBAND
    out = whole(tone(frequency, fs), fs)[0]
    expected = tone(frequency, OUT)
    inside = np.s_[round(OUT) : -round(OUT)]
    time = 2 * np.pi * frequency * np.arange(out.size) / OUT
    basis = np.stack([np.sin(time), np.cos(time)])[:, inside]
    fit = np.linalg.lstsq(basis.T, out[inside], rcond=None)[0]
    assert np.hypot(*fit) == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(out[inside], expected[inside], atol=0.01)
    residual = out[inside] - fit @ basis
    assert 10 * np.log10(2 * np.mean(residual**2)) < -50


@pytest.mark.parametrize("fs", [1000.0, 2000.0])
@pytest.mark.parametrize("frequency", [255.0, 300.0, 350.0, 361.0, 440.0])
def test_what_the_new_rate_cannot_hold_is_suppressed(fs, frequency):
    out = whole(tone(frequency, fs), fs)[0, round(OUT) : -round(OUT)]
    assert 10 * np.log10(2 * np.mean(out**2)) < -50


@pytest.mark.parametrize("level", [1.0, -7.5])
@every_rate
def test_a_constant_stays_a_constant(fs, level):
    np.testing.assert_allclose(whole(np.full(1000, level), fs), level, rtol=1e-6)


@every_rate
def test_a_peak_stays_where_it_is_in_time(fs):
    """Output m lies at m / 360 s, wherever the chunks were cut."""
    seconds = np.arange(round(4 * fs)) / fs
    for peak_s in (1.0, 2.0, 2.5):
        bump = np.exp(-0.5 * ((seconds - peak_s) / 0.03) ** 2)
        out = whole(bump, fs)[0]
        assert out.argmax() == peak_s * OUT
        m = round(peak_s * OUT)
        np.testing.assert_allclose(out[m - 40 : m], out[m + 40 : m : -1], atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    fs=st.sampled_from(RATES),
    fs_out=st.sampled_from([OUT, 250.0]),
    pieces=st.lists(st.integers(1, 4096) | st.integers(1, 4), min_size=1, max_size=6),
    start=st.integers(0, 10**6),
)
def test_any_chunking_gives_the_same(fs, fs_out, pieces, start):
    data = np.random.default_rng(0).standard_normal((2, 3000))
    at_once = resampled(stream(data, fs, (3000,), start), fs, fs_out)
    in_pieces = resampled(stream(data, fs, pieces, start), fs, fs_out)
    assert in_pieces[0].start == at_once[0].start
    np.testing.assert_allclose(joined(in_pieces), joined(at_once), atol=1e-6)
    np.testing.assert_allclose(
        joined(in_pieces, "source_time"), joined(at_once, "source_time"), rtol=0, atol=1e-6
    )


def test_a_long_stream_does_not_lose_its_place():
    """From a far index on: the same samples as from index 0, a whole number of periods later."""
    data = np.random.default_rng(0).standard_normal((1, 2000))
    far = 25 * 10**12
    early = resampled(stream(data, 250.0), 250.0)
    late = resampled(stream(data, 250.0, start=far), 250.0)
    assert late[0].start == far * 36 // 25
    np.testing.assert_array_equal(joined(late), joined(early))


# Delay


@every_rate
def test_the_future_beyond_the_delay_changes_nothing(fs):
    """And within it, it does: the delay is what is stated, to one input sample."""
    data = np.random.default_rng(1).standard_normal(2000)
    before = whole(data, fs)[0]
    delay_s = Resampler(fs, OUT).delay_s
    depends_up_to = []
    for first in range(1000, 1000 + 2 * round(fs / 10), 7):
        disturbed = data.copy()
        disturbed[first:] += 1e4 * np.random.default_rng(2).standard_normal(data[first:].size)
        changed = np.flatnonzero(whole(disturbed, fs)[0] != before)
        # Input `first` lies at first / fs: nothing up to delay_s before that may move.
        assert changed[0] / OUT > first / fs - delay_s - 1e-9
        depends_up_to.append(first / fs - changed[0] / OUT)
    assert max(depends_up_to) > delay_s - 2 / fs - 1 / OUT


@every_rate
def test_an_output_leaves_as_soon_as_its_delay_is_over(fs):
    """Sample by sample: what has left after input i is all that lies delay_s before it."""
    delay_s = Resampler(fs, OUT).delay_s
    data = stream(np.ones(600), fs, pieces=(1,))
    seen = []

    def watched():
        for chunk in data:
            seen.append(chunk.start)
            yield chunk

    for chunk in resample(watched(), StreamInfo(fs, ("I",), "n", "s"), OUT):
        if len(seen) == 600:
            break  # the end, where all that is left is flushed
        newest_s = seen[-1] / fs
        assert newest_s - (chunk.stop - 1) / OUT >= delay_s - 1 / fs - 1e-9
        assert newest_s - chunk.start / OUT <= delay_s + 1e-9


@every_rate
def test_the_delay_is_short(fs):
    assert 0 < Resampler(fs, OUT).delay_s < 0.05


# What travels along


def test_source_times_are_those_of_the_samples():
    chunks = resampled(stream(np.ones(2000), 250.0), 250.0)
    times = joined(chunks, "source_time")
    assert times.dtype == np.float64
    np.testing.assert_allclose(times, 100.0 + np.arange(times.size) / OUT, rtol=0, atol=1e-9)


def test_source_times_follow_a_clock_that_drifts():
    """Stamps 100 ppm off the nominal rate are interpolated, not made up."""
    fast = 1 + 1e-4
    chunks = [
        Chunk(c.stream, c.start, c.data, 100.0 + (c.source_time - 100.0) * fast, c.arrived_ns)
        for c in stream(np.ones(5000), 500.0)
    ]
    times = joined(resampled(chunks, 500.0), "source_time")
    np.testing.assert_allclose(times, 100.0 + fast * np.arange(times.size) / OUT, rtol=0, atol=1e-5)


def test_a_chunk_carries_the_arrival_that_made_it_possible():
    arrived = [chunk.arrived_ns for chunk in resampled(stream(np.ones(2000), 250.0), 250.0)]
    assert arrived == sorted(arrived)
    assert set(arrived) <= {chunk.arrived_ns for chunk in stream(np.ones(2000), 250.0)}


@pytest.mark.parametrize("leads", [1, 3])
def test_the_reference_is_resampled_alike(leads):
    rng = np.random.default_rng(0)
    data, reference = (rng.standard_normal((leads, 1500)).astype(np.float32) for _ in range(2))
    both = resampled(stream(data, 250.0, reference=reference), 250.0)
    np.testing.assert_array_equal(joined(both), whole(data, 250.0))
    np.testing.assert_array_equal(joined(both, "reference"), whole(reference, 250.0))
    assert both[0].data.dtype == both[0].reference.dtype == np.float32
    assert all(chunk.reference is None for chunk in resampled(stream(data, 250.0), 250.0))


@pytest.mark.parametrize("pieces", [(1,), (13, 200), (5000,)])
@every_rate
def test_marks_keep_their_time_and_none_is_lost(fs, pieces):
    samples = [0, 1, 2, 777, 778, 1499]
    marks = tuple(Annotation(n, "N", str(n)) for n in samples)
    chunks = resampled(stream(np.ones(1500), fs, pieces, marks=marks), fs)
    got = [(mark, chunk) for chunk in chunks for mark in chunk.annotations]
    assert [mark.note for mark, _ in got] == [str(n) for n in samples if n * OUT / fs <= chunks[-1].stop - 1]
    for mark, chunk in got:
        assert chunk.start <= mark.sample < chunk.stop
        assert 0 <= mark.sample / OUT - int(mark.note) / fs < 1 / OUT + 1e-9


# Gaps


@pytest.mark.parametrize("gap", [25, 100, 10_007])
@every_rate
def test_a_gap_is_flushed_before_and_started_afresh_after(fs, gap):
    rng = np.random.default_rng(0)
    before, after = rng.standard_normal((2, 1, 1000))
    resumes = 1000 + gap
    chunks = resampled([*stream(before, fs), *stream(after, fs, start=resumes)], fs)
    starts = [chunk.start for chunk in chunks]
    up, down = ratio(fs, OUT)
    first_after = -(-resumes * up // down)
    cut = starts.index(first_after)
    # Each side is as if the other did not exist: nothing crosses, nothing is put in between.
    np.testing.assert_array_equal(joined(chunks[:cut]), whole(before, fs))
    np.testing.assert_array_equal(
        joined(chunks[cut:]), joined(resampled(stream(after, fs, start=resumes), fs))
    )
    assert chunks[cut - 1].stop == expected_count(1000, fs)


@pytest.mark.parametrize("gap", [1, 2, 3, 5])
@every_rate
def test_even_a_gap_between_two_outputs_is_seen(fs, gap):
    for first in range(500, 530):
        marks = (Annotation(first + gap, "N"),)
        chunks = resampled(
            [*stream(np.ones(first), fs), *stream(np.ones(300), fs, start=first + gap, marks=marks)], fs
        )
        jumps = [next_one.start - one.stop for one, next_one in pairwise(chunks)]
        assert sum(jump > 0 for jump in jumps) == 1
        assert max(jumps) <= gap * OUT / fs + 1
        (chunk,) = [chunk for chunk in chunks if chunk.annotations]
        assert chunk.start <= chunk.annotations[0].sample < chunk.stop


def test_marks_before_a_gap_leave_before_it():
    marks = (Annotation(999, "N"),)
    chunks = resampled(
        [*stream(np.ones(1000), 250.0, marks=marks), *stream(np.ones(1000), 250.0, start=2000)], 250.0
    )
    (at,) = [mark.sample for chunk in chunks for mark in chunk.annotations]
    assert at == 1439  # 999 · 36 / 25 = 1438.56


@every_rate
def test_missing_samples_spread_over_the_filter_and_no_further(fs):
    data = np.random.default_rng(0).standard_normal((2, 2000))
    holes = data.copy()
    holes[0, 1000:1010] = np.nan
    out, complete = whole(holes, fs), whole(data, fs)
    delay_s = Resampler(fs, OUT).delay_s
    missing = np.flatnonzero(np.isnan(out[0])) / OUT
    assert missing[0] >= 1000 / fs - delay_s - 1e-9
    assert missing[-1] <= 1009 / fs + delay_s + 1 / fs
    # Whatever a missing sample would have weighed on is missing.
    inside = np.arange(out.shape[1]) / OUT
    assert np.isnan(out[0, (inside >= 1000 / fs) & (inside <= 1009 / fs)]).all()
    np.testing.assert_array_equal(out[1], complete[1])
    kept = ~np.isnan(out[0])
    np.testing.assert_array_equal(out[0, kept], complete[0, kept])
