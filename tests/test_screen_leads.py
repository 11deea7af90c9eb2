"""Gain, order and visibility of single leads: by mouse and by keys, shown, remembered, and taken back."""

import os

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, status
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QContextMenuEvent
from PyQt6.QtWidgets import QApplication, QToolButton
from test_gui_window import like, picture
from test_screen import TWELVE, shown, stored, window  # noqa: F401 - fixtures

from gui.lanes import SHEET
from gui.lead_names import written
from gui.lead_view import LeadView
from gui.settings import Settings
from gui.theme import DARK
from gui.view_options import ViewOptions
from gui.zoom import SMALLEST

KEYS, CTRL, ALT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
LEFT = Qt.MouseButton.LeftButton
LEADS = ("I", "II", "V1")


@pytest.fixture
def three(window):  # noqa: F811
    """A window with three leads, each with a step of 0.3 mV."""
    trace = np.zeros((3, 1440))
    trace[:, 720:] = 0.3
    shown(window, status(), message(0, trace), leads=LEADS, has_reference=False)
    window.page.controls.change(layout="overlay", gain=10.0)
    return window


def names(window):  # noqa: F811
    """Leads from the top."""
    (row,) = window.page.streams.rows
    return [written(row.monitor.info.leads[lane.lead]) for lane in row.view.lanes]


def text(window, number):  # noqa: F811
    (row,) = window.page.streams.rows
    return row.labels.lines(row.view.lanes[number])[0][0]


def pick(window, text):  # noqa: F811
    """Take an entry of the menu that is open, as a click does."""
    menu = window.lead_menu.menu
    (action,) = [each for each in menu.actions() if each.text() == text]
    assert action.isEnabled()
    action.trigger()
    menu.close()


def click_name(qtbot, window, number):  # noqa: F811
    (row,) = window.page.streams.rows
    qtbot.mouseClick(row.labels, LEFT, pos=QPoint(12, row.view.lanes[number].top + 8))
    assert window.lead_menu.menu.isVisible()


def rows_above_zero(window, number):  # noqa: F811
    view = window.page.view
    lane = view.lanes[number]
    x = round(view.x_of(1000))
    rows = np.flatnonzero(like(picture(view)[lane.ceiling : lane.bottom, x], DARK.cleaned, 300))
    return lane.zero - lane.ceiling - rows.mean()


@pytest.mark.parametrize("by", ["keys", "mouse"])
def test_a_lead_has_a_gain_of_its_own(qtbot, three, stored, by):  # noqa: F811
    usual = rows_above_zero(three, 1)
    if by == "keys":
        for _ in range(2):
            qtbot.keyClick(three, KEYS.Key_Z)
        qtbot.keyClick(three, KEYS.Key_Up, CTRL)
    else:
        click_name(qtbot, three, 1)
        pick(three, "Gain ×2")
    assert text(three, 1) == "▸II ×2"
    assert rows_above_zero(three, 1) == pytest.approx(2 * usual, abs=1.5)
    assert rows_above_zero(three, 0) == pytest.approx(usual, abs=0.5), "the others keep theirs"
    assert stored.options.leads.gain("II") == 2
    qtbot.keyClick(three, KEYS.Key_F)
    lane = three.page.view.lanes[1]
    at = QPoint(300, lane.zero - round(three.page.view.calibration.px_per_mv * 0.3 * 2))
    qtbot.mousePress(three.page.view, LEFT, pos=at)
    assert three.page.streams.rows[0].hand.calipers.first_mv == pytest.approx(0.3, abs=0.02)
    qtbot.keyClick(three, KEYS.Key_Down, CTRL)
    assert text(three, 1) == "▸II"


def test_the_smallest_and_the_largest_gain_stay(qtbot, three):
    for _ in range(6):
        qtbot.keyClick(three, KEYS.Key_Down, CTRL)
    assert text(three, 0) == "▸I ×0.25"


@pytest.mark.parametrize("by", ["keys", "mouse"])
def test_leads_are_moved(qtbot, three, stored, by):  # noqa: F811
    if by == "keys":
        qtbot.keyClick(three, KEYS.Key_Z, Qt.KeyboardModifier.ShiftModifier)
        qtbot.keyClick(three, KEYS.Key_Up, ALT)
    else:
        click_name(qtbot, three, 2)
        pick(three, "Move up")
    assert names(three) == ["I", "V1", "II"]
    assert text(three, 1) == "▸V1"
    assert stored.options.leads.order == ("I", "V1", "II")
    if by == "keys":
        for _ in range(3):
            qtbot.keyClick(three, KEYS.Key_Down, ALT)
        assert names(three) == ["I", "II", "V1"], "the last one stays last"


@pytest.mark.parametrize("by", ["keys", "mouse", "right"])
def test_leads_are_hidden_and_come_back(qtbot, three, stored, by):  # noqa: F811
    view = three.page.view
    if by == "keys":
        qtbot.keyClick(three, KEYS.Key_H, CTRL)
    elif by == "mouse":
        click_name(qtbot, three, 0)
        pick(three, "Hide")
    else:
        at = QPoint(100, view.lanes[0].zero)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.mapToGlobal(at))
        QApplication.sendEvent(view, event)
        pick(three, "Hide")
    assert names(three) == ["II", "V1"]
    three.page.refresh_labels(three.run.monitor, three.run.job, three.run.life)
    assert "1 hidden" in three.page.scale.text()
    three.page._show_note("")
    assert three.minimumSizeHint().width() <= SMALLEST[0], "the foot has room for it"
    assert stored.options.leads.hidden == ("I",)
    for _ in range(4):
        qtbot.keyClick(three, KEYS.Key_H, CTRL)
    assert len(names(three)) == 1, "the last lead stays"
    if by == "keys":
        qtbot.keyClick(three, KEYS.Key_H, CTRL | Qt.KeyboardModifier.ShiftModifier)
        assert names(three) == ["I", "II", "V1"]
    else:
        click_name(qtbot, three, 0)
        pick(three, "Show I")
        assert "I" in names(three)
        qtbot.mouseClick(three.page.reset_button, LEFT)
        assert list(dict.fromkeys(names(three))) == ["I", "II", "V1"]
        assert stored.options == ViewOptions()


def test_the_menu_opens_by_key_and_by_its_button(qtbot, three):
    qtbot.keyClick(three, KEYS.Key_I)
    assert three.lead_menu.menu.isVisible()
    three.lead_menu.menu.close()
    (button,) = [
        each
        for each in three.page.findChildren(QToolButton)
        if each.defaultAction() is three.commands["Leads"]
    ]
    qtbot.mouseClick(button, LEFT)
    assert three.lead_menu.menu.isVisible()
    three.lead_menu.menu.close()


def test_a_sheet_keeps_its_places_and_names_what_is_hidden(qtbot, window):  # noqa: F811
    shown(window, status(), message(0, np.zeros((12, 720))), leads=TWELVE)
    window.page.controls.change(layout=SHEET)
    before = names(window)
    qtbot.keyClick(window, KEYS.Key_Down, ALT)
    assert names(window) == before
    qtbot.keyClick(window, KEYS.Key_Up, CTRL)
    assert window.page.view.lanes[0].gain == 2
    qtbot.keyClick(window, KEYS.Key_H, CTRL)
    (blank,) = window.page.view.placed.blanks
    assert (blank.name, blank.why) == ("I", "hidden")


def test_what_was_chosen_is_remembered_and_nonsense_is_not(stored):  # noqa: F811
    leads = LeadView(("V1",), ("a, b",), (("II", 2.0),))
    stored.options = ViewOptions(leads=leads)
    again = Settings(stored._store)
    assert again.options.leads == leads
    for nonsense in ("{", "[]", '{"order": 3}', '{"order": [], "hidden": [], "gains": {"II": 3}}'):
        stored.set("view/leads", nonsense)
        assert stored.options == ViewOptions(), nonsense


def test_streams_without_the_leads_of_a_choice_are_whole():
    view = LeadView(("V1", "II"), ("I", "II"), ())
    assert view.shown(["I", "II", "V1", "V2"]) == [2, 3]
    assert view.shown(["I", "II"]) == [1, 0], "something is always shown"
    assert view.hidden_text(["I", "V9"]) == "1 hidden"
