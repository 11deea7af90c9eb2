"""Every command of the window does something, by key and by button; one without a row here fails."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from control_tools import (
    LEADS,
    LEFT,
    NOTHING,
    begin,
    calipers,
    changes,
    chosen_lead,
    files,
    is_open,
    option,
    play,
    press,
    selected,
    times,
    tried_window,  # noqa: F401 - a fixture
    trigger,
    until,
    with_marks,
)
from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QShortcut
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
    QFileDialog,
    QToolButton,
)

from gui.limits import LimitsDialog


def answer_calibration(window):
    """It asks in a dialog of its own, and waits."""

    def answer():
        dialog = QApplication.activeModalWidget()
        dialog.setDoubleValue(99.0)
        dialog.accept()

    QTimer.singleShot(0, answer)


COMMANDS = {
    "Open file": (is_open(QFileDialog), NOTHING),
    "Pause": (times("pause"), NOTHING),
    "Record": (times("record"), NOTHING),
    "Source": (lambda window: window.start_screen.isVisible(), NOTHING),
    "Snapshot": (files("png"), NOTHING),
    "Print": (files("pdf"), NOTHING),
    "Print minute": (files("pdf"), NOTHING),
    "Next stream": (selected, NOTHING),
    "Stream before": (selected, NOTHING),
    "Stream 1": (selected, NOTHING),
    "Stream 2": (selected, trigger("Next stream")),
    **{f"Stream {n}": (selected, lambda window: play(window, 9)) for n in range(3, 10)},
    "Restart": (times("start"), NOTHING),
    "Freeze": (lambda window: window.page.view.frozen, NOTHING),
    "Scroll": (option("scroll"), NOTHING),
    "Align": (option("align"), NOTHING),
    "Residual": (option("residual"), NOTHING),
    "ST view": (option("st"), NOTHING),
    "Reference": (option("reference"), NOTHING),
    "Band": (option("band"), NOTHING),
    "Beats": (option("marks"), NOTHING),
    "3x4": (option("layout"), NOTHING),
    "Panel": (lambda window: window.page.side.isVisible(), NOTHING),
    "Theme": (lambda window: window._settings.theme, NOTHING),
    "Full": (lambda window: window.isFullScreen(), NOTHING),
    "Calibrate": (lambda window: window.page.view.calibration.px_per_mm, answer_calibration),
    "Wall": (lambda window: window.page.streams.columns, NOTHING),
    "Next panel": (lambda window: window.page.panel.currentIndex(), NOTHING),
    "Trend": (lambda window: window.page.panel.trends.curves.seconds, NOTHING),
    "Limits": (is_open(LimitsDialog), NOTHING),
    "Help": (lambda window: window.appearance.help.isVisible(), NOTHING),
    "Reset view": (option("residual"), trigger("Residual")),
    "Leads": (lambda window: bool(window.lead_menu.menu and window.lead_menu.menu.isVisible()), NOTHING),
    "Next lead": (chosen_lead, NOTHING),
    "Lead before": (chosen_lead, NOTHING),
    "Lead larger": (LEADS, NOTHING),
    "Lead smaller": (LEADS, NOTHING),
    "Lead up": (LEADS, trigger("Next lead", "Next lead")),
    "Lead down": (LEADS, NOTHING),
    "Hide lead": (LEADS, NOTHING),
    "All leads": (LEADS, trigger("Lead larger")),
    "2nd": (lambda window: window.second.window is not None, NOTHING),
    "Mark": (lambda window: window.review._dialog is not None, NOTHING),
    "◀": (until, trigger("Freeze")),
    "▶": (until, trigger("Freeze", "◀")),
    "|◀": (until, trigger("Freeze")),
    "▶|": (until, trigger("Freeze", "◀")),
    "◀ Event": (until, with_marks),
    "Event ▶": (until, with_marks),
    "Calipers": (calipers, trigger("Freeze")),
    "March": (lambda window: calipers(window) and calipers(window).march, trigger("Freeze", "Calipers")),
    **{
        f"Nudge {key}": (calipers, trigger("Freeze", "Calipers"))
        for key in ("Shift+Left", "Shift+Right", "Alt+Left", "Alt+Right")
    },
}
"""Command → what it changes, and what has to be done before."""
WITHOUT_BUTTON = {
    "Open file": "a button of the start screen",
    "Restart": "a button of the line that says why a run is over",
    "Next stream": "a click on a row",
    "Stream before": "a click on a row",
    **{f"Stream {n}": "a click on a row" for n in range(1, 10)},
    "Calibrate": "once a screen",
    "Next panel": "the tabs",
    "Trend": "a list",
    **dict.fromkeys(
        ("Next lead", "Lead before", "Lead larger", "Lead smaller", "Lead up", "Lead down", "Hide lead"),
        "the menu of a lead",
    ),
    "All leads": "the menu of a lead",
    **{f"Nudge {key}": "a drag" for key in ("Shift+Left", "Shift+Right", "Alt+Left", "Alt+Right")},
}
"""Commands whose way by mouse is another control."""
STEPS = {
    "N": (times("set_noise"), NOTHING),
    "W": (times("retune"), NOTHING),
    "K": (times("retune"), NOTHING),
    "[": (times("retune"), NOTHING),
    "]": (times("retune"), NOTHING),
    "V": (option("layout"), NOTHING),
    ",": (option("speed"), NOTHING),
    ".": (option("speed"), NOTHING),
    "-": (option("gain"), lambda window: window.page.controls.change(gain=10.0)),
    "+": (option("gain"), NOTHING),
    "=": (option("gain"), NOTHING),
    "Up": (times("set_noise"), NOTHING),
    "Down": (times("set_noise"), NOTHING),
}
"""Keys that step through lists and along the slider → what they change."""


def test_every_command_has_a_row(window):
    assert set(window.commands._by_name) == set(COMMANDS)
    assert {each.key().toString() for each in window.findChildren(QShortcut)} == set(STEPS)
    shown = {each.defaultAction() for each in window.findChildren(QToolButton)}
    without = {name for name, action in window.commands._by_name.items() if action not in shown}
    assert without == set(WITHOUT_BUTTON)


def test_every_command_by_its_keys(qtbot, window):
    rows = [
        (key.toString(), row) for name, row in COMMANDS.items() for key in window.commands[name].shortcuts()
    ]
    for key, (look, prepare) in [*rows, *STEPS.items()]:
        begin(window)
        prepare(window)
        changes(qtbot, window, key, look, lambda key=key: press(window, key))


def test_every_command_by_its_button(qtbot, window):
    buttons = [each for each in window.findChildren(QToolButton) if each.defaultAction()]
    for name in set(COMMANDS) - set(WITHOUT_BUTTON):
        look, prepare = COMMANDS[name]
        begin(window)
        prepare(window)
        (button,) = (each for each in buttons if each.defaultAction() is window.commands[name])
        qtbot.waitUntil(button.isVisible, timeout=10_000)
        changes(qtbot, window, name, look, lambda button=button: QTest.mouseClick(button, LEFT))
