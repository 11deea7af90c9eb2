"""Looking back while the run goes on: the frozen page, calipers, events, marks; by mouse and by key."""

import os
import time
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
import wfdb

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import FS, info, message, started, status
from job_tools import job_of
from PyQt6.QtCore import QPoint, QPointF, QSettings, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication, QToolButton
from test_gui_window import like, picture
from test_screen import qrs

from engine.marks import Mark
from engine.messages import Gap
from engine.run.commands import UserMark
from engine.run.protocol import CleanSettings, Setup, Started
from gui.bridge import Life
from gui.events import EventLog
from gui.main_window import MainWindow
from gui.monitor import Monitor
from gui.review.calipers import Calipers
from gui.review.when import when
from gui.settings import Settings
from gui.theme import DARK
from gui.trace_buffer import KEPT_S, TraceBuffer, seconds_for
from gui.zoom import SMALLEST
from streamer.settings import SourceSettings

KEYS, HELD, LEFT = Qt.Key, Qt.KeyboardModifier, Qt.MouseButton.LeftButton
BEAT = 360


@pytest.fixture
def window(qtbot, tmp_path):
    """A window with 60 s of a stream with a beat a second; no engine runs."""
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    window = MainWindow(None, job_of(), (), settings)
    qtbot.addWidget(window)
    window.resize(*SMALLEST)
    with qtbot.waitActive(window, timeout=20_000):
        window.show()
    first = started()
    window.attach(Started((replace(first, info=replace(first.info, origin="record", length_s=600.0)),)))
    (monitor,) = window.run.monitors
    monitor.take([status(), message(0, qrs(60 * 360))])
    monitor.ticks["cleaned"].found += range(180, 60 * 360 - 10, BEAT)
    window.page.streams.advance()
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    yield window
    window.close()


def wheel(view, notches, held=HELD.NoModifier):
    at = QPointF(view.rect().center())
    turn = QPoint(0, 120 * notches)
    event = QWheelEvent(
        at,
        QPointF(view.mapToGlobal(at.toPoint())),
        QPoint(),
        turn,
        Qt.MouseButton.NoButton,
        held,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def button(window, name):
    action = window.commands[name]
    return next(each for each in window.findChildren(QToolButton) if each.defaultAction() is action)


# What is kept


def test_half_an_hour_is_kept_and_memory_has_an_end():
    twelve = info(leads=tuple("abcdefghijkl"))
    assert seconds_for([twelve]) == KEPT_S == 1800
    ward = [twelve] * 16
    kept = seconds_for(ward)
    assert 90 <= kept < 1800
    # 16 beds of twelve leads, with every kind of trace, marks and reasons.
    assert kept * FS * 12 * 16 * 23 == pytest.approx(2**29)
    buffer = TraceBuffer(info())
    buffer.push(message(0, np.zeros(round(1799 * FS))))
    buffer.push(message(round(1799 * FS), np.ones(360)))
    assert buffer.oldest == 0
    np.testing.assert_array_equal(buffer.read("cleaned", 0, 0, 360), 0)
    np.testing.assert_array_equal(buffer.read("cleaned", 0, buffer.newest - 360, buffer.newest), 1)
    buffer.push(message(buffer.newest, np.full(720, 2.0)))
    assert buffer.oldest == 720
    assert np.isnan(buffer.read("raw", 0, 0, 720)).all()


# Where the page stands


def test_the_wheel_freezes_and_moves_while_the_run_goes_on(qtbot, window):
    view, (monitor,) = window.page.view, window.run.monitors
    wheel(view, -1)
    assert not view.frozen
    wheel(view, 1)
    assert view.frozen
    assert window.commands["Freeze"].isChecked()
    assert window.page.review_bar.isVisible()
    assert view.until == pytest.approx(60 * 360 - 0.2 * view.page_samples, abs=2)
    before = picture(view)
    monitor.take([message(60 * 360, np.ones(3600))])
    window.page.streams.advance()
    assert monitor.buffer.newest == 70 * 360
    np.testing.assert_array_equal(picture(view), before)
    wheel(view, -20)
    assert view.until == view.frozen_at == 60 * 360
    qtbot.keyClick(window, KEYS.Key_F)
    assert not view.frozen
    assert view.until == 70 * 360
    assert not window.page.review_bar.isVisible()


def test_the_page_shows_what_was_there(qtbot, window):
    view, (monitor,) = window.page.view, window.run.monitors
    monitor.take([message(60 * 360, np.zeros(60 * 360))])
    qtbot.keyClick(window, KEYS.Key_F)
    rows = slice(view.lanes[1].top, view.lanes[1].bottom)
    assert not like(picture(view)[rows, :, :], DARK.cleaned, 90)[: view.lanes[1].height // 3].any()
    qtbot.keyClick(window, KEYS.Key_Home)
    assert view.until == view.page_samples
    columns = np.flatnonzero(
        like(picture(view)[rows], DARK.cleaned, 90)[: view.lanes[1].height // 3].any(axis=0)
    )
    # A peak every second, where its sample stands.
    peaks = columns[np.diff(columns, prepend=-99) > 5]
    expected = [view.x_of(sample) for sample in range(180, view.page_samples - 5, BEAT)]
    np.testing.assert_allclose(peaks, expected, atol=3)


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_every_way_through_time(qtbot, window, by):
    view, page = window.page.view, None

    def go(key, name, held=HELD.NoModifier):
        if by == "key":
            qtbot.keyClick(window, key, held)
        else:
            qtbot.mouseClick(button(window, name), LEFT)

    go(KEYS.Key_F, "Freeze")
    page = view.page_samples
    go(KEYS.Key_Left, "◀")
    assert view.until == pytest.approx(60 * 360 - 0.2 * page, abs=2)
    go(KEYS.Key_Right, "▶")
    assert view.until == 60 * 360
    go(KEYS.Key_Home, "|◀")
    assert view.until == page
    assert window.page.review_bar.place.text().startswith("00:00 … 00:")
    go(KEYS.Key_End, "▶|")
    assert view.until == 60 * 360
    bar = window.page.review_bar.slider
    assert bar.value() == bar.maximum()
    bar.setValue(0)
    assert view.until == pytest.approx(page, abs=40)
    # The middle of the page stays where it is when the paper is slower, and when it is faster again.
    window.review.jump(30 * 360)
    middle = view.until - view.page_samples / 2
    go(KEYS.Key_Comma, "▶|") if by == "key" else wheel(view, -1, HELD.ControlModifier)
    assert view.calibration.speed == 12.5
    if by == "mouse":
        assert view.until - view.page_samples / 2 == pytest.approx(middle, abs=view.page_samples * 0.02)
        wheel(view, 1, HELD.ShiftModifier)
        assert view.calibration.gain == 1.25


def test_a_page_of_minutes_on_slow_paper(qtbot, window):
    for _ in range(4):
        qtbot.keyClick(window, KEYS.Key_Comma)
    view = window.page.view
    assert view.calibration.speed == 1.25
    assert view.page_samples / FS > 120
    qtbot.keyClick(window, KEYS.Key_F)
    assert like(picture(view), DARK.cleaned, 120).sum() > 100


# Calipers


def test_calipers_say_time_rate_and_voltage():
    assert Calipers(0, 100, 100 + 300, 0.1, 1.1).text(360.0) == "833 ms · 72 bpm · +1.00 mV"
    assert Calipers(0, 400, 100, 1.1, 0.1).text(360.0) == "833 ms · 72 bpm · -1.00 mV"
    assert Calipers(0, 0, 18).text(360.0) == "50 ms · +0.00 mV"
    marched = Calipers(0, 1000, 1300, march=True)
    assert marched.lines(0, 2000) == [100, 400, 700, 1000, 1300, 1600, 1900]
    # Too narrow to be seen: only the two lines.
    assert len(Calipers(0, 1000, 1001, march=True).lines(0, 20_000)) == 2


def test_a_drag_measures(qtbot, window):
    view = window.page.view
    qtbot.keyClick(window, KEYS.Key_F)
    lane = view.lanes[1]
    px_per_s, px_per_mv = view.calibration.px_per_s, view.calibration.px_per_mv
    begin = QPoint(200, lane.zero)
    end = QPoint(200 + round(px_per_s), lane.zero - round(px_per_mv))
    before = picture(view)
    qtbot.mousePress(view, LEFT, pos=begin)
    qtbot.mouseMove(view, end)
    qtbot.mouseRelease(view, LEFT, pos=end)
    held = window.page.streams.current.hand.calipers
    assert held.lane == 1
    assert held.seconds(FS) == pytest.approx(1.0, abs=0.01)
    assert held.second_mv - held.first_mv == pytest.approx(1.0, abs=0.03)
    assert "60 bpm" in held.text(FS)
    assert window.commands["Calipers"].isChecked()
    columns = like(picture(view), DARK.text, 20).mean(axis=0)
    assert columns[200] > 0.5
    assert columns[end.x()] > 0.5
    for each in ("March", "Calipers"):
        qtbot.mouseClick(button(window, each), LEFT)
        marched = window.page.streams.current.hand.calipers
        assert (marched.march if each == "March" else marched is None) is True
    np.testing.assert_array_equal(picture(view), before)


def test_calipers_by_key_stand_on_beats(qtbot, window):
    hand = window.page.streams.current.hand
    qtbot.keyClick(window, KEYS.Key_E)
    assert window.page.view.frozen
    held = hand.calipers
    assert held.text(FS).startswith("1000 ms · 60 bpm")
    assert held.second_mv == pytest.approx(1.0)
    qtbot.keyClick(window, KEYS.Key_Right, HELD.ShiftModifier)
    assert (hand.calipers.first, hand.calipers.second) == (held.first, held.second + 1)
    qtbot.keyClick(window, KEYS.Key_Left, HELD.AltModifier)
    assert (hand.calipers.first, hand.calipers.second) == (held.first - 1, held.second)
    qtbot.keyClick(window, KEYS.Key_H)
    assert hand.calipers.march
    qtbot.keyClick(window, KEYS.Key_E)
    assert hand.calipers is None
    qtbot.keyClick(window, KEYS.Key_E)
    qtbot.keyClick(window, KEYS.Key_F)
    assert hand.calipers is None


# Events


def test_what_happened_is_listed_once_and_in_order():
    log = EventLog(info(leads=("II", "V1")))
    zeros = np.zeros((2, 360))
    marks = np.array([[Mark.BYPASSED] * 360, [Mark.CLEANED] * 360])
    log.take(message(0, zeros))
    for at in (360, 720):
        log.take(message(at, zeros, marks=marks))
    log.take(message(1080, zeros))
    log.take(Gap("test", 1440, 1800))
    log.note_state(1440, "LOST")
    log.note_state(1440, "LOST")
    log.note(100, "mark", "turned")
    assert [(e.sample, e.kind, e.stop) for e in log.found] == [
        (100, "mark", None),
        (360, "bypass", 1080),
        (1440, "gap", 1800),
        (1440, "state", None),
    ]
    assert log.found[2].text == "1.00 s missing"
    assert log.beside(360, 1).sample == 1440
    assert log.beside(360, -1).sample == 100
    assert log.beside(5000, 1) is None


def test_the_list_of_events_jumps(qtbot, window):
    (monitor,) = window.run.monitors
    view, events = window.page.view, window.page.events
    monitor.take([Gap("test", 60 * 360, 61 * 360), message(61 * 360, np.zeros(60 * 360))])
    setup = Setup(CleanSettings("lowdelay", "onnx", 100.0, 40.0), 140.0)
    monitor.take([status(setup=setup)])
    qtbot.keyClick(window, KEYS.Key_F)
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    assert events.isVisible()
    shown = [events.list.topLevelItem(row) for row in range(events.list.topLevelItemCount())]
    assert [item.text(1) for item in shown] == ["settings", "gap"]
    assert shown[1].text(0) == "01:00"
    qtbot.mouseClick(events.list.viewport(), LEFT, pos=events.list.visualItemRect(shown[1]).center())
    assert view.x_of(60 * 360) == pytest.approx(0.3 * view.sweep.width, abs=4)
    qtbot.keyClick(window, KEYS.Key_Right, HELD.ControlModifier)
    assert view.until == view.frozen_at
    qtbot.mouseClick(button(window, "◀ Event"), LEFT)
    assert view.x_of(60 * 360) == pytest.approx(0.3 * view.sweep.width, abs=4)


# Marks


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_a_mark_is_on_the_sample_of_its_moment(qtbot, window, monkeypatch, by):
    (monitor,) = window.run.monitors
    told = []
    monkeypatch.setattr(window.run, "poll", lambda: False)
    engine = SimpleNamespace(life=Life.PLAYING, told="", mark=told.append)
    monkeypatch.setattr(window.run, "bridge", engine)
    monkeypatch.setattr(window.run, "stop", lambda: None)
    qtbot.keyClick(window, KEYS.Key_M) if by == "key" else qtbot.mouseClick(button(window, "Mark"), LEFT)
    # While the person writes the run goes on.
    monitor.take([message(60 * 360, np.zeros(720))])
    dialog = window.review._dialog
    qtbot.waitUntil(dialog.isVisible)
    qtbot.keyClicks(dialog.focusWidget() or dialog, "moved")
    dialog.setTextValue("moved")
    qtbot.keyClick(dialog, KEYS.Key_Return)
    assert told == [UserMark(monitor.info.source_id, 21599, "moved")]
    assert [(event.sample, event.text) for event in monitor.events.marks(0, 30_000)] == [(21599, "moved")]
    window.page.streams.advance()
    view = window.page.view
    column = round(view.x_of(21599))
    assert like(picture(view)[:, column - 1 : column + 2], DARK.text, 20).any(axis=1).mean() > 0.8
    # Frozen, the mark goes where the calipers begin.
    qtbot.keyClick(window, KEYS.Key_E)
    first = window.page.streams.current.hand.calipers.first
    qtbot.keyClick(window, KEYS.Key_M)
    qtbot.keyClick(window.review._dialog, KEYS.Key_Return)
    assert told[-1].sample == int(first)
    assert window.review._dialog is None


# When


def test_times_are_places_in_a_record_and_times_of_day_elsewhere(window):
    (monitor,) = window.run.monitors
    assert when(monitor, 125 * 360) == "02:05"
    looped = replace(monitor.info, start_s=60.0, length_s=120.0)
    monitor.info = looped
    assert when(monitor, 70 * 360) == "01:10"
    live = Monitor(started())
    live.take([message(0, np.zeros(3600))])
    newest = time.time() - live.age_s
    assert when(live, 3600) in {f"{datetime.fromtimestamp(newest + d):%H:%M:%S}" for d in (-0.5, 0, 0.5)}


def test_labels_of_the_axis_stand_under_their_samples(window):
    window.page.axis.refresh(window.page.view, window.run.monitors[0])
    labels = {text: x for x, text in window.page.axis.labels()}
    view = window.page.view
    left = view.mapTo(window, QPoint(0, 0)).x() - window.page.axis.mapTo(window, QPoint(0, 0)).x()
    assert len(labels) >= 4
    for text, x in labels.items():
        minutes, seconds = map(int, text.split(":"))
        assert x == pytest.approx(left + view.x_of((60 * minutes + seconds) * 360), abs=1)


# With an engine


def test_looking_back_marking_and_printing_lose_no_sample(qtbot, tmp_path):
    settings = Settings()
    settings.set("folder", str(tmp_path))
    job = job_of(SourceSettings(noise="em"), save=tmp_path)
    window = MainWindow(job, job, (), settings)
    qtbot.addWidget(window)
    with qtbot.waitActive(window, timeout=60_000):
        window.show()
    qtbot.waitUntil(
        lambda: window.run.monitor is not None and window.run.monitor.buffer.final > 720, timeout=60_000
    )
    buffer, view = window.run.monitor.buffer, window.page.view
    qtbot.keyClick(window, KEYS.Key_M)
    qtbot.waitUntil(lambda: window.review._dialog is not None and window.review._dialog.isVisible())
    window.review._dialog.setTextValue("look")
    qtbot.keyClick(window.review._dialog, KEYS.Key_Return)
    (mark,) = window.run.monitor.events.marks(0, 1_000_000)
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    qtbot.keyClick(window, KEYS.Key_E)
    qtbot.keyClick(window, KEYS.Key_Home)
    at = buffer.newest
    qtbot.keyClick(window, KEYS.Key_P, HELD.ControlModifier)
    assert list(tmp_path.glob("*.pdf"))
    qtbot.waitUntil(lambda: buffer.newest > at + 720, timeout=60_000)
    assert view.frozen
    assert view.until < at + 720
    qtbot.keyClick(window, KEYS.Key_F)
    assert view.until > at + 720
    window.close()
    summary = window.run.outcome.summary
    assert summary.samples_lost == summary.gaps == 0
    record = tmp_path / os.path.basename(summary.streams[0].recording)
    read = wfdb.rdann(str(record), "atr")
    assert (mark.sample, "look") in zip(read.sample, read.aux_note, strict=True)
