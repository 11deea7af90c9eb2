"""Twelve leads as they are printed: 3x4 cells of 2.5 s and more over a rhythm strip, on one time axis."""

import os

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui_tools import message, started, status
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QToolButton
from test_gui_window import feed, like, make_view, picture
from test_screen import TWELVE, shown, stored, window  # noqa: F401 - fixtures

from gui.app import Screen
from gui.lanes import SHEET
from gui.monitor import Monitor
from gui.sheet import COLUMNS, arrange_sheet, sheet_columns
from gui.theme import DARK
from gui.view_options import ViewOptions
from streamer.errors import InputError

FS = 360


def sheet_view(qtbot, leads=TWELVE, **options):
    monitor = Monitor(started(leads=leads))
    view = make_view(qtbot, monitor, layout=SHEET, reference=False, **options)
    view.resize(1003, 600)
    return view, monitor


def test_cells_stand_as_on_paper():
    names = {name: number for number, name in enumerate(name for column in COLUMNS for name in column)}
    lanes, blanks = arrange_sheet(names, (1000, 800), reference=False, residual=False)
    assert blanks == []
    assert [lane.lead for lane in lanes] == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 1]
    assert [(lane.left, lane.right) for lane in lanes[:4]] == [(0, 250), (250, 500), (500, 750), (750, 1000)]
    assert [(lane.top, lane.bottom) for lane in lanes[::4]] == [(0, 200), (200, 400), (400, 600), (600, 800)]
    assert (lanes[-1].left, lanes[-1].right) == (0, 1000)
    assert all(lane.kinds == ("raw", "cleaned") for lane in lanes), "raw is told apart from cleaned"
    residual, _ = arrange_sheet(names, (1000, 700), reference=True, residual=True)
    assert [lane.kinds for lane in residual[::4]] == [
        *[("reference", "raw", "cleaned"), ("residual",)] * 3,
        ("reference", "raw", "cleaned"),
    ]
    assert sheet_columns(1000, 100.0) == 1000
    assert sheet_columns(999, 100.0) == 0
    assert sheet_columns(1703, 100.0) == 1700, "no third of a wide screen stays empty"


def test_a_moment_is_in_one_column_and_at_the_same_place_of_the_rhythm_strip(qtbot):
    view, monitor = sheet_view(qtbot)
    assert view.sweep.width == 1000, "ten seconds at 25 mm/s and 4 px/mm"
    cleaned = np.zeros((12, 10 * FS - 20))
    cleaned[:, 3 * FS : 3 * FS + 4] = 1.0
    feed(view, monitor, message(0, np.full_like(cleaned, -0.7), cleaned=cleaned))
    pixels = picture(view)
    for lane in view.lanes:
        rows = pixels[lane.zero - 34 : lane.zero - 6, lane.left + 2 : min(lane.right, 1000)]
        high = np.flatnonzero(like(rows, DARK.cleaned, 90).any(axis=0)) + lane.left + 2
        expected = lane.left <= 300 < lane.right
        assert bool(high.size) is expected
        if expected:
            assert abs(high.mean() - 300.5) < 2
        raw = like(pixels[lane.zero + 26 : lane.zero + 31, lane.left + 2 : lane.right], DARK.raw, 200)
        assert raw.any(axis=0).mean() > 0.8, "raw is drawn in its colour"


def test_painting_piece_by_piece_sweeps_and_gives_the_picture_of_painting_at_once(qtbot):
    trace = np.cumsum(np.random.default_rng(3).normal(0, 0.02, (12, 13 * FS)), axis=1)
    (first, parts), (second, whole) = sheet_view(qtbot), sheet_view(qtbot, scroll=True)
    assert first.bar_columns == second.bar_columns > 0, "cells do not scroll"
    for start in range(0, 13 * FS, 45):
        region = feed(first, parts, message(start, trace[:, start : start + 45]))
    assert region.boundingRect().height() == first.height()
    assert region.boundingRect().width() < 200, "no more than is new"
    feed(second, whole, message(0, trace))
    second.rebuild()
    differs = (picture(first) != picture(second)).any(axis=2)
    assert differs.mean() < 0.001


def test_missing_leads_leave_a_named_empty_cell(qtbot, window):  # noqa: F811
    window.page.controls.change(layout=SHEET)
    shown(window, status(), message(0, np.ones((2, 720))), leads=("MLII", "v5"))
    view = window.page.view
    assert [lane.lead for lane in view.lanes] == [1, 0], "V5, and for want of II the first lead as rhythm"
    assert {blank.name for blank in view.placed.blanks} == {n for names in COLUMNS for n in names} - {"V5"}
    pixels = picture(view)
    for blank in view.placed.blanks:
        cell = pixels[blank.top + 2 : blank.bottom - 2, blank.left + 2 : blank.right - 2]
        assert like(cell[:20], DARK.text, 90).any(), "its name"
        assert like(cell[20:], DARK.background, 3).all(), "no paper and no trace"


@pytest.mark.parametrize("by", ["key", "button", "list", "step"])
def test_a_sheet_is_chosen(qtbot, window, stored, by):  # noqa: F811
    shown(window, status(), message(0, np.ones((12, 720))), leads=TWELVE)
    page = window.page
    if by == "key":
        qtbot.keyClick(window, Qt.Key.Key_D)
    elif by == "button":
        (button,) = [b for b in page.findChildren(QToolButton) if b.defaultAction() is window.commands["3x4"]]
        assert button.isVisible()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    elif by == "list":
        page.controls.lanes.show_value(SHEET)
        page.controls.lanes.chosen.emit(SHEET)
    else:
        for _ in range(3):
            qtbot.keyClick(window, Qt.Key.Key_V)
    assert stored.options.layout == page.controls.lanes.value == SHEET
    assert page.view.placed.sheet
    assert len(page.view.lanes) == 13
    assert window.commands["3x4"].isChecked()
    assert not window.commands["Scroll"].isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_D)
    assert stored.options.layout == "auto"
    assert window.commands["Scroll"].isEnabled()
    assert not page.view.placed.sheet
    qtbot.keyClick(window, Qt.Key.Key_D)
    qtbot.mouseClick(page.reset_button, Qt.MouseButton.LeftButton)
    assert stored.options == ViewOptions()
    assert not window.commands["3x4"].isChecked()


def test_the_option_names_what_is_allowed():
    assert Screen(lanes=SHEET).lanes == SHEET
    with pytest.raises(InputError, match="lanes '4x3' are unknown; allowed: auto, stacked, overlay, 3x4"):
        Screen(lanes="4x3")


def test_ten_seconds_fit_the_smallest_window_and_calipers_measure_the_lead_of_their_cell(qtbot, window):  # noqa: F811
    window.page.controls.change(layout=SHEET)
    trace = np.zeros((12, 12 * FS))
    trace[:, ::FS] = 1.0
    shown(window, status(), message(0, trace), leads=TWELVE)
    view = window.page.view
    assert view.page_samples >= 10 * FS - 2
    assert view.width() - view.sweep.width < 4
    qtbot.keyClick(window, Qt.Key.Key_F)
    (number,) = [n for n, lane in enumerate(view.lanes[:-1]) if lane.lead == TWELVE.index("v2")]
    lane = view.lanes[number]
    at = QPoint((lane.left + lane.right) // 2, lane.zero - round(view.calibration.px_per_mv))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    held = window.page.streams.rows[0].hand.calipers
    assert held.lane == number
    assert held.first_mv == pytest.approx(1.0, abs=0.05)
    qtbot.keyClick(window, Qt.Key.Key_E)
    qtbot.keyClick(window, Qt.Key.Key_E)
    assert window.page.streams.rows[0].hand.calipers.lane == 12, "by key they stand on the rhythm strip"


def test_what_is_wrong_with_a_lead_stands_in_its_cell(qtbot, window):  # noqa: F811
    window.page.controls.change(layout=SHEET)
    monitor = shown(window, status(), message(0, np.tile(np.sin(np.arange(720)), (12, 1))), leads=TWELVE)
    view = window.page.view
    lane = view.lanes[6]
    before = picture(view)[lane.top + 2 : lane.top + 19, lane.left + 2 : lane.right]
    assert not like(before, DARK.bad, 90).any()
    window.page.streams.rows[0].labels.set_alarms(
        ["LEAD OFF" if lead == "v2" else "" for lead in monitor.info.leads]
    )
    after = picture(view)[lane.top + 2 : lane.top + 19, lane.left + 2 : lane.right]
    assert like(after, DARK.bad, 90).any()
