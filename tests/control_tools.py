"""A window whose every control can be tried; what it asks of an engine is remembered, and none runs."""

import os
from dataclasses import replace

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, started, status
from job_tools import job_of
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QHeaderView,
    QLineEdit,
    QTabBar,
)
from test_screen import qrs

from engine.run.protocol import Started
from gui.bridge import Life
from gui.main_window import MainWindow
from gui.settings import Settings
from gui.view_options import ViewOptions
from gui.zoom import SMALLEST
from streamer.found import synthetic_patients

LEFT, KEYS, NONE = Qt.MouseButton.LeftButton, Qt.Key, Qt.KeyboardModifier.NoModifier
BEDS = 2
ASKED: list[tuple[str, object]] = []
"""What the window asked its engine for."""


class Engine:
    """Stands where the bridge to an engine stands, and remembers what it is asked for."""

    life, told, outcome, started = Life.PLAYING, "", None, None

    def __init__(self, job):
        ASKED.append(("start", job))

    def poll(self):
        return []

    def close(self):
        ASKED.append(("close", None))

    def __getattr__(self, name):
        return lambda wanted: ASKED.append((name, wanted))


@pytest.fixture(name="window")
def tried_window(qtbot, tmp_path, monkeypatch):
    """No engine runs, and what is asked of it is remembered."""
    monkeypatch.setattr("gui.shown_run.Bridge", Engine)
    ASKED.clear()
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.set("folder", str(tmp_path / "pictures"))
    base = job_of()
    window = MainWindow(None, base, [lambda: synthetic_patients(base.sources[0])], settings)
    qtbot.addWidget(window)
    window.resize(*SMALLEST)
    with qtbot.waitActive(window, timeout=20_000):
        window.show()
    yield window
    window.close()


def asked(kind):
    return [wanted for name, wanted in ASKED if name == kind]


def play(window, beds=BEDS):
    """Have beds of two leads play; what they sent is the same."""
    window.play(window.run.job)
    first = started(leads=("II", "V5"))
    names = [{"source_id": f"bed/{number}", "name": f"bed {number}"} for number in range(beds)]
    window.attach(Started(tuple(replace(first, info=replace(first.info, **name)) for name in names)))
    beats = np.tile(qrs(20 * 360), (2, 1))
    for monitor in window.run.monitors:
        monitor.take([status(), replace(message(0, beats), stream=monitor.info.source_id)])


def begin(window):
    """The second of two beds is chosen and looks as it came; nothing else is open."""
    for dialog in window.findChildren(QDialog):
        dialog.reject()
    if window.lead_menu.menu:
        window.lead_menu.menu.close()
    if window.isFullScreen():
        window.commands["Full"].trigger()
        window.resize(*SMALLEST)
    window.second.show(False)
    if len(window.run.monitors) != BEDS or not window.page.isVisible():
        play(window)
    window.select(1)
    window.appearance.freeze(False)
    window.commands["Wall"].setChecked(False)
    window.commands["Panel"].setChecked(True)
    window.appearance.set_options(ViewOptions())
    window.page.streams.choose_lead("")
    window.page.panel.setCurrentIndex(0)
    window.page.banner.hide()
    window.page.note.setText("")
    window.page._buttons.show()
    for row in window.page.streams.rows:
        row.hand.put(None)
    for file in window._settings.folder.glob("*"):
        file.unlink()
    window.page.streams.advance()
    # Only an active window hears keys, and a dialog was the active one.
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 10_000)


def trigger(*names):
    return lambda window: [window.commands[name].trigger() for name in names]


def with_marks(window):
    trigger("Freeze")(window)
    for sample in (1500, 4500):
        window.run.monitor.mark(sample, "")
    window.review.jump(3000)


def option(name):
    return lambda window: getattr(window.page.view.options, name)


def selected(window):
    return window.run.neighbour(0)


def until(window):
    return window.page.view.until


def calipers(window):
    return window.review._hand.calipers


def chosen_lead(window):
    return window.page.streams.chosen_lead


def files(ending):
    return lambda window: len(list(window._settings.folder.glob(f"*.{ending}")))


def is_open(kind):
    return lambda window: any(each.isVisible() for each in window.findChildren(kind))


def times(kind):
    return lambda window: len(asked(kind))


def controls_in(parent):
    """Whatever a person can use, but for the parts that Qt puts into them."""
    kinds = (
        QAbstractButton,
        QAbstractItemView,
        QAbstractSlider,
        QAbstractSpinBox,
        QComboBox,
        QLineEdit,
        QTabBar,
    )
    inside = (QComboBox, QAbstractSpinBox, QLineEdit, QAbstractItemView, QTabBar)

    def is_part(widget):
        above = widget.parentWidget()
        while above is not None and above is not parent:
            if isinstance(above, inside):
                return True
            above = above.parentWidget()
        return isinstance(widget, QHeaderView)

    return {each for kind in kinds for each in parent.findChildren(kind) if not is_part(each)}


def press(window, keys):
    held = QKeySequence(keys)[0]
    QTest.keyClick(window, held.key(), held.keyboardModifiers())


def changes(qtbot, window, name, look, act):
    before = look(window)
    act()

    def changed():
        assert look(window) != before, f"{name} does nothing"

    qtbot.waitUntil(changed, timeout=10_000)


def pick(qtbot, box):
    """Open a list, and click on another entry."""
    QTest.mouseClick(box, LEFT)
    view, model = box.view(), box.model()
    qtbot.waitUntil(view.isVisible, timeout=10_000)
    other = next(
        row for row in range(box.count()) if row != box.currentIndex() and model.item(row).isEnabled()
    )
    at = view.visualRect(model.index(other, 0)).center()
    QTest.mouseMove(view.viewport(), at)
    # A click so soon after the first one would be its double.
    QTest.mouseClick(view.viewport(), LEFT, NONE, at, QApplication.doubleClickInterval() + 50)


LEADS, NOTHING = option("leads"), trigger()
