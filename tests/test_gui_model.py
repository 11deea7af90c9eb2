"""What the screen knows, without Qt: geometry, rings, decimation, numbers, states."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from gui_tools import FS, SETUP, info, message, preview, started, status
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.marks import Mark
from engine.messages import Gap
from gui.bridge import Life
from gui.calibration import Calibration, fitting_gain, px_per_mm
from gui.lanes import arrange
from gui.monitor import Level, Monitor
from gui.theme import DARK, LIGHT
from gui.trace_buffer import TraceBuffer
from gui.traces.sweep import Sweep, points, runs
from gui.view_options import ViewOptions
from gui.vitals import BeatFinder, Ticks, Vitals, alarm, disagree
from streamer.errors import InputError
from streamer.found import find_records, find_sources, synthetic_patients
from streamer.heart_rate import heart_rate
from streamer.settings import SourceSettings
from streamer.synthetic import SyntheticPatient

# Millimetres


def test_a_second_and_a_millivolt_have_their_millimetres():
    scale = Calibration(px_per_mm(25.4 * 4), speed=25.0, gain=10.0)
    assert scale.px_per_mm == pytest.approx(4.0)
    assert scale.px_per_s == pytest.approx(100.0)
    assert scale.px_per_mv == pytest.approx(40.0)
    # 40 ms and 0.1 mV are one small box, 200 ms and 0.5 mV a large one.
    assert 0.04 * scale.px_per_s == pytest.approx(0.1 * scale.px_per_mv) == pytest.approx(4.0)
    assert 0.2 * scale.px_per_s == pytest.approx(0.5 * scale.px_per_mv) == pytest.approx(20.0)


def test_a_screen_that_lies_about_its_size_is_taken_for_96_dpi():
    for dpi in (0.0, -1.0, 5.0, 1e6, float("inf")):
        assert px_per_mm(dpi) == pytest.approx(96 / 25.4)


def test_a_page_is_whole_large_boxes():
    for available in (200, 1000, 1777):
        scale = Calibration(96 / 25.4)
        page = scale.page_columns(available)
        assert page <= available
        boxes = page / (5 * 96 / 25.4)
        assert boxes == pytest.approx(round(boxes), abs=0.03)
        assert available - page < 5 * 96 / 25.4 + 1


def test_speeds_and_gains_that_no_monitor_has_are_refused():
    allowed = "1.25, 2.5, 6.25, 12.5, 25, 50, 100"
    with pytest.raises(InputError, match=f"speed 30 is not possible; allowed: {allowed}"):
        Calibration(4.0, speed=30.0)
    with pytest.raises(InputError, match="gain 3 is not possible"):
        Calibration(4.0, gain=3.0)
    with pytest.raises(ValueError, match="speed must be one of"):
        ViewOptions(speed=30.0)


def test_the_automatic_gain_uses_the_room_and_is_never_less_than_half_the_standard_one():
    assert fitting_gain(4.0, 400, 2.0) == 40.0
    assert fitting_gain(4.0, 170, 2.0) == 20.0
    assert fitting_gain(4.0, 100, 2.0) == 10.0
    assert fitting_gain(4.0, 60, 2.0) == 5.0
    assert fitting_gain(4.0, 10, 50.0) == 5.0


# Sweep


@given(
    width=st.integers(10, 500),
    rate=st.floats(0.01, 3.0),
    start=st.integers(0, 10**9),
    length=st.integers(0, 2000),
)
def test_pieces_cover_the_last_page_of_columns_once(width, rate, start, length):
    sweep = Sweep(width, rate)
    pieces = list(sweep.pieces(start, start + length))
    columns = [column for piece in pieces for column in range(piece.start, piece.stop)]
    assert columns == list(range(start + max(0, length - width), start + length))
    for piece in pieces:
        assert piece.x == piece.start % width
        assert piece.x + piece.stop - piece.start <= width


@given(rate=st.floats(0.01, 3.0), start=st.integers(0, 10**8), length=st.integers(1, 300))
def test_no_sample_of_a_column_is_left_out(rate, start, length):
    sweep = Sweep(1000, rate)
    first, last = sweep.samples(start, start + length)
    inside = [n for n in range(first - 3, last + 3) if start <= sweep.column(n) < start + length]
    assert not inside or (first <= inside[0] and inside[-1] < last)


@given(spike=st.integers(0, 4999), rate=st.floats(0.02, 0.49), height=st.sampled_from([-3.0, 3.0]))
@settings(max_examples=200)
def test_decimation_keeps_a_spike_of_one_sample_in_its_column(spike, rate, height):
    values = np.sin(np.arange(5000) / 40).astype(np.float32)
    values[spike] = height
    x, y = points(values, 7_000_000, rate)
    assert y.size <= 2 * (5000 * rate + 2)
    at = np.flatnonzero(y == np.float32(height))
    assert at.size >= 1
    assert np.floor(x[at[0]]) == np.floor((7_000_000 + spike) * rate)


def test_decimation_neither_widens_nor_moves_with_the_stretch_that_is_asked_for():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(4000).astype(np.float32)
    x, y = points(values, 0, 0.1)
    late_x, late_y = points(values[1000:], 1000, 0.1)
    np.testing.assert_array_equal(x[-len(late_x) :], late_x)
    np.testing.assert_array_equal(y[-len(late_y) :], late_y)
    assert y.max() == values.max()
    assert y.min() == values.min()


def test_few_samples_are_all_drawn():
    values = np.arange(20, dtype=np.float32)
    x, y = points(values, 5, 0.5)
    np.testing.assert_array_equal(y, values)
    np.testing.assert_allclose(x, (5 + np.arange(20)) * 0.5)


def test_nothing_is_drawn_across_what_is_missing():
    values = np.array([np.nan, 1, 2, np.nan, np.nan, 3, np.nan], np.float32)
    assert runs(values) == [slice(1, 3), slice(5, 6)]
    assert runs(np.empty(0, np.float32)) == []
    _, y = points(np.repeat(values, 50), 0, 0.02)
    assert np.isnan(y).any()


# Lanes


def test_lanes_fill_the_height_and_follow_the_leads():
    lanes = arrange((0, 1), 900, reference=True, residual=True)
    assert [lane.kinds for lane in lanes[:4]] == [("raw",), ("cleaned",), ("reference",), ("residual",)]
    assert [lane.lead for lane in lanes] == [0] * 4 + [1] * 4
    assert lanes[0].top == 0
    assert lanes[-1].bottom == 900
    assert all(above.bottom == below.top for above, below in pairwise(lanes))
    assert all(lane.top < lane.zero < lane.bottom for lane in lanes)


def test_many_leads_share_lanes_and_a_person_may_insist():
    twelve = tuple(range(12))
    lanes = arrange(twelve, 900, reference=True, residual=False)
    assert len(lanes) == 12
    assert lanes[0].kinds == ("reference", "raw", "cleaned")
    assert lanes[0].main == "cleaned"
    assert len(arrange(twelve, 900, layout="stacked", reference=False, residual=False)) == 24
    assert len(arrange((0,), 900, layout="overlay", reference=False, residual=True)) == 2


# Buffer


@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=40),
    ahead=st.integers(0, 40),
    start=st.integers(0, 10**12),
)
@settings(max_examples=60, deadline=None)
def test_any_hops_give_back_the_newest_samples(sizes, ahead, start):
    buffer = TraceBuffer(info(fs=100.0), seconds=3.0)
    count = sum(sizes)
    whole = np.arange(count + ahead, dtype=np.float32)
    at = 0
    for size in sizes:
        buffer.push(message(start + at, whole[at : at + size]))
        at += size
        buffer.push(preview(start + at, whole[at : at + ahead], -whole[None, at : at + ahead]))
    newest = start + count + ahead
    assert (buffer.final, buffer.newest) == (start + count, newest)
    kept = min(300, count + ahead)
    np.testing.assert_array_equal(buffer.read("raw", 0, newest - kept, newest), whole[-kept:])
    cleaned = buffer.read("cleaned", 0, newest - kept, newest)
    expected = np.where(np.arange(count + ahead) < count, whole, -whole)[-kept:]
    np.testing.assert_array_equal(cleaned, expected)
    assert np.isnan(buffer.read("raw", 0, newest, newest + 5)).all()
    assert np.isnan(buffer.read("raw", 0, newest - 310, newest - 300)).all()


def test_a_gap_stays_empty_and_so_does_what_the_screen_never_got():
    buffer = TraceBuffer(info())
    buffer.push(message(0, np.ones(100)))
    buffer.push(Gap("test", 100, 160))
    buffer.push(message(160, np.ones(100)))
    buffer.push(message(300, np.ones(10)))
    raw = buffer.read("raw", 0, 0, 310)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(raw)), [*range(100, 160), *range(260, 300)])
    assert list(buffer.gaps) == [(100, 160), (260, 300)]


def test_a_lap_later_nothing_old_shows_in_a_gap():
    buffer = TraceBuffer(info(fs=100.0), seconds=2.0)
    buffer.push(message(0, np.full(200, 5.0)))
    buffer.push(Gap("test", 200, 350))
    assert np.isnan(buffer.read("raw", 0, 200, 350)).all()
    buffer.push(Gap("test", 350, 10**6))
    assert np.isnan(buffer.read("raw", 0, 10**6 - 200, 10**6)).all()
    buffer.push(message(10**6, np.full(10, 3.0)))
    np.testing.assert_array_equal(buffer.read("raw", 0, 10**6, 10**6 + 10), 3.0)


def test_the_buffer_says_from_where_to_draw_again():
    buffer = TraceBuffer(info())
    buffer.push(message(0, np.ones(100)))
    buffer.push(preview(100, np.ones(50)))
    assert buffer.take_changed() == 0
    assert buffer.take_changed() is None
    buffer.push(message(100, np.ones(14)))
    buffer.push(preview(114, np.ones(50)))
    # What was a guess is final now, and the guess behind it is a new one.
    assert buffer.take_changed() == 100
    buffer.touch(30)
    assert buffer.take_changed() == 30


def test_pushing_for_hours_allocates_no_new_rings():
    buffer = TraceBuffer(info(fs=100.0), seconds=5.0)
    rings = [id(ring) for ring in buffer._rings.values()]
    hop = np.ones(100)
    for second in range(4 * 3600):
        buffer.push(message(100 * second, hop, annotations=[(100 * second, "N")]))
    assert [id(ring) for ring in buffer._rings.values()] == rings
    assert len(buffer.annotations) <= 12_000


# Numbers


def test_heart_rate_is_the_mean_of_the_last_intervals():
    def rate(beats, samples):
        return heart_rate(np.asarray(beats), np.zeros(samples, np.float32), FS)

    beats = [0, 100, *range(460, 460 + 13 * 360, 360)]
    assert rate(beats, beats[-1] + 10) == pytest.approx(60.0)
    assert rate(beats[:1], 100) is None
    assert rate(beats, round(beats[-1] + 4.1 * FS)) is None, "no beat for 4 s"
    assert rate(range(0, 3600, 60), 3600) is None, "360 bpm"


def test_heart_rate_does_not_count_over_a_gap():
    trace = np.zeros(3600, np.float32)
    trace[1000:2400] = np.nan
    beats = np.array([100, 400, 700, 2500, 2800, 3100, 3400])
    assert heart_rate(beats, trace, FS) == pytest.approx(60 * FS / 300)
    trace[:] = np.nan
    assert heart_rate(beats, trace, FS) is None


@pytest.mark.parametrize("bpm", [40.0, 75.0, 160.0])
def test_the_beat_finder_finds_the_rate_of_a_patient(bpm):
    block = SyntheticPatient(heart_rate=bpm).read(0, round(12 * FS))
    buffer = TraceBuffer(info())
    buffer.push(message(0, block.data))
    finder = BeatFinder()
    try:
        found = _ask(finder, buffer)
    finally:
        finder.close()
    assert found.raw_bpm == pytest.approx(bpm, rel=0.06)
    assert found.cleaned_bpm == pytest.approx(bpm, rel=0.06)


def _ask(finder, buffer):
    finder.ask(buffer, 0)
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        found = finder.take()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError("no beats")


def test_an_error_of_the_beat_finder_is_not_swallowed(monkeypatch):
    def broken(lead, fs):
        raise RuntimeError("the detector broke")

    monkeypatch.setattr("gui.vitals.find_qrs", broken)
    buffer = TraceBuffer(info())
    buffer.push(message(0, np.ones(10)))
    finder = BeatFinder()
    try:
        with pytest.raises(RuntimeError, match="the detector broke"):
            _ask(finder, buffer)
    finally:
        finder.close()
    finder.close()


def test_disagreement_needs_5_bpm_and_10_percent():
    assert not disagree(70.0, 74.0)
    assert not disagree(200.0, 185.0)
    assert disagree(70.0, 80.0)
    assert disagree(70.0, None)
    assert not disagree(None, None)


def test_each_beat_is_ticked_once():
    ticks = Ticks()
    assert ticks.add(np.array([100, 400, 790]), 800, FS) == 100
    # The last one was too near the edge; the next search sees all of them again.
    assert ticks.add(np.array([101, 399, 789, 1100]), 1300, FS) == 789
    assert ticks.add(np.array([789, 1100]), 1301, FS) is None
    assert list(ticks.found) == [100, 400, 789, 1100]
    # The first searches see too little to find anything: their beats come later.
    late = Ticks()
    assert late.add(np.empty(0, np.int64), 700, FS) is None
    assert late.add(np.array([100, 400]), 1060, FS) == 100


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (np.sin(np.arange(360) / 5), ""),
        (4.0 * np.sin(np.arange(360) / 5), "near its limit"),
        (4.6 * np.sin(np.arange(360) / 5), "SATURATED"),
        (np.full(360, 5.0), "SATURATED"),
        (np.full(360, 0.3), "FLAT: electrode?"),
        (np.full(360, np.nan), "LEAD OFF"),
        (np.where(np.arange(360) > 100, np.nan, np.sin(np.arange(360))), "LEAD OFF"),
        (np.empty(0), ""),
    ],
)
def test_technical_alarms(raw, expected):
    assert alarm(raw.astype(np.float32), 5.0, 360) == expected


@pytest.mark.parametrize("offset", [200.0, -300.0])
def test_a_stable_offset_is_no_saturation_but_a_stop_beyond_it_is(offset):
    block = SyntheticPatient(heart_rate=60).read(0, 1440)
    lead = 2 * block.data[0] + np.float32(offset)
    assert alarm(lead, 5.0, FS) == ""
    outward = 2 * np.sign(offset) * np.abs(block.data[0]) + offset
    stopped = np.where(np.arange(1440) % 360 < 40, offset + np.sign(offset) * 2.5, outward)
    assert alarm(stopped.astype(np.float32), 5.0, FS) == "SATURATED"


def test_a_coarse_lead_stands_still_between_beats_and_is_not_flat():
    beats = 1.1 * np.exp(-0.5 * ((np.arange(1800) % 540 - 270) / 5) ** 2)
    coarse = (0.091 * np.round(beats / 0.091)).astype("f4")
    assert any(np.ptp(coarse[at : at + 360]) == 0 for at in range(0, 1440, 10)), (
        "the test needs a still second"
    )
    monitor = Monitor(started())
    for start in range(0, 1800, 60):
        monitor.take([message(start, coarse[start : start + 60])])
        if start >= 720:
            assert monitor.alarms() == [""]
    monitor.take([message(1800, np.full(1440, coarse[-1]))])
    assert monitor.alarms() == ["FLAT: electrode?"]


# States


def test_states_of_the_chip():
    monitor = Monitor(started())
    monitor.take([message(0, np.ones(360)), status()])
    assert monitor.state(Life.PLAYING, False) == ("LIVE", Level.GOOD)
    assert monitor.state(Life.PLAYING, True) == ("FROZEN", Level.HELD)
    assert monitor.state(Life.DEAD, True) == ("ENGINE STOPPED", Level.BAD)
    assert monitor.state(Life.ENDED, False) == ("ENDED", Level.HELD)
    monitor.paused = True
    assert monitor.state(Life.PLAYING, False) == ("PAUSED", Level.HELD)
    monitor.paused = False
    monitor.take([message(360, np.ones(360), marks=np.full(360, Mark.BYPASSED))])
    assert monitor.state(Life.PLAYING, False)[0].startswith("BYPASS (")
    monitor.take([message(720, np.ones(360), marks=np.full(360, Mark.WARMUP))])
    assert monitor.state(Life.PLAYING, False) == ("LIVE · warming up", Level.GOOD)


def found(raw_bpm, cleaned_bpm, silence_s=0.5):
    nothing = np.empty(0, np.int64)
    return Vitals(TraceBuffer(info()), nothing, nothing, raw_bpm, cleaned_bpm, silence_s)


def test_an_irregular_rhythm_is_said_beside_its_rate():
    nothing = np.empty(0, np.int64)
    monitor = Monitor(started())
    monitor.take([message(0, np.ones(360)), status()])
    irregular = Vitals(TraceBuffer(info()), nothing, nothing, 90.0, 91.0, 0.5, "pause of 2.1 s", "irregular")
    monitor.take_vitals(irregular)
    assert monitor.rate_warning() == "irregular"
    monitor.take_vitals(replace(irregular, cleaned_bpm=120.0))
    assert monitor.rate_warning() == "raw and cleaned disagree"
    monitor.take([message(360, np.ones(360), marks=np.full(360, Mark.BYPASSED))])
    assert monitor.rate_warning() == "pause of 2.1 s"


def test_heart_rates_are_withheld_where_there_is_no_evidence_for_them():
    monitor = Monitor(started())
    monitor.take([message(0, np.ones(360)), status()])
    monitor.take_vitals(found(70.0, 71.0))
    assert monitor.bpm == (70.0, 71.0)
    assert monitor.rate_warning() == ""
    monitor.take_vitals(found(70.0, 90.0))
    assert monitor.rate_warning() == "raw and cleaned disagree"
    monitor.take([message(360, np.ones(360), marks=np.full(360, Mark.BYPASSED))])
    assert monitor.bpm == (70.0, None), "raw is shown in place of cleaned"
    assert monitor.rate_warning() == ""
    monitor.take_vitals(found(None, None, silence_s=4.2))
    assert monitor.rate_warning() == "NO BEAT FOUND for 4 s"
    monitor.take([status(state="LOST", sample_age_s=8.0)])
    assert monitor.bpm == (None, None)
    assert monitor.rate_warning() == ""


def test_a_live_source_speaks_for_itself_and_silence_for_nobody():
    monitor = Monitor(started())
    monitor.take([message(0, np.ones(360)), status(state="STALE", sample_age_s=2.0)])
    assert monitor.state(Life.PLAYING, False) == ("STALE 2 s", Level.WARN)
    monitor.take([status(state="LOST", sample_age_s=8.0)])
    assert monitor.state(Life.PLAYING, False) == ("LOST 8 s", Level.BAD)
    monitor.take([status(state="RECOVERED")])
    assert monitor.state(Life.PLAYING, False) == ("RECOVERED", Level.GOOD)
    monitor.take([status()])
    monitor._seen -= 3.0
    assert monitor.state(Life.PLAYING, False) == ("STALE 3 s", Level.WARN)
    monitor._seen -= 3.0
    assert monitor.state(Life.PLAYING, False) == ("LOST 6 s", Level.BAD)


def test_an_engine_that_does_not_keep_up_is_late():
    monitor = Monitor(started())
    slow = replace(status().delays, latest_p50_ms=2800.0)
    monitor.take([message(0, np.ones(360)), status(delays=slow)])
    assert monitor.state(Life.PLAYING, False) == ("LATE 2.8 s", Level.BAD)


def test_rmse_is_that_of_cleaned_against_the_reference():
    monitor = Monitor(started())
    rng = np.random.default_rng(0)
    reference = rng.standard_normal(3600).astype(np.float32)
    monitor.take([message(0, reference)])
    assert monitor.rmse_mv() == pytest.approx(0.0, abs=1e-6)

    error = 0.1 * rng.standard_normal(3600).astype(np.float32)
    monitor.take([message(3600, reference)])
    monitor.buffer._rings["cleaned"][0, 3600:7200] = reference + error
    assert monitor.rmse_mv() == pytest.approx(0.1, rel=0.05)


def test_the_delay_to_the_screen_includes_painting_and_is_measured_there():
    monitor = Monitor(started())
    painting = monitor.painting
    assert np.isnan(painting.painted_ms)
    assert np.isnan(painting.delay).all()
    for at in range(0, 140, 14):
        monitor.take([status(), message(at, np.ones(14))])
        time.sleep(0.03)
        painting.drawn(seen=True)
    # A sample was 340 to 340 + 39 ms old when it was made, and was painted 30 ms later.
    assert 30 <= painting.painted_ms < 300
    assert 370 + 39 / 2 - 2 <= painting.delay.p50 < 900
    assert painting.delay.p50 <= painting.delay.p99 <= painting.delay.highest
    # The engine's own figure leaves the painting out.
    assert painting.delay.p50 > monitor.delays.p50_ms


def test_painting_is_measured_after_a_loss_and_after_other_settings_too():
    monitor = Monitor(started())
    monitor.take([status(), message(0, np.ones(14))])
    monitor.painting.drawn(seen=True)
    # What came back after a loss is old already when it comes.
    old = message(14, np.ones(14))
    monitor.take([replace(old, source_time=old.source_time - 30.0)])
    time.sleep(0.05)
    monitor.painting.drawn(seen=True)
    assert 20 < monitor.painting.painted_ms < 500
    assert monitor.painting.delay.highest > 30_000
    other = replace(SETUP, clean=replace(SETUP.clean, lookahead_ms=100.0))
    monitor.take([status(setup=other), message(28, np.ones(14))])
    time.sleep(0.01)
    monitor.painting.drawn(seen=True)
    assert monitor.painting.delay.highest < 5_000
    # A screen that is frozen shows nothing: it is no measure of the painting.
    monitor.take([message(42, np.ones(14))])
    time.sleep(0.2)
    before = monitor.painting.delay.highest
    monitor.painting.drawn(seen=False)
    assert monitor.painting.delay.highest == before


# Colours


_CONES = {
    "protan": "0.152286 1.052583 -0.204868 0.114503 0.786281 0.099216 -0.003882 -0.048116 1.051998",
    "deutan": "0.367322 0.860646 -0.227968 0.280085 0.672501 0.047413 -0.011820 0.042940 0.968881",
    "tritan": "1.255528 -0.076749 -0.178779 -0.078411 0.930809 0.147602 0.004733 0.691367 0.303900",
    "usual": "1 0 0 0 1 0 0 0 1",
}


def _seen_by(colour, kind):
    """A colour as a person without one kind of cone sees it (Machado et al., 2009, severity 1)."""
    matrix = np.array(_CONES[kind].split(), float).reshape(3, 3)
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(matrix @ linear, 0, 1)


def _lab(linear):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
@pytest.mark.parametrize("kind", ["usual", "protan", "deutan", "tritan"])
def test_traces_differ_for_everybody_and_stand_out_from_the_paper(theme, kind):
    colours = [theme.raw, theme.cleaned, theme.reference]
    seen = [_lab(_seen_by(colour, kind)) for colour in colours]
    paper = _lab(_seen_by(theme.background, kind))
    for index, first in enumerate(seen):
        assert np.linalg.norm(first - paper) > 40
        for second in seen[index + 1 :]:
            assert np.linalg.norm(first - second) > 20


# Sources


def test_sources_are_listed_in_order_and_say_what_they_are(tmp_path, monkeypatch):
    folder = tmp_path / "mitdb"
    folder.mkdir()
    for name in ("100", "9", "broken"):
        signals = "".join(f"{name}.dat 212 200 11 1024 1 0 0 {lead}\n" for lead in ("MLII", "V5"))
        text = f"{name} 2 360 650000\n{signals}"
        (folder / f"{name}.hea").write_text("nonsense" if name == "broken" else text)
    data = tmp_path / "ludb" / "data"
    data.mkdir(parents=True)
    (data / "1.hea").write_text("1 1 500 5000\n1.dat 16 1000 16 0 0 0 0 i\n")
    base = SourceSettings(data_dir=tmp_path)
    found, problems = find_sources([lambda: synthetic_patients(base), lambda: find_records(base)])
    assert not problems
    assert [source.title for source in found[3:]] == ["ludb/1", "mitdb/9", "mitdb/100"]
    assert found[4].detail == "MLII, V5 · 360 Hz · 30 min"
    assert found[4].settings.record == "9"
    assert found[3].detail == "i · 500 Hz · 10 s"
    assert {source.settings.rhythm for source in found[:3]} == {"sinus", "afib", "pvc"}


def test_the_front_door_and_the_view_model_need_no_qt():
    code = (
        "import sys; sys.modules['PyQt6'] = None; sys.modules['pyqtgraph'] = None\n"
        "import ecg_stream.command_line, gui.monitor, gui.bridge, gui.traces.sweep, gui.trace_buffer\n"
        "import gui.calibration, gui.display, gui.lanes, gui.theme, gui.vitals, gui.view_options\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=os.environ)
