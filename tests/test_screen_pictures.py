"""The pictures of every screen, and what they have shown to be wrong."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).with_name("screens")))

from job_tools import job_of
from pictures import CHOSEN, Pictures, window_of
from played import CLOCK, Played, standing_still
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QTreeWidgetItem
from test_gui_window import like, picture

from gui.arrows import DropDown, NumberField
from gui.start_screen import StartScreen
from gui.style import style_sheet
from gui.theme import DARK, LIGHT
from streamer.settings import SourceSettings

DOCS = Path(__file__).parents[1] / "docs"
_MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def patient():
    return Played(SourceSettings(leads=("II",), noise="em", snr=6.0, seconds=4.0, speed=0.0))


def test_the_same_build_makes_the_same_picture(qapp, patient, tmp_path):
    for name in ("once", "again"):
        folder = tmp_path / name
        folder.mkdir()
        with standing_still():
            window = window_of(patient)
            Pictures(folder, ["1280x720"], ["dark"]).take(window, "monitor", window)
            window.close()
            assert CLOCK.now > 2.5
            assert window.page.header.badge.text() == "Δ 141 ms"
    (once,), (again,) = (list((tmp_path / name).iterdir()) for name in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()


def test_the_chosen_pictures_are_there_small_and_shown():
    page = (DOCS / "screen.md").read_text(encoding="utf-8")
    for name in CHOSEN:
        picture = DOCS / f"screen-{name}.png"
        assert picture.stat().st_size <= _MOST_BYTES, picture
        assert f"({picture.name})" in page


def test_the_room_round_letters_grows_with_them(qapp, patient):
    assert "padding: 3px 5px" in style_sheet(DARK)
    assert "padding: 6px 10px" in style_sheet(DARK, 2.0)
    assert "border: 1px solid" in style_sheet(DARK, 2.0)
    with standing_still():
        window = window_of(patient)
    rooms = []
    for size in ((1920, 1080), (3840, 2160)):
        window.resize(*size)
        layouts = (window.page.header.layout(), window.page.controls.layout())
        rooms.append([(layout.spacing(), layout.contentsMargins().left()) for layout in layouts])
    window.close()
    assert rooms == [[(10, 10), (4, 8)], [(20, 20), (8, 16)]]


def test_names_on_the_start_screen_are_not_cut_where_there_is_room(qtbot):
    screen = StartScreen((), job_of())
    qtbot.addWidget(screen)
    screen.setStyleSheet(style_sheet(DARK, 2.0))
    texts = ["ventricular ectopic beats", "ECG · 12 channels · 1000 Hz · on ward-2", "Live"]
    screen.list.addTopLevelItem(QTreeWidgetItem(texts))
    screen.resize(3840, 2160)
    screen.show()
    letters = screen.list.fontMetrics()
    for column, text in enumerate(texts[:2]):
        assert screen.list.columnWidth(column) > letters.horizontalAdvance(text)
    assert not screen.list.horizontalScrollBar().isVisible()


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_arrows_of_lists_and_numbers_have_the_colour_of_letters(qtbot, theme):
    for field, runs in ((DropDown(), 1), (NumberField(), 2)):
        qtbot.addWidget(field)
        field.setStyleSheet(style_sheet(theme, 2.0))
        field.resize(200, 48)
        field.show()
        right = picture(field)[4:-4, -38:-3]
        drawn = like(right, theme.text, 60).any(axis=1)
        assert int((np.diff(drawn.astype(int), prepend=0) == 1).sum()) == runs, "arrows, from the top"
        assert _between(right, theme).all()


def _between(pixels, theme):
    """Which pixels have the colour of letters, of what is behind them, or one between."""
    ends = np.array([QColor(name).getRgb()[:3] for name in (theme.text, theme.raised)])
    low, high = ends.min(axis=0) - 8, ends.max(axis=0) + 8
    return ((pixels >= low) & (pixels <= high)).all(axis=2)
