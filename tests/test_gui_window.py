"""The window itself, offscreen: pixels, every control, and an end that leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import psutil
import pytest

# Before Qt is loaded; a person who wants to watch sets it otherwise.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from gui_tools import message, preview, started, status
from job_tools import job_of
from PyQt6.QtCore import QSettings, Qt, QTimer
from PyQt6.QtGui import QColor, QImage

from engine.marks import Mark
from engine.messages import Gap
from gui.app import Screen, parse_size, run_window
from gui.bridge import Life
from gui.main_window import MainWindow
from gui.monitor import Monitor
from gui.settings import Settings
from gui.theme import DARK
from gui.traces.lane_labels import LaneLabels
from gui.traces.trace_view import TraceView
from gui.view_options import ViewOptions
from gui.zoom import SMALLEST
from streamer.errors import InputError
from streamer.found import FoundSource, synthetic_patients
from streamer.settings import SourceSettings

PX_PER_MM = 4.0


def make_view(qtbot, monitor, **options):
    view = TraceView(DARK, ViewOptions(**{"gain": 10.0, "layout": "stacked", **options}), PX_PER_MM)
    qtbot.addWidget(view)
    view.resize(803, 450)
    view.show()
    view.show_monitor(monitor)
    return view


def picture(view):
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    data = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return data.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width(), 2::-1].astype(int)


def like(pixels, colour, within=60):
    wanted = QColor(colour)
    distance = np.abs(pixels - [wanted.red(), wanted.green(), wanted.blue()]).sum(axis=-1)
    return distance <= within


def feed(view, monitor, *frames):
    monitor.take(frames)
    return view.advance()


# Pixels


def test_both_traces_stand_where_the_millimetres_say(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    seconds = 3
    raw, cleaned = np.full(seconds * 360, 0.5), np.full(seconds * 360, -0.5)
    feed(view, monitor, message(0, raw, cleaned=cleaned))
    pixels = picture(view)
    top, bottom = view.lanes
    assert (top.main, bottom.main) == ("raw", "cleaned")
    # 25 mm/s at 4 px/mm is 100 px/s; 10 mm/mV is 40 px/mV.
    for lane, colour, offset in ((top, DARK.raw, -20), (bottom, DARK.cleaned, 20)):
        rows, columns = np.nonzero(like(pixels[lane.top : lane.bottom], colour, 120))
        assert set(rows + lane.top) <= set(range(lane.zero + offset - 1, lane.zero + offset + 2))
        assert columns.min() <= 1
        assert columns.max() == pytest.approx(100 * seconds, abs=2)


def test_a_spike_of_one_sample_is_seen_at_the_slowest_sweep(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, speed=6.25, reference=False)
    raw = np.zeros(10 * 360)
    raw[1803] = 1.0
    feed(view, monitor, message(0, raw))
    lane = view.lanes[0]
    column = int(1803 * 25 / 360)
    peak = picture(view)[lane.zero - 39 : lane.zero - 30, column - 1 : column + 2]
    assert like(peak, DARK.raw, 200).any()


def test_the_erase_bar_runs_ahead_of_the_newest_sample_and_wraps(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor)
    page = view.sweep.width
    assert page == 800
    bar = view.bar_columns
    assert bar == 32
    at = 0
    for _ in range(60):
        feed(view, monitor, message(at, np.sin(np.arange(72) / 9)))
        at += 72
    newest = view.sweep.column(at) % page
    pixels = picture(view)
    background = like(pixels, DARK.background, 0).all(axis=0)
    first = np.arange(newest, newest + bar) % page
    assert background[first].all(), "the bar is empty over all lanes"
    assert not background[[(newest - 2) % page, (newest + bar + 1) % page]].any()
    assert background[:page].sum() == bar


def test_painting_piece_by_piece_gives_the_picture_of_painting_at_once(qtbot):
    rng = np.random.default_rng(1)
    trace = np.cumsum(rng.normal(0, 0.05, 3600)) * 0.3
    annotations = [(n, "N") for n in range(100, 3600, 300)]
    once, many = Monitor(started()), Monitor(started())
    first, second = make_view(qtbot, once), make_view(qtbot, many)
    feed(first, once, message(0, trace, spread=np.full(3600, 0.05), annotations=annotations))
    at = 0
    while at < 3600:
        size = int(rng.integers(1, 60))
        part = trace[at : at + size]
        marks = [mark for mark in annotations if at <= mark[0] < at + size]
        feed(second, many, message(at, part, spread=np.full(part.size, 0.05), annotations=marks))
        feed(second, many, preview(at + part.size, trace[at + part.size : at + part.size + 40]))
        at += size
    second.repaint()
    different = (np.abs(picture(first) - picture(second)).sum(axis=-1) > 40).mean()
    assert different < 2e-4, f"{different:.2%} of the pixels"


def test_what_is_inside_the_look_ahead_is_dim_and_becomes_bright(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    feed(view, monitor, message(0, np.zeros(360)), preview(360, np.full(108, 0.5)))
    lane = view.lanes[1]
    ahead = picture(view)[lane.zero - 22 : lane.zero - 18, 104:126]
    assert not like(ahead, DARK.cleaned, 100).any()
    assert (ahead.sum(axis=-1) > 120).any()
    raw = view.lanes[0]
    assert like(picture(view)[raw.zero - 22 : raw.zero - 18, 104:126], DARK.raw, 120).any()
    feed(view, monitor, message(360, np.full(108, 0.5)))
    ahead = picture(view)[lane.zero - 22 : lane.zero - 18, 104:126]
    assert like(ahead, DARK.cleaned, 120).any()


def test_aligned_raw_is_as_late_as_cleaned_and_says_so(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False, align=True)
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    feed(view, monitor, status(), message(0, np.zeros(360)), preview(360, np.full(108, 0.5)))
    raw = view.lanes[0]
    assert not like(picture(view)[raw.zero - 30 : raw.zero - 10, 104:126], DARK.raw, 200).any()
    assert ("raw, 340 ms late", DARK.raw) in labels.lines(raw)


def test_a_gap_is_hatched_and_never_bridged(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    high = np.full(180, 0.5)
    feed(view, monitor, message(0, high), Gap("test", 180, 540), message(540, high))
    for lane, colour in zip(view.lanes, (DARK.raw, DARK.cleaned), strict=True):
        inside = picture(view)[lane.top + 2 : lane.bottom - 2, 54:146]
        assert not like(inside, colour, 60).any()
        share = like(inside, DARK.quiet, 60).mean()
        assert 0.05 < share < 0.6
        row = lane.zero - 20
        assert like(picture(view)[row - 1 : row + 2, 10:40], colour, 120).any()


def test_a_lead_that_is_off_is_a_dashed_line(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    feed(view, monitor, message(0, np.full(720, np.nan), marks=np.full(720, Mark.MISSING)))
    for lane in view.lanes:
        dashes = like(picture(view)[lane.zero, 20:180], DARK.bad, 60)
        assert dashes.mean() == pytest.approx(0.5, abs=0.1)


def test_bypassed_samples_are_underlined(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    feed(view, monitor, message(0, np.zeros(360), marks=np.full(360, Mark.BYPASSED)))
    lane = view.lanes[1]
    assert like(picture(view)[lane.bottom - 3, 2:95], DARK.bad, 30).all()


def test_a_wave_that_is_smaller_than_its_uncertainty_is_dim_and_the_label_says_so(qtbot):
    """The second half of a second, at 0 mV with a spread of 0.1 mV; the band round it is not looked at."""
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False, band=False)
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    spread = np.repeat(np.float32([0.0, 0.1]), 180)
    feed(view, monitor, message(0, np.zeros(360), spread=spread**2))
    lane = view.lanes[1]
    row = picture(view)[lane.zero].sum(axis=-1)
    assert row[55:90].mean() < 0.7 * row[5:45].mean()
    labels.set_unsure(monitor.unsure([0]))
    assert ("dim: wave unsure", DARK.cleaned) in labels.lines(lane)
    assert all("unsure" not in text for text, _ in labels.lines(view.lanes[0]))


def test_the_st_view_has_a_lane_of_its_own(qtbot):
    """A step of 0.2 mV in raw that cleaning took away, and the words beside it."""
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False, st=True)
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    raw = np.where(np.arange(720) < 360, 0.0, 0.2)
    feed(view, monitor, message(0, raw, cleaned=np.zeros(720)))
    assert [lane.kinds for lane in view.lanes] == [("raw",), ("cleaned",), ("st",)]
    lane = view.lanes[2]
    blue = picture(view)[lane.ceiling : lane.bottom, :, 2].argmax(axis=0) + lane.ceiling
    raised = lane.zero - round(0.2 * view.calibration.px_per_mv)
    assert (np.abs(blue[5:80] - lane.zero) <= 1).all()
    assert (np.abs(blue[120:150] - raised) <= 3).all()
    assert ("ST view > 0.05 Hz", DARK.cleaned) in labels.lines(lane)
    assert all("ST view" not in text for text, _ in labels.lines(view.lanes[1]))


def test_scrolling_keeps_the_newest_sample_at_the_right(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, scroll=True, reference=False)
    trace = np.zeros(5000)
    trace[4800:] = 0.5
    feed(view, monitor, message(0, trace))
    width = view.sweep.width
    raw = view.lanes[0]
    pixels = picture(view)
    high = like(pixels[raw.zero - 21 : raw.zero - 18, :width], DARK.raw, 120).any(axis=0)
    columns = np.flatnonzero(high)
    assert columns.max() >= width - 3
    assert columns.min() == pytest.approx(width - 200 * 100 / 360, abs=3)


def test_a_frozen_picture_stays_while_the_run_goes_on(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor)
    feed(view, monitor, message(0, np.zeros(360)))
    view.freeze(True)
    before = picture(view)
    for at in range(360, 3600, 360):
        assert feed(view, monitor, message(at, np.ones(360))).isEmpty()
    np.testing.assert_array_equal(picture(view), before)
    view.resize(803, 451)
    view.resize(803, 450)
    np.testing.assert_array_equal(picture(view), before)
    view.freeze(False)
    assert (picture(view) != before).any()


def test_an_offset_is_taken_off_in_steps_and_named(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, reference=False)
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    feed(view, monitor, message(0, np.full(1080, 12.4), cleaned=np.zeros(1080)))
    view.settle()
    assert view.offsets_mv[0] == 12.5
    assert ("offset +12.5 mV", DARK.quiet) in labels.lines(view.lanes[0])
    lane = view.lanes[0]
    assert like(picture(view)[lane.zero + 3 : lane.zero + 6, 10:290], DARK.raw, 120).any()


def test_the_automatic_gain_holds_the_signal_and_does_not_flap(qtbot):
    monitor = Monitor(started())
    view = make_view(qtbot, monitor, gain=0.0)
    assert view.calibration.gain == 10.0
    feed(view, monitor, message(0, 2.5 * np.sin(np.arange(1800) / 30)))
    view.settle()
    gain = view.calibration.gain
    assert gain < 10.0
    lane = view.lanes[0]
    assert 2.5 * gain * PX_PER_MM < lane.bottom - lane.zero
    view.settle()
    assert view.calibration.gain == gain


def test_labels_fit_their_lanes_and_name_what_is_wrong(qtbot):
    monitor = Monitor(started(leads=("MLII", "V5")))
    view = make_view(qtbot, monitor, layout="overlay")
    labels = LaneLabels(view, DARK)
    qtbot.addWidget(labels)
    labels.show_monitor(monitor)
    monitor.take([status()])
    labels.set_alarms(["", "LEAD OFF"])
    texts = [text for text, _ in labels.lines(view.lanes[1])]
    assert texts[0] == "V5"
    assert labels.alarm(view.lanes[1]) == ("LEAD OFF", DARK.bad)
    assert labels.alarm(view.lanes[0]) is None
    assert {"unet 300 ms", "> 0.5 Hz", "ST not validated", "raw, unfiltered", "reference"} <= set(texts)
    width = labels.fontMetrics()
    assert all(width.horizontalAdvance(text) < 130 for text in texts)


# The window


@pytest.fixture
def stored(tmp_path):
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def window(qtbot, tmp_path, stored):
    stored.set("folder", str(tmp_path / "pictures"))
    # On a busy machine another system would take over, which is not what is tried here.
    job = job_of(noise="em", speed=1.0, ladder=False)
    window = MainWindow(job, job, [lambda: synthetic_patients(job.sources[0])], stored)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    qtbot.waitUntil(
        lambda: window.run.monitor is not None and window.run.monitor.status is not None, timeout=60_000
    )
    yield window
    window.close()


def test_a_run_is_shown_and_its_end_leaves_no_process(qtbot, window):
    qtbot.waitUntil(lambda: window.run.monitor.buffer.final > 720, timeout=30_000)
    pixels = picture(window.page.view)
    for lane, colour in zip(window.page.view.lanes, (DARK.raw, DARK.cleaned, DARK.reference), strict=True):
        assert like(pixels[lane.top : lane.bottom], colour, 120).sum() > 100
    page = window.page
    qtbot.waitUntil(lambda: page.header.state.text().startswith("DEMO"), timeout=10_000)
    assert "ms" in page.header.badge.text()
    assert page.header.gaps.text() == "no gaps"
    assert page.latency.parts_ms()["hold"] > 80
    pid = window.run.bridge.pid
    assert psutil.pid_exists(pid)
    window.close()
    qtbot.waitUntil(lambda: not psutil.pid_exists(pid), timeout=10_000)
    assert window.run.outcome.summary.samples_lost == 0


def test_every_live_control_reaches_the_engine(qtbot, window, tmp_path):
    controls, keys = window.page.controls, Qt.Key

    def setup():
        return window.run.monitor.status.setup

    qtbot.keyClick(window, keys.Key_BracketLeft)
    qtbot.waitUntil(lambda: setup().clean.lookahead_ms == pytest.approx(50, abs=2), timeout=20_000)
    qtbot.keyClick(window, keys.Key_BracketRight)
    qtbot.waitUntil(lambda: setup().clean.lookahead_ms == pytest.approx(100, abs=2), timeout=20_000)
    # A backend that is there but not the one that runs.
    controls.backend.show_value("torch")
    controls.backend.chosen.emit("torch")
    qtbot.waitUntil(lambda: setup().clean.backend == "torch", timeout=60_000)
    for _ in range(3):
        qtbot.keyClick(window, keys.Key_Up)
    qtbot.keyClick(window, keys.Key_N)
    assert controls.noise.value == "ma"
    assert controls.snr.value() == 3
    qtbot.wait(400)
    qtbot.keyClick(window, keys.Key_R, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.run.monitor.status.recording is not None, timeout=20_000)
    qtbot.waitUntil(lambda: window.page.header.recording.text() == "● REC", timeout=5_000)
    qtbot.keyClick(window, keys.Key_R, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.run.monitor.status.recording is None, timeout=20_000)
    qtbot.keyClick(window, keys.Key_Space)
    assert window.page.header.state.text() == "PAUSED"

    def stands():
        before = window.run.monitor.buffer.newest
        qtbot.wait(1000)
        return window.run.monitor.buffer.newest == before

    # What was read before the pause is still cleaned and shown: on a busy machine for a while.
    qtbot.waitUntil(stands, timeout=20_000)
    at = window.run.monitor.buffer.newest
    qtbot.keyClick(window, keys.Key_Space)
    qtbot.waitUntil(lambda: window.run.monitor.buffer.newest > at + 360, timeout=20_000)
    assert not window.run.monitor.buffer.gaps
    window.close()
    summary = window.run.outcome.summary
    assert summary.samples_lost == summary.gaps == 0
    assert summary.backend == "torch"
    assert summary.streams[0].noise == {"ma": 1.0}
    assert summary.streams[0].noise_snr_db == 3.0
    assert list((tmp_path / "pictures").glob("*.hea"))


def test_a_refused_setting_goes_back_to_what_is_in_force(qtbot, window):
    controls = window.page.controls
    controls.lookahead.show_value("5000")
    controls.lookahead.chosen.emit("5000")
    qtbot.waitUntil(lambda: "not possible" in window.page.note.text(), timeout=20_000)
    assert controls.lookahead.value == "100"
    assert window.run.bridge.life is Life.PLAYING


def test_every_control_of_the_view(qtbot, window, stored, tmp_path):
    view, keys = window.page.view, Qt.Key
    for key, field in (
        (keys.Key_S, "scroll"),
        (keys.Key_A, "align"),
        (keys.Key_R, "residual"),
        (keys.Key_C, "reference"),
        (keys.Key_B, "band"),
        (keys.Key_Q, "marks"),
    ):
        before = getattr(view.options, field)
        qtbot.keyClick(window, key)
        assert getattr(view.options, field) is not before, field
        assert getattr(stored.options, field) is not before, field
    for key, attribute, expected in (
        (keys.Key_Period, "speed", 50.0),
        (keys.Key_Comma, "speed", 25.0),
        (keys.Key_Plus, "gain", 1.25),
        (keys.Key_Minus, "gain", 0.0),
        (keys.Key_V, "layout", "stacked"),
    ):
        qtbot.keyClick(window, key)
        assert getattr(view.options, attribute) == expected, attribute
    qtbot.keyClick(window, keys.Key_F)
    assert view.frozen
    assert window.page.header.state.text() == "FROZEN"
    qtbot.keyClick(window, keys.Key_F)
    assert not view.frozen
    qtbot.keyClick(window, keys.Key_L)
    assert not window.page.side.isVisible()
    qtbot.keyClick(window, keys.Key_T)
    assert stored.theme == "light"
    # Lower lanes or the other theme: the paper follows.
    assert picture(view)[:, : view.sweep.width].mean() > 200
    qtbot.keyClick(window, keys.Key_P)
    (shot,) = (tmp_path / "pictures").glob("*.png")
    assert QImage(str(shot)).width() == window.width()
    qtbot.keyClick(window, keys.Key_F11)
    assert window.isFullScreen()
    qtbot.keyClick(window, keys.Key_F11)
    assert not window.isFullScreen()


def test_an_engine_that_dies_is_shown_with_its_reason_and_restarts(qtbot, window):
    before = window.run.bridge.pid
    psutil.Process(before).kill()
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=20_000)
    assert window.page.header.state.text() == "ENGINE STOPPED"
    assert "exit code -9" in window.page.reason.text()
    qtbot.mouseClick(window.page.restart_button, Qt.MouseButton.LeftButton)
    assert not window.page.banner.isVisible()
    qtbot.waitUntil(
        lambda: window.run.monitor is not None and window.run.monitor.buffer.final > 100, timeout=60_000
    )
    assert window.run.bridge.pid != before
    # Beats of the run before belong to other samples.
    qtbot.waitUntil(lambda: window.run.monitor.vitals is not None, timeout=30_000)
    assert window.run.monitor.vitals.buffer is window.run.monitor.buffer


def test_a_source_that_ends_says_so_and_keeps_its_outcome(qtbot, stored):
    job = job_of(noise="em", seconds=2.0, speed=0.0)
    window = MainWindow(job, job, (), stored)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.run.outcome is not None, timeout=60_000)
    assert window.page.header.state.text() == "ENDED"
    assert window.page.banner.isVisible()
    window.close()


def test_a_clinician_starts_without_the_command_line(qtbot, stored):
    base = job_of(noise="em", speed=1.0)
    window = MainWindow(None, base, [lambda: synthetic_patients(base.sources[0])], stored)
    qtbot.addWidget(window)
    window.show()
    start = window.start_screen
    assert start.isVisible()
    qtbot.waitUntil(lambda: start.list.topLevelItemCount() == 3, timeout=10_000)
    qtbot.keyClicks(start.filter, "fibrillation")
    assert start.list.topLevelItemCount() == 1
    start.snr.setValue(6)
    qtbot.keyClick(start.filter, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: window.run.monitor is not None and window.run.monitor.buffer.final > 0, timeout=60_000
    )
    assert window.run.job.sources[0].rhythm == "afib"
    assert window.run.job.sources[0].noise == "em"
    assert window.run.job.sources[0].snr == 6.0
    pid = window.run.bridge.pid
    qtbot.keyClick(window, Qt.Key.Key_O)
    assert start.isVisible()
    assert not psutil.pid_exists(pid)
    window.close()


def test_a_source_that_cannot_be_opened_returns_to_the_start_screen(qtbot, stored, tmp_path):
    base = job_of()
    missing = FoundSource("Records", "x/1", "", SourceSettings(kind="replay", record="1", data_dir=tmp_path))
    window = MainWindow(None, base, [lambda: [missing]], stored)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.start_screen.list.topLevelItemCount() == 1, timeout=10_000)
    window.start_screen.choose()
    qtbot.waitUntil(lambda: window.start_screen.error.text() != "", timeout=60_000)
    assert "no record '1'" in window.start_screen.error.text()
    window.close()


def test_what_was_chosen_is_remembered_and_nonsense_is_not(tmp_path):
    path = str(tmp_path / "settings.ini")
    first = Settings(QSettings(path, QSettings.Format.IniFormat))
    options = ViewOptions(speed=12.5, gain=5.0, scroll=True, layout="overlay", band=False)
    first.options, first.theme = options, "light"
    first._store.sync()
    second = Settings(QSettings(path, QSettings.Format.IniFormat))
    assert (second.options, second.theme) == (options, "light")
    second.set("view/speed", "fast")
    second.set("view/gain", "7")
    second.set("theme", "pink")
    assert second.options == ViewOptions()
    assert second.theme == "dark"


def test_nothing_asks_for_more_room_than_the_smallest_screen(qtbot, window):
    assert window.minimumSizeHint().width() <= SMALLEST[0]
    assert window.minimumSizeHint().height() <= SMALLEST[1]
    header = window.page.header
    for label in (header.network, header.badge, header.rate, header.gaps, header.recording):
        assert label.sizeHint().width() <= label.width()
    for control in window.page.controls.findChildren(type(window.page.restart_button).__mro__[1]):
        assert control.sizeHint().width() <= control.width() or not control.isVisible()


# The command


def test_the_screenshot_command_saves_a_picture_and_leaves_nothing(tmp_path):
    shot = tmp_path / "shot.png"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "QT_QPA_PLATFORM")}
    begun = time.monotonic()
    options = ["--screenshot", str(shot), "--seconds", "2", "--size", "1280x720", "--theme", "light"]
    done = subprocess.run(
        [sys.executable, "-m", "ecg_stream", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun > 2
    image = QImage(str(shot))
    assert (image.width(), image.height()) == (1280, 720)
    assert image.pixelColor(700, 60).lightness() > 180
    assert "0 lost" in done.stdout


@pytest.fixture
def running(tmp_path):
    """A window in a process of its own, and its engine."""
    summary = tmp_path / "run.json"
    options = ["--screenshot", str(tmp_path / "x.png"), "--seconds", "4", "--json", str(summary)]
    options += ["--save", str(tmp_path / "recording")]
    command = [sys.executable, "-m", "ecg_stream", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 60
    engines = []
    while not engines and time.monotonic() < ends:
        children = psutil.Process(process.pid).children()
        engines = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        time.sleep(0.05)
    yield process, engines[0], summary
    process.kill()
    process.wait()


def test_a_window_that_is_killed_takes_its_engine_along(running):
    process, engine, _ = running
    time.sleep(2)
    assert engine.is_running()
    process.kill()
    process.wait()
    psutil.wait_procs([engine], timeout=60)
    assert not engine.is_running()


def test_the_engine_does_not_notice_a_window_that_hangs(running, tmp_path):
    process, _, summary = running

    def recorded():
        """Bytes that the engine has written, of which it writes as it goes."""
        return sum(path.stat().st_size for path in (tmp_path / "recording").glob("*.dat"))

    def wait_for(count):
        ends = time.monotonic() + 60
        while recorded() < count:
            assert time.monotonic() < ends, f"{recorded()} of {count} bytes"
            time.sleep(0.02)

    wait_for(1)
    os.kill(process.pid, signal.SIGSTOP)
    hung = time.monotonic()
    # It goes on while the window hangs: three signals of two bytes at 360 Hz, for four seconds.
    wait_for(recorded() + 4 * 360 * 3 * 2)
    hung = time.monotonic() - hung
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(60) == 0
    figures = json.loads(summary.read_text())
    assert figures["samples_lost"] == 0
    # And no sample waits for the window.
    assert figures["streams"][0]["delay_ms"]["max"] < 1000 * hung - 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--screenshot", "/nowhere/x.png"], "cannot write"),
        (["--screenshot", "x.png", "--size", "big"], "size 'big' is no size such as 1280x720"),
        (["--screenshot", "x.png", "--theme", "pink"], "theme 'pink' is unknown; allowed: dark, light"),
        (["--screenshot", "x.png", "--range", "-1"], "range must be a positive number of mV"),
        (["--screenshot", "x.png", "--record", "nosuch", "--data-dir", "."], "no record 'nosuch'"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, options, message):
    done = subprocess.run(
        [sys.executable, "-m", "ecg_stream", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_inside_the_event_loop_ends_the_window_and_is_raised(qtbot, monkeypatch):
    windows = []

    def broken(self):
        windows.append(self)
        raise RuntimeError("a slot broke")

    monkeypatch.setattr(MainWindow, "_refresh_labels", broken)
    base = job_of()
    state = sys.excepthook, sys.getswitchinterval(), signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="a slot broke"):
        run_window(None, base, (), Screen(), Settings())
    assert (sys.excepthook, sys.getswitchinterval(), signal.getsignal(signal.SIGINT)) == state
    # Its timers would fail whatever runs next in this process, for as long as the window is held.
    calls = len(windows)
    assert not windows[0].isVisible()
    qtbot.wait(600)
    assert len(windows) == calls


def press(kind):
    if kind == "Ctrl-C":
        signal.raise_signal(signal.SIGINT)
    else:
        sys.excepthook(ValueError, ValueError("painting broke"), None)


@pytest.mark.parametrize("kind", ["Ctrl-C", "an error"])
@pytest.mark.parametrize("when", ["before the loop", "in the loop", "in a dialog"])
def test_what_ends_the_window_ends_it_at_any_time(qapp, monkeypatch, kind, when):
    show, hung, patience = MainWindow.show, [], QTimer()

    def and_press(window):
        show(window)
        if when == "before the loop":
            press(kind)
        else:
            QTimer.singleShot(100, lambda: press(kind))
        if when == "in a dialog":
            QTimer.singleShot(10, window.appearance.measure_screen)

    monkeypatch.setattr(MainWindow, "show", and_press)
    patience.timeout.connect(lambda: (hung.append(True), qapp.exit(1)))
    patience.start(20_000)
    raised = pytest.raises(ValueError, match="broke") if kind == "an error" else nullcontext()
    with raised:
        assert run_window(None, job_of(), (), Screen(), Settings()) is None
    patience.stop()
    assert not hung


def test_sizes():
    assert parse_size("1920x1080") == (1920, 1080)
    for text in ("1920", "axb", "1280x-720"):
        with pytest.raises(InputError, match="is no size such as"):
            parse_size(text)
    # A smaller one would be taken and not kept.
    for text in ("10x10", "800x480", "1279x720"):
        with pytest.raises(InputError, match="is too small for the window; 1280x720 is the smallest"):
            parse_size(text)
