"""View and place of the window, remembered of each bed and in general."""

import os

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from dataclasses import replace

from gui_tools import message, status
from PyQt6.QtCore import Qt
from test_screen import shown, stored, window  # noqa: F401 - fixtures

from gui.lead_view import LeadView
from gui.settings import Settings
from gui.view_options import ViewOptions

KEYS = Qt.Key


def play(window, name):  # noqa: F811
    shown(window, status(), message(0, np.ones((2, 720))), leads=("I", "II"), name=name)


def test_each_bed_has_its_view_and_a_new_one_that_of_the_last(qtbot, window, stored):  # noqa: F811
    play(window, "bed 1/A")
    qtbot.keyClick(window, KEYS.Key_D)
    qtbot.keyClick(window, KEYS.Key_Up, Qt.KeyboardModifier.ControlModifier)
    first = window.page.view.options
    assert (first.layout, first.leads.gain("I")) == ("3x4", 2.0)
    play(window, "bed 2")
    assert window.page.view.options == first
    qtbot.keyClick(window, KEYS.Key_D)
    qtbot.keyClick(window, KEYS.Key_S)
    second = window.page.view.options
    assert (second.layout, second.scroll) == ("auto", True)
    play(window, "bed 1/A")
    assert window.page.view.options == window.page.controls._options == first
    assert window.commands["3x4"].isChecked()
    assert not window.commands["Scroll"].isChecked()
    again = Settings(stored._store)
    assert again.options == second, "in general, as it was changed last"
    again.use_bed(["bed 1/A"])
    assert again.options == first


def test_reset_view_forgets_the_bed(qtbot, window, stored):  # noqa: F811
    play(window, "bed 1")
    qtbot.keyClick(window, KEYS.Key_D)
    qtbot.keyClick(window, KEYS.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert window.page.view.options == stored.options == ViewOptions()
    assert not [key for key in stored._store.allKeys() if key.startswith("bed/")]


def test_each_bed_has_its_place(qtbot, window, stored):  # noqa: F811
    play(window, "bed 1")
    window.resize(1280, 760)
    play(window, "bed 2")
    assert not stored.bed_has_geometry
    assert window.height() == 760, "a new one stands where the window is"
    window.resize(1280, 730)
    play(window, "bed 1")
    assert window.height() == 760
    window.choose_source()
    play(window, "bed 2")
    assert window.height() == 730


def test_of_many_beds_the_oldest_is_forgotten(stored):  # noqa: F811
    names = [f"bed {number}" for number in range(70)]
    for number, name in enumerate(names):
        stored.use_bed([name])
        stored.options = replace(ViewOptions(), leads=LeadView(hidden=(str(number),)))
    kept = {key.split("/")[1] for key in stored._store.allKeys() if key.startswith("bed/")}
    assert len(kept) == 64
    stored.use_bed(names[:1])
    assert stored.options.leads.hidden == ("69",), "it looks as the last one did"
    stored.use_bed(names[-2:-1])
    assert stored.options.leads.hidden == ("68",)


def test_what_the_command_line_says_holds_over_a_bed(stored):  # noqa: F811
    stored.use_bed(["bed 1"])
    stored.options = ViewOptions(layout="overlay")
    asked = Settings(stored._store)
    asked.knows_beds = False
    asked.options = ViewOptions(layout="3x4")
    asked.use_bed(["bed 1"])
    assert asked.options.layout == "3x4"
