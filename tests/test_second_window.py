"""A second window of the same run: it draws what the first one takes, and ends nothing."""

import os
from dataclasses import replace

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, started, status
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QToolButton
from test_gui_window import like, picture
from test_screen import stored, window  # noqa: F401 - fixtures

from engine.run.protocol import Started
from gui.theme import DARK
from gui.trace_buffer import TraceBuffer

KEYS, CTRL, LEFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.MouseButton.LeftButton


def start(window, count):  # noqa: F811
    """Streams on the screen, without an engine."""
    first = started()
    streams = [
        replace(first, info=replace(first.info, source_id=f"s{n}", name=f"bed {n}")) for n in range(count)
    ]
    window.attach(Started(tuple(streams)))
    feed(window, 0)


def feed(window, at):  # noqa: F811
    """Two seconds of every stream, drawn as the timers would."""
    for monitor in window.run.monitors:
        monitor.take([status(), message(at, np.sin(np.arange(720) / 9))])
    window.page.streams.advance()
    window.second.advance()
    window.second.refresh()


def cleaned_columns(row):
    """Columns in which a row shows cleaned."""
    return like(picture(row.view), DARK.cleaned, 90).any(axis=0).sum()


def press(qtbot, window, key, held=Qt.KeyboardModifier.NoModifier):  # noqa: F811
    """A key in a window, which must be the active one."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=5_000)
    qtbot.keyClick(window, key, held)


def is_closed(window):  # noqa: F811
    return window.second.window is None


def of_command(parent, action):
    (button,) = [each for each in parent.findChildren(QToolButton) if each.defaultAction() is action]
    return button


@pytest.mark.parametrize("by", ["key", "button"])
def test_it_shows_the_same_run_and_closing_it_ends_nothing(qtbot, window, stored, by):  # noqa: F811
    start(window, 4)
    if by == "key":
        press(qtbot, window, KEYS.Key_N, CTRL)
    else:
        qtbot.mouseClick(of_command(window.page, window.commands["2nd"]), LEFT)
    second = window.second.window
    assert second.isVisible()
    assert window.commands["2nd"].isChecked()
    monitors = [row.monitor for row in second.streams.rows]
    assert monitors == list(window.run.monitors), "the same samples, and no second engine"
    assert second.streams.columns > 1, "a wall"
    before = [cleaned_columns(row) for row in second.streams.rows]
    assert min(before) > 100
    feed(window, 720)
    for shown in (second.streams.rows, window.page.streams.rows):
        assert all(cleaned_columns(row) > 1.5 * count for row, count in zip(shown, before, strict=True))

    qtbot.mouseClick(second.streams.rows[2], LEFT)
    assert window.run.monitor is window.run.monitors[2], "a click selects, here and there"
    if by == "key":
        press(qtbot, second, KEYS.Key_W, CTRL)
    else:
        qtbot.mouseClick(of_command(second, second.commands["Close"]), LEFT)
    assert is_closed(window)
    assert window.isVisible()
    assert not window.commands["2nd"].isChecked()
    feed(window, 1440)
    assert window.run.monitors[0].buffer.newest == 2160
    press(qtbot, window, KEYS.Key_N, CTRL)
    again = window.second.window
    assert again.isVisible()
    press(qtbot, window, KEYS.Key_N, CTRL)
    assert is_closed(window)
    press(qtbot, window, KEYS.Key_N, CTRL)
    window.close()
    assert is_closed(window), "it does not outlive the run"


def test_one_bed_here_and_the_wall_there(qtbot, window, stored):  # noqa: F811
    start(window, 3)
    press(qtbot, window, KEYS.Key_N, CTRL)
    second = window.second.window
    press(qtbot, second, KEYS.Key_X)
    assert [row.isVisible() for row in second.streams.rows] == [True, False, False]
    window.select(1)
    window.second.refresh()
    assert [row.isVisible() for row in second.streams.rows] == [False, True, False]
    qtbot.waitUntil(lambda: second.streams.rows[1].height() > 500, timeout=5_000)
    feed(window, 720)
    assert cleaned_columns(second.streams.rows[1]) > 100
    press(qtbot, window, KEYS.Key_T)
    window.page.controls.change(speed=50.0)
    window.second.refresh()
    assert second.streams.options.speed == 50.0
    assert picture(second.streams.rows[1].view).mean() > 200, "light, as the first one"
    second.close()
    press(qtbot, window, KEYS.Key_N, CTRL)
    assert not window.second.window.commands["Wall"].isChecked(), "it is remembered"
    qtbot.mouseClick(of_command(window.second.window, window.second.window.commands["Wall"]), LEFT)
    assert all(row.isVisible() for row in window.second.window.streams.rows)


def test_it_follows_the_run_that_is_shown(qtbot, window):  # noqa: F811
    press(qtbot, window, KEYS.Key_N, CTRL)
    second = window.second.window
    assert second.empty.isVisible()
    start(window, 2)
    assert len(second.streams.rows) == 2
    start(window, 1)
    assert [row.monitor for row in second.streams.rows] == list(window.run.monitors)


def test_the_delay_is_measured_at_the_first_window_alone(qtbot, window, monkeypatch):  # noqa: F811
    start(window, 1)
    press(qtbot, window, KEYS.Key_N, CTRL)
    second = window.second.window
    picture(second.streams.rows[0].view)
    drawn = []
    monkeypatch.setattr(window.run.monitor.painting, "drawn", lambda *, seen: drawn.append(seen))
    picture(second.streams.rows[0].view)
    assert drawn == []
    picture(window.page.view)
    assert drawn == [True]


def test_every_reader_is_told_what_has_changed_since_it_asked():
    class Reader:
        pass

    buffer, beside = TraceBuffer(started().info), Reader()
    assert buffer.take_changed(beside) is None
    buffer.push(message(0, np.zeros(100)))
    assert buffer.take_changed() == 0
    buffer.push(message(100, np.zeros(100)))
    assert buffer.take_changed(beside) == 0
    assert buffer.take_changed(beside) is None
    assert buffer.take_changed() == 100
