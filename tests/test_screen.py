"""What a person reads on the screen: what plays, what is lost, what each trace and colour is, at any size."""

import os
from dataclasses import fields, replace

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import SETUP, message, started, status
from job_tools import job_of
from PyQt6.QtCore import QSettings, Qt
from test_gui_window import feed, like, make_view, picture

from engine.marks import Mark
from engine.run.protocol import Started
from gui.bridge import Life
from gui.clock import clock
from gui.lead_names import written
from gui.main_window import MainWindow
from gui.monitor import Level, Monitor
from gui.settings import Settings
from gui.style import chip
from gui.theme import DARK, LIGHT, THEMES
from gui.traces.lane_labels import LaneLabels
from gui.view_options import ViewOptions
from gui.zoom import SMALLEST, zoom_of
from streamer.chunk import StreamInfo

TWELVE = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")


@pytest.fixture
def stored(tmp_path):
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def window(qtbot, stored):
    """A window that shows what a test attaches to it; no engine runs."""
    window = MainWindow(None, job_of(), (), stored)
    qtbot.addWidget(window)
    window.resize(*SMALLEST)
    window.show()
    yield window
    window.close()


def shown(window, *frames, leads=("II",), **info):
    """Attach a stream to the window, and let it take frames; returns its monitor."""
    first = started(leads=leads)
    window.attach(Started((replace(first, info=replace(first.info, **info)),)))
    (monitor,) = window.run.monitors
    monitor.take(frames)
    window.page.streams.advance()
    # Painting is what the delay is measured at.
    window.page.view.grab()
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    window.page.refresh_figures(monitor)
    return monitor


def qrs(count, up=1.0, fs=360.0, bpm=60):
    """A spike a beat, so many mV high."""
    trace = np.zeros(count)
    at = np.arange(round(fs / 2), count - 10, round(60 * fs / bpm))
    for offset, share in ((-3, 0.3), (-2, 0.6), (-1, 0.9), (0, 1.0), (1, 0.9), (2, 0.6), (3, 0.3)):
        trace[at + offset] = share * up
    return trace


# What plays


def test_only_a_live_stream_says_live():
    def state(at=0, **info):
        first = started()
        monitor = Monitor(replace(first, info=replace(first.info, **info)))
        monitor.take([message(at, np.ones(360)), status()])
        return monitor.state(Life.PLAYING, frozen=False)

    assert state() == ("LIVE", Level.GOOD)
    assert state(origin="synthetic") == ("DEMO", Level.HELD)
    record = {"origin": "record", "length_s": 1805.0}
    assert state(**record) == ("REPLAY 00:01/30:05", Level.HELD)
    assert state(11 * 360, start_s=600.0, **record) == ("REPLAY 10:12/30:05", Level.HELD)
    # One that loops begins again where it began: 1205 s from 600 s on are a lap.
    assert state((1205 + 4) * 360, start_s=600.0, **record) == ("REPLAY 10:05/30:05", Level.HELD)
    assert clock(3723) == "1:02:03"


def test_the_chip_of_a_replay_is_not_green(window):
    shown(window, message(0, np.ones(360)), status(), origin="record", length_s=60.0)
    state = window.page.header.state
    assert state.text() == "REPLAY 00:01/01:00"
    assert DARK.good not in state.styleSheet()
    shown(window, message(0, np.ones(360)), status())
    assert (state.text(), DARK.good in state.styleSheet()) == ("LIVE", True)


# What is lost


def test_a_lost_stream_is_dimmed_written_across_and_shows_no_figures(window):
    trace = qrs(3600)
    monitor = shown(window, status(), message(0, trace))
    view, page = window.page.view, window.page
    bright = picture(view)
    (lane,) = [lane for lane in view.lanes if lane.main == "cleaned"]
    rows = slice(lane.top, lane.bottom)
    assert like(bright[rows], DARK.cleaned, 90).sum() > 100
    assert page.header.badge.text() != "Δ --"
    assert page.numerics.texts()["snr"] == "+0.0 → +12.0 dB"

    monitor.take([status(state="LOST", sample_age_s=17.2)])
    page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    page.refresh_figures(monitor)
    assert view.notice == "LOST 17 s"
    dark = picture(view)
    assert like(dark[rows], DARK.cleaned, 90).sum() == 0
    assert like(dark, DARK.bad, 60).sum() > 500, "LOST is written across"
    assert page.header.badge.text() == "Δ --"
    assert page.numerics.texts()["snr"] == "--"
    assert page.numerics.texts()["cleaned"] == "--"

    monitor.take([status(state="RECOVERED", gaps=1, gap_samples=11263), message(14_863, trace)])
    page.streams.advance()
    page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    assert view.notice == ""
    assert page.header.gaps.text() == "1 gap, 31.3 s"


def test_an_engine_that_is_silent_or_dead_does_not_look_alive(window):
    monitor = shown(window, status(), message(0, qrs(720)))
    monitor._seen -= 6.0
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    assert window.page.view.notice == "LOST 6 s"
    window.page.refresh_labels(monitor, window.run.job, Life.DEAD)
    assert window.page.view.notice == "ENGINE STOPPED"
    monitor._seen += 6.0
    monitor.paused = True
    monitor._seen -= 60.0
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    assert window.page.view.notice == "", "held is not lost"


# What each trace is


def test_leads_are_written_as_clinicians_write_them():
    assert [written(lead) for lead in TWELVE] == [
        *("I", "II", "III", "aVR", "aVL", "aVF"),
        *("V1", "V2", "V3", "V4", "V5", "V6"),
    ]
    assert [written(lead) for lead in ("AVR", "MLII", "v4r", "ECG 1")] == ["aVR", "MLII", "V4R", "ECG 1"]


def test_twelve_leads_with_residual_say_what_each_lane_is(window):
    window.page.controls.change(residual=True)
    shown(window, status(), message(0, np.tile(0.2 * np.sin(np.arange(720) / 9), (12, 1))), leads=TWELVE)
    (row,) = window.page.streams.rows
    lanes = row.view.lanes
    assert len(lanes) == 24
    texts = [(row.labels.lines(lane)[0][0], row.labels.beside(lane)[0]) for lane in lanes]
    assert texts[6:8] == [("aVR", "cleaned+raw"), ("aVR", "raw−cleaned")]
    assert len(set(texts)) == 24
    assert any("ST and P waves not validated" in label.text() for label in _labels(window.page))


def _labels(page):
    from PyQt6.QtWidgets import QLabel

    return page.findChildren(QLabel)


def test_what_is_not_the_network_s_output_does_not_look_like_it(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    level, marks = np.full(1080, 0.5), np.zeros(1080)
    marks[360:720], marks[720:] = Mark.BYPASSED, Mark.FILTERED
    feed(view, monitor, message(0, level, marks=marks))
    lane = view.lanes[1]
    line = picture(view)[lane.zero - 22 : lane.zero - 17]
    for columns, colour in (
        (slice(5, 95), DARK.cleaned),
        (slice(105, 195), DARK.raw),
        (slice(205, 295), DARK.text),
    ):
        assert like(line[:, columns], colour, 160).any(axis=0).all()
        others = {DARK.cleaned, DARK.raw, DARK.text} - {colour}
        assert not any(like(line[:, columns], other, 60).any() for other in others)
    assert not like(line[:, 90:210], DARK.background, 30).all(axis=0).any(), "the line has no holes"


def test_a_change_of_network_is_marked_where_it_happened_and_renames_nothing(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    monitor.take([status()])
    marks = np.zeros(720)
    marks[360:] = Mark.WARMUP
    feed(view, monitor, message(0, np.zeros(720), marks=marks))
    other = replace(SETUP, clean=replace(SETUP.clean, model="lowdelay", lookahead_ms=100.0))
    feed(view, monitor, status(setup=other))
    assert list(monitor.switches) == [(360, "lowdelay 100 ms")]
    lane = view.lanes[1]
    dashes = like(picture(view)[lane.top + 2 : lane.bottom - 2, 100], DARK.quiet, 60)
    assert 0.3 < dashes.mean() < 0.95
    feed(view, monitor, status(setup=other))
    assert len(monitor.switches) == 1


def test_a_trace_beyond_its_lane_is_marked_at_the_edge_and_named(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    raw = np.zeros(720)
    raw[360:432] = 9.0
    raw[500:572] = -9.0
    feed(view, monitor, message(0, raw, cleaned=np.zeros(720)))
    lane, pixels = view.lanes[0], picture(view)
    top = like(pixels[lane.ceiling + 1], DARK.raw, 30)
    assert top[102:119].all()
    assert not top[:99].any()
    bottom = like(pixels[lane.bottom - 2], DARK.raw, 30)
    assert bottom[140:157].all()
    labels.set_off_scale(view.off_scale())
    assert labels.alarm(lane) == ("off scale", DARK.bad)
    assert labels.alarm(view.lanes[1]) is None


def test_a_qrs_complex_does_not_run_into_the_letters(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    feed(view, monitor, message(0, qrs(1800, up=6.0), annotations=[(180, "N")]))
    for lane in view.lanes:
        above = picture(view)[lane.top + 1 : lane.ceiling]
        assert not like(above, getattr(DARK, lane.main), 90).any()
        assert like(above, DARK.quiet, 60).any(), "the letter is there"


@pytest.mark.parametrize(("up", "height"), [(1.2, 450), (1.2, 900), (0.8, 700), (-1.2, 450)])
def test_the_automatic_gain_uses_the_room(qtbot, up, height):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, gain=0.0, reference=False)
    view.resize(803, height)
    feed(view, monitor, message(0, qrs(3600, up=up)))
    for _ in range(3):
        view.settle()
    (lane,) = [lane for lane in view.lanes if lane.main == "cleaned"]
    drawn = abs(up) * view.calibration.px_per_mv
    assert 0.33 * lane.height < drawn
    assert drawn < (lane.zero - lane.ceiling if up > 0 else lane.bottom - lane.zero)
    before = view.calibration.gain
    view.settle()
    assert view.calibration.gain == before


# Colours


def _named(theme):
    return {field.name: getattr(theme, field.name) for field in fields(theme) if field.name != "name"}


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_a_colour_has_one_meaning(theme):
    meanings = ("raw", "cleaned", "reference", "residual", "good", "bad", "held")
    colours = _named(theme)
    assert len({colours[name] for name in meanings}) == len(meanings)
    # A lesser warning is an outline, and takes no trace's colour.
    assert theme.bad in chip(theme, "warn")
    assert f"background: {theme.bad}" not in chip(theme, "warn")
    assert f"background: {theme.bad}" in chip(theme, "bad")


def test_the_delay_panel_is_grey(window):
    monitor = shown(window, *[status(), message(0, np.ones(360))] * 2)
    monitor.latest_ms.extend([(120.0, 150.0), (125.0, 160.0)])
    pixels = picture(window.page.latency)
    assert pixels.shape[0] > 200
    for colour in (DARK.raw, DARK.cleaned, DARK.reference, DARK.residual):
        assert not like(pixels, colour, 40).any()


# At any size


def test_letters_grow_with_a_large_window():
    assert [zoom_of(*size) for size in ((1280, 720), (1920, 1080), (3840, 2160), (3840, 1080))] == [
        1,
        1,
        2,
        1,
    ]
    assert zoom_of(2560, 1440) == 1.25


def test_everything_grows_together_and_shrinks_again(qtbot, window):
    shown(window, status(), message(0, np.ones(720)))
    page = window.page
    parts = (page.header, page.numerics, page.side, page.streams.rows[0].labels)
    before = [(part.width(), part.height()) for part in parts]
    letters = page.view.lanes[0].letters
    window.resize(3840, 2160)
    qtbot.waitUntil(lambda: page.side.width() == 2 * before[2][0], timeout=5_000)
    assert page.header.height() == 2 * before[0][1]
    assert page.numerics.height() == 2 * before[1][1]
    assert page.streams.rows[0].labels.width() == 2 * before[3][0]
    assert page.view.lanes[0].letters == 2 * letters
    assert page.note.fontInfo().pixelSize() == 24
    window.resize(*SMALLEST)
    qtbot.waitUntil(lambda: page.side.width() == before[2][0], timeout=5_000)
    qtbot.waitUntil(lambda: [(part.width(), part.height()) for part in parts] == before, timeout=5_000)


def test_names_and_states_of_twelve_patients_can_be_read(qtbot, window):
    from gui.stream_head import WIDTH

    each = tuple(
        replace(
            started(),
            info=StreamInfo(
                360.0,
                ("II",),
                f"synthetic sinus 70 bpm, seed {n}",
                f"{n}",
                has_reference=True,
                origin="synthetic",
            ),
        )
        for n in range(12)
    )
    window.attach(Started(each))
    for monitor in window.run.monitors:
        monitor.take([replace(status(), stream=monitor.info.source_id)])
    for row in window.page.streams.rows:
        head = row.head
        head.refresh(("FILTER (machine too slow)", Level.BAD), selected=False, hidden_leads=0)
        texts = head.texts()
        assert texts["chip"] == "FILTER"
        assert "machine too slow" in head.toolTip()
        inside = WIDTH - 16
        assert head._cut(texts["name"], inside, 12) == texts["name"]


def test_reset_view_goes_back_to_the_first_start(qtbot, window, stored):
    shown(window, status(), message(0, np.ones(720)))
    keys = Qt.Key
    for key in (keys.Key_S, keys.Key_R, keys.Key_B, keys.Key_T, keys.Key_L, keys.Key_Comma, keys.Key_V):
        qtbot.keyClick(window, key)
    assert stored.options != ViewOptions()
    assert stored.theme == LIGHT.name
    qtbot.mouseClick(window.page.reset_button, Qt.MouseButton.LeftButton)
    assert stored.options == window.page.view.options == ViewOptions()
    assert stored.theme == DARK.name
    assert window.page.side.isVisible()
    for name in ("Scroll", "Residual", "Band"):
        assert window.commands[name].isChecked() == getattr(ViewOptions(), name.lower())
    assert window.page.controls.speed.value == "25"
    # By its key too.
    qtbot.keyClick(window, keys.Key_S)
    qtbot.keyClick(window, keys.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert stored.options == ViewOptions()


# Help


def test_help_knows_every_key_and_no_other(qtbot, window):
    from PyQt6.QtGui import QAction, QShortcut

    from gui.help import KEYS

    heard = {each.key().toString() for each in window.findChildren(QShortcut)}
    heard |= {key.toString() for action in window.findChildren(QAction) for key in action.shortcuts()}
    told = {key for keys, _ in KEYS for key in keys}
    assert told == heard - {""}


def test_help_opens_by_key_and_by_button_and_the_monitor_goes_on(qtbot, window):
    monitor = shown(window, status(), message(0, np.ones(720)))
    help_ = window.appearance.help
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert help_.isVisible()
    monitor.take([message(720, np.ones(360))])
    window.page.streams.advance()
    assert monitor.buffer.newest == 1080
    qtbot.keyClick(help_, Qt.Key.Key_Escape)
    assert not help_.isVisible()
    qtbot.mouseClick(window.page.help_button, Qt.MouseButton.LeftButton)
    assert help_.isVisible()
    window.close()
    assert not help_.isVisible()
