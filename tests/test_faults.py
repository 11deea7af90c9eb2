"""Faults on demand: what was asked for happens, is counted, and nothing else changes."""

import json
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from fault_tools import ON_THE_WAY, Counting, played, settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamer.errors import InputError
from streamer.faults.schedule import KINDS, LISTED, Schedule, parse_faults
from streamer.faults.signal import RAIL_MV, SIGNAL_FAULTS, SignalFaults
from streamer.faults.source import FaultySource
from streamer.open_source import open_source
from streamer.settings import SourceSettings
from streamer.watchdog import StreamState

FS = 360.0


def wrong(*kinds, seconds=60, seed=0, first_s=20.0, often=1.0, chunk_s=0.1):
    """A faulty source, and everything that came out of it."""
    source = FaultySource(
        played(Counting(FS, round(seconds * FS)), chunk_s=chunk_s),
        settings(*kinds, seed=seed, first_s=first_s, often=often),
    )
    return source, list(source.chunks())


def joined(chunks, name):
    return np.concatenate([getattr(c, name) for c in chunks if c.data.shape[1]], axis=-1)


def indices(chunks):
    return np.concatenate([np.arange(c.start, c.stop) for c in chunks])


# What can be asked for


def test_names_and_seed():
    assert parse_faults("none").kinds == ()
    assert parse_faults("all").kinds == tuple(KINDS)
    assert parse_faults("nan, gaps:7") == settings("gaps", "nan", seed=7, first_s=5.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gasp", "'gasp' is unknown; allowed: none, all, or some of gaps, bursts"),
        ("", "'' is unknown"),
        ("gaps,gaps", "'gaps' is said twice"),
        ("all,gaps", "'all' is unknown"),
        ("gaps:x", "seed 'x' must be a whole number"),
        ("gaps:-1", "seed '-1' must be"),
        ("gaps:", "seed '' must be"),
        ("gaps:1:2", "seed '1:2' must be"),
    ],
)
def test_what_is_not_a_fault_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        SourceSettings(faults=text)


def test_any_source_takes_them():
    source = open_source(SourceSettings(seconds=30, speed=0, faults="gaps,nan:3"))
    assert isinstance(source, FaultySource)
    assert "faults made on purpose, seed 3: gaps, nan" in source.info.notes
    assert not isinstance(open_source(SourceSettings(seconds=1)), FaultySource)


# When they happen


def test_a_kind_happens_where_it_does_whatever_else_there_is():
    alone = Schedule("gaps", FS, settings("gaps", seed=4)).within(0, 10**6)
    assert Schedule("gaps", FS, settings(*KINDS, seed=4)).within(0, 10**6) == alone
    assert Schedule("gaps", FS, settings("gaps", seed=5)).within(0, 10**6) != alone
    assert all(0 < b.start - a.stop for a, b in pairwise(alone))
    shortest, longest = KINDS["gaps"].lasts_s
    assert all(shortest - 0.01 <= (e.stop - e.start) / FS <= longest + 0.01 for e in alone)
    assert alone[0].start >= 20 * FS
    mean_s = np.diff([e.start for e in alone]).mean() / FS
    assert mean_s == pytest.approx(KINDS["gaps"].every_s + (shortest + longest) / 2, rel=0.3)


def test_a_schedule_is_the_same_in_pieces():
    whole = Schedule("nan", FS, settings("nan")).within(0, 40_000)
    pieces = Schedule("nan", FS, settings("nan"))
    found = {event for at in range(0, 40_000, 7) for event in pieces.within(at, at + 7)}
    assert sorted(found, key=lambda event: event.start) == whole


# What they do to the signal


@pytest.mark.parametrize("kind", SIGNAL_FAULTS)
def test_a_fault_of_the_signal_changes_its_samples_alone(kind):
    source, chunks = wrong(kind, seconds=120)
    reference = Counting(FS, round(120 * FS)).read(0, 10**9)
    data, struck = joined(chunks, "data"), np.zeros(round(120 * FS), np.bool_)
    for event in Schedule(kind, FS, settings(kind)).within(0, len(struck)):
        struck[event.start : event.stop] = True
        touched = data[:, event.start : event.stop]
        same = touched == reference.data[:, event.start : event.stop]
        # Faults of one lead leave the other alone; the rest change both.
        assert same.all(axis=1).sum() == (1 if kind in ("saturation", "lead-off", "nan") else 0)
        if kind == "saturation":
            assert np.abs(touched[~same.all(axis=1)]).max() <= RAIL_MV
        if kind == "steps":
            np.testing.assert_allclose(touched, 10 * reference.data[:, event.start : event.stop], rtol=1e-6)
        if kind == "nan":
            assert np.isnan(touched).any(axis=1).sum() == 1
        if kind == "lead-off":
            assert (np.ptp(touched, axis=1) == 0).sum() == 1
    assert struck.any()
    np.testing.assert_array_equal(data[:, ~struck], reference.data[:, ~struck])
    np.testing.assert_array_equal(joined(chunks, "reference"), reference.reference)
    assert source.log.samples[kind] == struck.sum()


def test_mains_is_a_tone_of_50_hz():
    _, chunks = wrong("mains", seconds=200)
    hum = joined(chunks, "data")[0] - Counting(FS).read(0, round(200 * FS)).data[0]
    event = Schedule("mains", FS, settings("mains")).within(0, 10**6)[0]
    inside = hum[event.start : event.stop]
    spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside))))
    assert spectrum.argmax() * FS / len(inside) == pytest.approx(50, abs=0.6)
    assert np.abs(inside).max() == pytest.approx(0.5, rel=0.1)


def test_the_data_of_others_are_not_written_to():
    log = FaultySource(played(Counting(FS, 10)), settings("steps")).log
    data = np.ones((2, 36_000), np.float32)
    data.flags.writeable = False
    changed = SignalFaults(log, FS).apply(data, 0)
    assert (changed != 1).any()
    assert (data == 1).all()


# What they do on the way


@given(
    kinds=st.sets(st.sampled_from(ON_THE_WAY), min_size=1),
    seed=st.integers(0, 10_000),
    chunk_s=st.sampled_from([0.02, 0.05, 0.1]),
)
@hypothesis_settings(deadline=None, max_examples=12)
def test_every_sample_is_in_its_place_or_in_a_gap(kinds, seed, chunk_s):
    source, chunks = wrong(*kinds, seed=seed, chunk_s=chunk_s, often=3.0, first_s=30.0, seconds=50)
    out = indices(chunks)
    assert (np.diff(out) > 0).all()
    data = joined(chunks, "data")
    assert source.log.misplaced == 0
    np.testing.assert_array_equal(data[0], out)
    np.testing.assert_array_equal(joined(chunks, "reference"), 2 * data)
    counts = source.health.counts
    assert out[-1] + 1 == len(out) + counts.gap_samples
    lost = sum(source.log.samples.get(kind, 0) for kind in ("gaps", "disconnect", "leads"))
    # Samples that two faults have lost are lost once, and the last ones to be lost leave no gap.
    # Those that came too late are counted, and their gap stands.
    assert 50 * FS - len(out) <= lost + counts.late
    if not lost:
        assert counts.gaps == 0
        assert len(out) == 50 * FS
    # A mark stays on its sample, and is lost with it.
    marks = [mark.sample for chunk in chunks for mark in chunk.annotations]
    np.testing.assert_array_equal(marks, out[out % 100 == 0])


@pytest.mark.parametrize("kind", ["duplicates", "reordered"])
def test_the_regulariser_puts_right_what_a_device_did(kind):
    source, chunks = wrong(kind, seconds=120)
    np.testing.assert_array_equal(joined(chunks, "data")[0], np.arange(120 * FS))
    assert source.log.samples[kind] > 100
    counted = getattr(source.health.counts, kind)
    share = 1.0 if kind == "duplicates" else 0.5
    assert counted == pytest.approx(share * source.log.samples[kind], abs=4 * source.log.counts[kind])


def test_a_burst_comes_late_and_together():
    _, chunks = wrong("bursts", seconds=120)
    sizes = [c.data.shape[1] for c in chunks]
    event = Schedule("bursts", FS, settings("bursts")).within(0, 10**6)[0]
    assert max(sizes) >= event.stop - event.start
    np.testing.assert_array_equal(joined(chunks, "data")[0], np.arange(120 * FS))


def test_a_device_that_is_fast_is_seen_to_be():
    assert wrong("rate", seconds=120)[0].health.ppm == pytest.approx(5000, abs=50)
    assert wrong("drift", seconds=120)[0].health.ppm == pytest.approx(-100, abs=5)


def test_a_device_that_goes_and_comes_back_is_lost_and_recovered():
    source, chunks = wrong("disconnect", seconds=200)
    breaks = source.log.counts["disconnect"]
    assert breaks >= 1
    states = source.health.states
    assert states["LOST"] == states["RECOVERED"] == breaks
    assert sum(c.ends_segment for c in chunks) == breaks
    assert source.health.counts.gaps == breaks
    assert source.health.counts.gap_samples == source.log.samples["disconnect"]


def test_other_leads_are_refused_until_the_old_ones_are_back():
    source = FaultySource(played(Counting(FS, 90_000), chunk_s=0.1), settings("leads", often=20.0))
    problems, ends = set(), 0
    for chunk in source.chunks():
        assert chunk.data.shape[0] == 2
        ends += chunk.ends_segment
        if source.health.problem:
            problems.add((source.health.problem, source.health.state))
    assert problems == {
        ("the stream has come back with another number of leads, which is refused", StreamState.LOST)
    }
    assert ends == source.log.counts["leads"] > 3
    assert source.health.problem == ""


# The whole


def test_the_same_seed_is_the_same_run_at_any_speed():
    runs = []
    for speed in (0.0, 60.0):
        source = open_source(SourceSettings(seconds=60, speed=speed, faults="all:2"))
        runs.append((list(source.chunks()), source.log.figures()))
    for name in ("data", "reference"):
        one, other = (joined(chunks, name) for chunks, _ in runs)
        np.testing.assert_array_equal(one, other)
    assert [c.start for c in runs[0][0]] == [c.start for c in runs[1][0]]
    assert runs[0][1] == runs[1][1]


def test_the_summary_lists_some_and_counts_all():
    source, _ = wrong("nan", "rate", seconds=200, often=20.0)
    figures = json.loads(json.dumps(asdict(source.log.figures())))
    assert figures["injected"]["rate"] == {"count": 1, "samples": 200 * 360}
    assert figures["injected"]["nan"]["count"] > LISTED
    assert len(figures["listed"]) == LISTED
    assert {kind for kind, _, _ in figures["listed"]} == {"nan"}
