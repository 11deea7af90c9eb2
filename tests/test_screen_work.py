"""What a frame costs does not grow with what happened, and what nobody looks at is not worked out."""

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from gui_tools import info, message, started
from test_screen import qrs

from gui import events
from gui.events import EventLog
from gui.monitor import Monitor
from gui.theme import DARK
from gui.traces.trace_view import TraceView
from gui.view_options import ViewOptions


def steps_of(work):
    """How many calls and lines of Python some work takes: the same on any machine."""
    counted = 0

    def count(frame, event, what):
        nonlocal counted
        counted += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("kind", ["gap", "mark"])
def test_a_frame_costs_the_same_however_much_has_happened(qtbot, monkeypatch, kind):
    monkeypatch.setattr(events, "_KEPT", 200_000)
    frames = []
    for count in (100, 100_000):
        monitor = Monitor(started())
        for sample in range(-count, 0):
            monitor.events.note(sample * 10_000, kind, "one of many")
        view = TraceView(DARK, ViewOptions(layout="stacked", gain=10.0), 4.0)
        qtbot.addWidget(view)
        view.resize(803, 300)
        view.show_monitor(monitor)
        for at in (0, 360):
            monitor.take([message(at, qrs(720)[at : at + 360])])
            view.advance()
        monitor.take([message(720, qrs(1080)[720:])])
        frames.append(steps_of(view.advance))
        frames[-1] += steps_of(lambda log=monitor.events: (log.beside(5, -1), log.beside(5, 1)))
    # Ten halvings more in each of a few searches; one look at each event would be 100 000.
    assert 0 < frames[1] < frames[0] + 500


def test_the_oldest_events_are_forgotten_and_marks_with_them(monkeypatch):
    monkeypatch.setattr(events, "_KEPT", 3)
    log = EventLog(info())
    for sample, kind in ((10, "mark"), (20, "gap"), (30, "mark"), (40, "mark"), (40, "gap")):
        log.note(sample, kind, str(sample))
    assert [event.sample for event in log.found] == [30, 40, 40]
    assert [event.sample for event in log.marks(0, 100)] == [30, 40]
    assert [event.sample for event in log.marks(31, 40)] == []
    assert log.marks(30, 31)[0].text == "30"
