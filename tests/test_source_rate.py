"""Everything leaves at the rate of its source: raw untouched, cleaned in its place."""

import numpy as np
import pytest
import wfdb
from engine_tools import Identity
from hypothesis import given, settings
from hypothesis import strategies as st
from job_tools import job_of
from step_tools import config

from engine.marks import Mark, Reason
from engine.messages import Emitted, Gap
from engine.pipeline import clean
from engine.run.session import Session
from engine.source_rate import SourceRate
from streamer.chunk import Annotation, Chunk, StreamInfo
from streamer.resample import Resampler, resample

RATES = [125.0, 250.0, 500.0, 1000.0, 1000.012]
every_rate = pytest.mark.parametrize("fs", RATES)
NETWORK_HZ = 360.0


def smooth(fs, seconds, leads=1):
    """Tones that every rate holds, on an electrode offset."""
    t = np.arange(round(fs * seconds)) / fs
    rows = [
        0.5 * (lead + 1) * np.sin(2 * np.pi * 3.3 * t + lead) + 0.3 * np.sin(2 * np.pi * 11 * t)
        for lead in range(leads)
    ]
    return (np.array(rows) + 2.5).astype(np.float32)


def pieces_of(data, fs, size=7, start=0):
    for at in range(0, data.shape[1], size):
        piece = data[:, at : at + size]
        index = np.arange(start + at, start + at + piece.shape[1])
        marks = tuple(Annotation(int(n), "N", str(n)) for n in index[index % 50 == 0])
        yield Chunk("a", start + at, piece, 10 + index / fs, 1000 + int(index[-1]), 2 * piece, marks)


def ends(start, leads=1):
    return Chunk("a", start, np.empty((leads, 0), np.float32), np.empty(0), 0, ends_segment=True)


def through(chunks, fs, *, leads=1, hop=16, backend=None):
    """What leaves of these chunks, at their own rate; `backend` returns its input."""
    source_rate = SourceRate(fs, NETWORK_HZ)
    left = []

    def noted():
        stop = 0
        for chunk in chunks:
            stop = chunk.stop
            source_rate.note(chunk)
            yield chunk
        source_rate.note(ends(stop, leads))

    names = tuple(str(lead) for lead in range(leads))
    rounds = ([chunk] for chunk in resample(noted(), StreamInfo(fs, names, "a", "a"), NETWORK_HZ))
    for message in clean(rounds, config(hop=hop), backend or Identity(), guarded=True):
        left += source_rate.take(message)
    return left + list(source_rate.rest())


def joined(left, name):
    return np.concatenate([getattr(m, name) for m in left if isinstance(m, Emitted)], axis=-1)


def spans(left):
    """Where messages lie, joined where they touch: ``(is a gap, start, stop)``."""
    found = []
    for message in left:
        gap = isinstance(message, Gap)
        if found and not gap and not found[-1][0] and found[-1][2] == message.start:
            found[-1] = (False, found[-1][1], message.stop)
        else:
            found.append((gap, message.start, message.stop))
    return found


@every_rate
def test_raw_is_untouched_and_cleaned_lies_on_it(fs):
    data = smooth(fs, 6.0, leads=2)
    left = through(pieces_of(data, fs), fs, leads=2)
    assert spans(left) == [(False, 0, data.shape[1])]
    np.testing.assert_array_equal(joined(left, "raw"), data)
    np.testing.assert_array_equal(joined(left, "reference"), 2 * data)
    np.testing.assert_array_equal(joined(left, "source_time"), 10 + np.arange(data.shape[1]) / fs)
    marks = [mark for m in left for mark in m.annotations]
    assert [(m.sample, m.note) for m in marks] == [(n, str(n)) for n in range(0, data.shape[1], 50)]
    cleaned = joined(left, "cleaned")
    inside = slice(round(fs / 5), -round(fs / 5))
    # To the sample: one more or one less would be off by 20 to 160 times as much.
    np.testing.assert_allclose(cleaned[:, inside], data[:, inside], atol=0.003)
    np.testing.assert_allclose(cleaned, data, atol=0.3)


def test_a_rate_that_is_no_ratio_of_small_numbers_keeps_its_place_for_a_day():
    """From index 86 400 000 on: nothing has drifted."""
    fs, start = 1000.012, 86_400_000
    data = smooth(fs, 2.0)
    left = through(pieces_of(data, fs, start=start), fs)
    assert spans(left) == [(False, start, start + data.shape[1])]
    inside = slice(200, -200)
    np.testing.assert_allclose(joined(left, "cleaned")[:, inside], data[:, inside], atol=0.003)


@every_rate
def test_a_gap_is_as_long_as_it_was_and_where_it_was(fs):
    data = smooth(fs, 3.0)
    count = data.shape[1]
    for gap in (1, 2, 3, 77):
        left = through([*pieces_of(data, fs), *pieces_of(data, fs, start=count + gap)], fs)
        assert spans(left) == [
            (False, 0, count),
            (True, count, count + gap),
            (False, count + gap, 2 * count + gap),
        ]
        np.testing.assert_array_equal(joined(left, "raw"), np.concatenate([data, data], axis=1))
        np.testing.assert_allclose(joined(left, "cleaned"), joined(left, "raw"), atol=0.3)


@settings(max_examples=40, deadline=None)
@given(
    fs=st.sampled_from(RATES),
    hop=st.sampled_from([4, 16, 40]),
    start=st.integers(0, 10**9),
    plan=st.lists(
        st.tuples(
            st.integers(0, 90) | st.integers(1, 3), st.integers(1, 20), st.integers(0, 5), st.booleans()
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_every_sample_leaves_once_whatever_the_gaps(fs, hop, start, plan):
    rng = np.random.default_rng(0)
    chunks, sent, at = [], [], start
    for samples, size, gap, ended in plan:
        data = rng.standard_normal((1, samples)).astype(np.float32)
        chunks += pieces_of(data, fs, size, at)
        sent.append((at, data))
        at += samples
        if ended:
            chunks.append(ends(at))
        at += gap
    left = through(chunks, fs, hop=hop)
    stop = max((first + data.shape[1] for first, data in sent if data.size), default=start)
    first = next((first for first, data in sent if data.size), start)
    told = sum(m.stop - m.start for m in left)
    assert told == stop - first
    at = first
    for message in left:
        assert message.start == at
        at = message.stop
        if isinstance(message, Emitted):
            assert np.isfinite(message.cleaned).all()
            assert message.answer.hop.arrived_ready_ns.shape == (2, message.raw.shape[1])
    whole = np.full(stop - first, np.nan, np.float32)
    for place, data in sent:
        whole[place - first : place - first + data.shape[1]] = data[0]
    for message in left:
        part = whole[message.start - first : message.stop - first]
        if isinstance(message, Emitted):
            np.testing.assert_array_equal(message.raw[0], part)
        else:
            # Where the network never had a sample there was nothing for the first ones to leave with.
            assert np.isnan(part).all() or message.start == first


@every_rate
def test_it_leaves_as_soon_as_the_promised_delay_is_over(fs):
    """And what comes later than that changes nothing."""
    delay_s = (36 + 16) / NETWORK_HZ + Resampler(fs, NETWORK_HZ).delay_s + SourceRate(fs, NETWORK_HZ).delay_s
    data = smooth(fs, 3.0)
    newest = []

    def watched():
        for chunk in pieces_of(data, fs, 1):
            newest.append(chunk.stop)
            yield chunk

    source_rate, late = SourceRate(fs, NETWORK_HZ), []

    def noted():
        for chunk in watched():
            source_rate.note(chunk)
            yield chunk

    rounds = ([chunk] for chunk in resample(noted(), StreamInfo(fs, ("0",), "a", "a"), NETWORK_HZ))
    for message in clean(rounds, config(), Identity()):
        left = list(source_rate.take(message))
        if newest[-1] < data.shape[1]:
            late += [(newest[-1] - each.start) / fs for each in left]
    assert delay_s - 0.005 - 16 / NETWORK_HZ < min(late)
    assert max(late) <= delay_s + 1 / fs + 1 / NETWORK_HZ


@every_rate
def test_a_lost_sample_is_missing_and_those_beside_it_are_passed_on(fs):
    data = smooth(fs, 4.0, leads=2)
    data[0, 200:203] = np.nan
    left = through(pieces_of(data, fs), fs, leads=2)
    np.testing.assert_array_equal(joined(left, "raw"), data)
    marks, cleaned = joined(left, "marks"), joined(left, "cleaned")
    np.testing.assert_array_equal(marks == Mark.MISSING, np.isnan(data))
    np.testing.assert_array_equal(np.isnan(cleaned), np.isnan(data))
    beside = marks[0] == Mark.BYPASSED
    np.testing.assert_array_equal(cleaned[0, beside], data[0, beside])
    assert {reason for m in left if m.marks.max() >= Mark.BYPASSED for reason in m.verdict[1]} == {
        Reason.NO_INPUT,
        Reason.NONE,
    }
    assert np.flatnonzero(beside).size <= 2 * fs * Resampler(fs, NETWORK_HZ).delay_s + 6
    assert not (marks[1] >= Mark.BYPASSED).any()
    inside = slice(100, -100)
    there = marks[0, inside] < Mark.BYPASSED
    np.testing.assert_allclose(cleaned[0, inside][there], data[0, inside][there], atol=0.3)


class Broken(Identity):
    """A network that fails."""

    def infer(self, batch):
        return np.full_like(batch, np.nan)


def test_what_the_guard_passes_on_is_the_raw_of_the_source():
    fs = 1000.0
    data = smooth(fs, 3.0) + np.random.default_rng(0).standard_normal((1, 3000)).astype(np.float32)
    left = through(pieces_of(data, fs), fs, backend=Broken())
    assert (joined(left, "marks") == Mark.BYPASSED).all()
    np.testing.assert_array_equal(joined(left, "cleaned"), data)


def test_the_first_guess_for_a_screen_is_raw_as_it_came():
    fs = 500.0
    data = smooth(fs, 3.0)
    source_rate = SourceRate(fs, NETWORK_HZ)

    def noted():
        for chunk in pieces_of(data, fs):
            source_rate.note(chunk)
            yield chunk

    rounds = ([chunk] for chunk in resample(noted(), StreamInfo(fs, ("0",), "a", "a"), NETWORK_HZ))
    ahead = 0
    for message in clean(rounds, config(), Identity()):
        for each in source_rate.take(message):
            preview = each.preview()
            np.testing.assert_array_equal(preview.raw, data[:, preview.start : preview.stop])
            assert preview.start == each.stop
            ahead = max(ahead, preview.raw.shape[1])
    assert ahead >= 36 / NETWORK_HZ * fs


@every_rate
def test_a_recording_holds_the_record_as_it_is(fs, tmp_path):
    units = np.rint(1000 * smooth(fs, 5.0, leads=2)).T / 1000
    wfdb.wrsamp(
        "own", fs, ["mV"] * 2, ["I", "II"], units, fmt=["16"] * 2, adc_gain=[1000] * 2, baseline=[0] * 2,
        write_dir=str(tmp_path),
    )  # fmt: skip
    job = job_of(
        kind="replay",
        record="own",
        data_dir=tmp_path,
        leads=("I", "II"),
        noise="none",
        seconds=None,
        speed=0.0,
        save=tmp_path / "saved",
    )
    messages = []
    summary = Session(job).run(show=messages.append).summary
    (stream,) = summary.streams
    assert summary.samples_in == summary.samples_out == summary.source_samples == len(units)
    assert stream.unaccounted == {}
    assert stream.fs_hz == stream.source_fs_hz == fs
    recorded = wfdb.rdrecord(stream.recording)
    assert recorded.fs == fs
    np.testing.assert_array_equal(np.rint(1000 * recorded.p_signal[:, :2]), np.rint(1000 * units))
    cleaned = np.concatenate([m.cleaned for m in messages if isinstance(m, Emitted)], axis=1)
    np.testing.assert_allclose(recorded.p_signal[:, 2:4], cleaned.T, atol=0.00051)
