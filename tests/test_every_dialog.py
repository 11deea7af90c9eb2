"""Every control of the start screen, of the limits and of the second window, by mouse and by key."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from control_tools import (
    KEYS,
    LEFT,
    NONE,
    asked,
    begin,
    changes,
    controls_in,
    is_open,
    pick,
    press,
    tried_window,  # noqa: F401 - a fixture
)
from PyQt6.QtCore import QPoint
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QFileDialog,
    QToolButton,
)

from gui.limits import LimitsDialog


def test_the_start_screen_by_mouse_and_by_key(qtbot, window):
    start = window.start_screen
    assert start.isVisible()
    qtbot.waitUntil(lambda: start.list.topLevelItemCount() == 3, timeout=10_000)
    seen = set()

    def does(look, *acts):
        for act in acts:
            changes(qtbot, window, "", lambda window: look(), act)

    for choice in (start.noise, start.network, start.lookahead, start.backend):
        box = choice.box
        seen.add(box)
        does(lambda choice=choice: choice.value, lambda box=box: pick(qtbot, box))
        box.setCurrentIndex(0)
        box.setFocus()
        does(lambda choice=choice: choice.value, lambda box=box: QTest.keyClick(box, KEYS.Key_Down))
    start.snr.setFocus()
    does(start.snr.value, lambda: QTest.keyClick(start.snr, KEYS.Key_Up))
    does(start.snr.value, lambda: QTest.keyClick(start.snr, KEYS.Key_Down))
    does(
        start.snr.value,
        lambda: QTest.mouseClick(start.snr, LEFT, NONE, QPoint(start.snr.width() - 6, 6)),
    )
    for field in (start.leads, start.filter):
        QTest.mouseClick(field, LEFT)
        does(field.text, lambda field=field: qtbot.keyClicks(field, "tap fox"))
    assert start.list.topLevelItemCount() == 0
    clear = start.filter.findChild(QToolButton)
    does(start.filter.text, lambda: QTest.mouseClick(clear, LEFT))
    start.list.setFocus()
    chosen = lambda: start.list.currentIndex().row()  # noqa: E731
    does(chosen, lambda: QTest.keyClick(start.list, KEYS.Key_Down))
    top = start.list.visualItemRect(start.list.topLevelItem(0)).center()
    does(chosen, lambda: QTest.mouseClick(start.list.viewport(), LEFT, NONE, top))
    looks = []
    start.look = lambda: looks.append(1)
    does(lambda: len(looks), lambda: press(window, "F5"), lambda: QTest.mouseClick(start.again, LEFT))
    opened = is_open(QFileDialog)
    does(lambda: opened(window), lambda: QTest.mouseClick(start.open, LEFT))
    window.findChild(QFileDialog).reject()
    window.activateWindow()
    start.leads.clear()
    runs = lambda: len(asked("start"))  # noqa: E731
    does(runs, lambda: QTest.mouseClick(start.start, LEFT))
    for widget in (start.list, start.snr, start.network.box, start.leads, start.filter):
        window.choose_source()
        widget.setFocus()
        before = runs()
        does(runs, lambda widget=widget: QTest.keyClick(widget, KEYS.Key_Return))
        assert runs() == before + 1
    window.choose_source()
    does(
        runs,
        lambda: QTest.mouseDClick(start.list.viewport(), LEFT, NONE, top),
    )
    seen |= {start.snr, start.leads, start.filter, start.list, start.again, start.open, start.start}
    assert controls_in(start) == seen


def test_the_limits_by_mouse_and_by_key(qtbot, window):
    begin(window)
    press(window, "Ctrl+L")
    (dialog,) = window.findChildren(LimitsDialog)
    for box in (dialog.low, dialog.high):
        box.setFocus()
        changes(
            qtbot,
            window,
            "",
            lambda window, box=box: box.value(),
            lambda box=box: QTest.keyClick(box, KEYS.Key_Up),
        )
        at = QPoint(box.width() - 6, 6)
        changes(
            qtbot,
            window,
            "",
            lambda window, box=box: box.value(),
            lambda box=box, at=at: QTest.mouseClick(box, LEFT, NONE, at),
        )
    heard = dialog.sound.isChecked
    changes(qtbot, window, "", lambda window: heard(), lambda: QTest.keyClick(dialog.sound, KEYS.Key_Space))
    at = QPoint(10, dialog.sound.height() // 2)
    changes(qtbot, window, "", lambda window: heard(), lambda: QTest.mouseClick(dialog.sound, LEFT, NONE, at))
    QTest.keyClick(dialog, KEYS.Key_Return)
    assert (window.page.numerics.limits.low, window.page.numerics.limits.high) == (2, 2)


def test_the_second_window_by_mouse_and_by_key(qtbot, window):
    looks = {
        "Wall": lambda second: second.streams._wall,
        "Full": lambda second: second.isFullScreen(),
        "Close": lambda second: window.second.window is None,
    }
    for by_mouse in (True, False):
        begin(window)
        window.second.show(True)
        second = window.second.window
        qtbot.waitUntil(second.isActiveWindow, timeout=10_000)
        assert set(second.commands._by_name) == set(looks)
        for name, look in looks.items():
            action = second.commands[name]
            (button,) = (each for each in second.findChildren(QToolButton) if each.defaultAction() is action)
            keys = action.shortcut().toString()

            def act(button=button, keys=keys, second=second, by_mouse=by_mouse):
                QTest.mouseClick(button, LEFT) if by_mouse else press(second, keys)

            changes(qtbot, second, name, look, act)
