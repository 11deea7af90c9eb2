"""The panel at the right: state in plain words, trends, engineering; limits and the sound of a loss."""

import os

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, started, status
from job_tools import job_of
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtWidgets import QApplication, QDialogButtonBox, QToolButton
from test_gui_window import like, picture
from test_screen import qrs

from engine.marks import Mark
from engine.run.protocol import Started
from gui.bridge import Life
from gui.limits import Limits, LimitsDialog
from gui.main_window import MainWindow
from gui.monitor import Monitor
from gui.settings import Settings
from gui.side.summary import Summary
from gui.theme import DARK
from gui.trends import EVERY_S, KEPT_S, TrendLog
from gui.vitals import Vitals
from gui.zoom import SMALLEST

KEYS, LEFT = Qt.Key, Qt.MouseButton.LeftButton


@pytest.fixture
def stored(tmp_path):
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


@pytest.fixture
def window(qtbot, stored):
    """A window with 20 s of a stream at 60 bpm; no engine runs."""
    window = MainWindow(None, job_of(), (), stored)
    qtbot.addWidget(window)
    with qtbot.waitActive(window, timeout=20_000):
        window.show()
    window.attach(Started((started(),)))
    (monitor,) = window.run.monitors
    marks = np.zeros((1, 7200), np.uint8)
    marks[0, -900:-180] = Mark.BYPASSED
    monitor.take([status(), message(0, qrs(7200), marks=marks)])
    beats = np.arange(180, 7200, 360)
    monitor.take_vitals(Vitals(monitor.buffer, beats, beats, 58.0, 61.0, 0.0))
    window.page.refresh_labels(monitor, window.run.job, Life.PLAYING)
    window.page.refresh_figures(monitor)
    yield window
    window.close()


# Trends


def test_a_trend_keeps_a_day_and_joins_nothing_over_a_loss():
    log = TrendLog()
    assert log.due(0.0)
    log.take(0.0, {"raw": 60.0, "cleaned": None})
    assert not log.due(EVERY_S - 0.1)
    assert log.due(EVERY_S)
    log.take(4 * EVERY_S, {"raw": 64.0})
    np.testing.assert_array_equal(log.last("raw", 5 * EVERY_S), [60, np.nan, np.nan, np.nan, 64])
    assert np.isnan(log.last("cleaned", 5 * EVERY_S)).all()
    assert log.last("raw", 600.0).size == 600 / EVERY_S
    for row in range(5, 5 + round(KEPT_S / EVERY_S)):
        log.take(row * EVERY_S, {"raw": float(row)})
    day = log.last("raw", KEPT_S)
    assert day.size == 17_280
    np.testing.assert_array_equal(day, np.arange(5, 17_285))
    # A loss of more than a day leaves nothing.
    log.take(3 * KEPT_S, {"raw": 1.0})
    assert np.isfinite(log.last("raw", KEPT_S)).sum() == 1


def test_the_window_takes_the_values_of_the_moment(window):
    (monitor,) = window.run.monitors
    window.run.take_trends()
    window.run.take_trends()
    found = {field: monitor.trends.last(field, 600.0) for field in ("raw", "rr_ms", "snr_out", "bypassed")}
    assert {field: values[-1] for field, values in found.items()} == {
        "raw": 58.0,
        "rr_ms": pytest.approx(1000.0),
        "snr_out": 12.0,
        # 720 of the last 1800 samples.
        "bypassed": pytest.approx(40.0),
    }
    assert all(np.isfinite(values).sum() == 1 for values in found.values())
    # Nothing is taken of a stream that is lost.
    monitor.take([message(7200, qrs(3600)), status(state="LOST", sample_age_s=9.0)])
    window.run.take_trends()
    assert np.isfinite(monitor.trends.last("raw", 600.0)).sum() == 1


def test_trends_are_drawn_over_the_time_that_was_chosen(qtbot, window):
    (monitor,) = window.run.monitors
    panel = window.page.panel
    panel.setCurrentWidget(panel.trends)
    for row in range(300):
        monitor.trends.take(100 + row * EVERY_S, {"raw": 60 + row % 5, "cleaned": 60.0})
    panel.refresh(monitor)
    curves = panel.trends.curves
    assert like(picture(curves), DARK.raw, 60).sum() > 200
    assert curves.seconds == 600
    qtbot.keyClick(window, KEYS.Key_Y)
    assert curves.seconds == 3600
    drawn = like(picture(curves), DARK.raw, 60).any(axis=0)
    # 25 minutes of an hour.
    assert np.flatnonzero(drawn).min() == pytest.approx(12 + (1 - 1500 / 3600) * (curves.width() - 24), abs=3)
    span = panel.trends.span
    span.showPopup()
    names = span.view()
    qtbot.mouseClick(names.viewport(), LEFT, pos=names.visualRect(span.model().index(2, 0)).center())
    assert curves.seconds == 4 * 3600


# Words


def test_the_first_page_speaks_without_engineering(window):
    (monitor,) = window.run.monitors
    panel = window.page.panel
    assert panel.currentWidget() is panel.summary
    texts = Summary.texts(monitor)
    assert texts["shown"] == "not cleaned · II: output unusable" or texts["shown"] == "cleaned"
    assert texts["minute"] == "90 % cleaned"
    assert texts["validated"].startswith("ST segment and P wave")
    said = " ".join([*texts.values(), window.page.header.network.text(), window.page.header.badge.text()])
    for word in ("hop", "hold", "overlap", "p99", "p50", "onnx", "backend"):
        assert word not in said
    assert "onnx" in window.page.header.network.toolTip()
    for word in ("hop", "hold", "overlap-add", "p99"):
        assert word in panel.latency.toolTip()
    for shown in panel.summary._labels.values():
        assert shown.text()
    assert Summary.texts(Monitor(started()))["delay"] == "not known"


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_the_pages_at_the_right(qtbot, window, by):
    panel = window.page.panel
    bar = panel.tabBar()
    for index in (1, 2, 3, 0):
        if by == "key":
            qtbot.keyClick(window, KEYS.Key_G)
        else:
            qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(index).center())
        assert panel.currentIndex() == index
        assert bar.tabRect(index).right() <= panel.width()
    panel.setCurrentWidget(panel.trends)
    qtbot.keyClick(window, KEYS.Key_F)
    assert panel.currentWidget() is panel.events
    qtbot.keyClick(window, KEYS.Key_F)
    assert panel.currentWidget() is panel.trends


# Limits


def test_limits():
    limits = Limits(50, 120)
    assert [limits.beyond(bpm) for bpm in (49.9, 50.0, 120.0, 120.1, None)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert not Limits().beyond(300.0)
    assert "not an alarm" in limits.text
    assert Limits().text == ""


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_limits_colour_the_number_and_are_remembered(qtbot, window, stored, by):
    numerics = window.page.numerics
    assert not like(picture(numerics)[26:78], DARK.bad, 40).any()
    if by == "key":
        qtbot.keyClick(window, KEYS.Key_L, Qt.KeyboardModifier.ControlModifier)
    else:
        action = window.commands["Limits"]
        (button,) = [each for each in window.findChildren(QToolButton) if each.defaultAction() is action]
        qtbot.mouseClick(button, LEFT)
    (dialog,) = window.findChildren(LimitsDialog)
    qtbot.waitUntil(dialog.isVisible)
    dialog.low.selectAll()
    qtbot.keyClicks(dialog.low, "60")
    dialog.high.selectAll()
    qtbot.keyClicks(dialog.high, "120")
    if by == "key":
        qtbot.keyClick(dialog.high, KEYS.Key_Return)
    else:
        buttons = dialog.findChild(QDialogButtonBox)
        qtbot.mouseClick(buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)
    assert numerics.limits == Limits(60, 120) == Limits.of(stored)
    # 58 of raw is beyond; 61 of cleaned is not, but where raw is passed on it has no number.
    half = numerics.width() // 2
    drawn = like(picture(numerics)[26:78], DARK.bad, 40)
    assert drawn[:, :half].any()
    assert not drawn[:, half:].any()
    assert numerics.texts()["limits"] == "limits 60 to 120 · not an alarm"


def test_a_loss_is_heard_where_it_was_asked_for(window, monkeypatch):
    heard = []
    monkeypatch.setattr(QApplication, "beep", lambda: heard.append(1))
    (monitor,) = window.run.monitors
    monitor.take([status(state="LOST", sample_age_s=9.0)])
    window._refresh_labels()
    assert not heard
    window.page.numerics.limits = Limits(sound=True)
    window._refresh_labels()
    window._refresh_labels()
    # One every few seconds.
    assert heard == [1]
    monitor.take([status()])
    window._sound._next_s = 0.0
    window._refresh_labels()
    assert heard == [1]


# The foot


def test_the_warning_is_never_cut(qtbot, window):
    """The longest scale, and a long note, leave the warning whole in the smallest window."""
    window.resize(*SMALLEST)
    page = window.page
    page.scale.setText("12.5 mm/s · 2.5 mm/mV (auto)")
    window.page.say("printed: /a/folder/that/is/deep/and/has/a/long/name/ecg-strip-20260101T120000.pdf " * 3)
    qtbot.waitUntil(lambda: page.scale.width() >= page.scale.sizeHint().width())
    assert page.warning.width() >= page.warning.sizeHint().width()
    assert page.warning.geometry().right() <= page.width()
    assert "not for diagnosis" in page.warning.text()
