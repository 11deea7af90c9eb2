"""What a frame costs does not grow with what happened, and what nobody looks at is not worked out."""

import os
import sys
from collections import Counter
from functools import partial

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from gui_tools import info, message, started
from test_screen import qrs

from engine.guard.wave_doubt import WaveDoubt, unsure_of
from engine.marks import Mark
from engine.messages import Gap
from engine.st_view import StView
from gui import events, on_demand
from gui.events import EventLog
from gui.lead_view import LeadView
from gui.monitor import Monitor
from gui.theme import DARK
from gui.trace_buffer import TraceBuffer
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


# What is worked out when it is asked for


def stream_of(seconds, leads=2):
    """Messages of a noisy stream, with gaps, skipped messages, bypassed stretches and unsure waves."""
    draw = np.random.default_rng(7)
    count = seconds * 360
    raw = (np.tile(qrs(count), (leads, 1)) + draw.normal(0, 0.1, (leads, count))).astype(np.float32)
    cleaned = (raw + draw.normal(0, 0.05, raw.shape)).astype(np.float32)
    # What the network states of its error goes up and down.
    error = np.repeat(draw.uniform(0, 0.3, (leads, count // 90)), 90, axis=1).astype(np.float32)
    marks = np.repeat(draw.random((leads, count // 180)) < 0.1, 180, axis=1) * int(Mark.BYPASSED)
    at = 0
    while at < count:
        stop = min(count, at + int(draw.integers(10, 50)))
        what = draw.random()
        if what < 0.02:
            yield Gap("test", at, stop)
        elif what > 0.02 + 0.01:
            part = slice(at, stop)
            square = cleaned[:, part] ** 2 + error[:, part] ** 2
            yield message(at, raw[:, part], cleaned=cleaned[:, part], spread=square, marks=marks[:, part])
        at = stop


def everything(buffer):
    """Of both leads, what was worked out."""
    reach = buffer.oldest, buffer.final
    return [work(lead, *reach) for lead in (0, 1) for work in (partial(buffer.read, "st"), buffer.unsure)]


def test_what_is_asked_for_late_is_what_it_would_have_been_hop_by_hop():
    often, late = TraceBuffer(info(leads=("II", "V1"))), TraceBuffer(info(leads=("II", "V1")))
    doubt, judged = WaveDoubt(2, 360.0), np.zeros((2, 60 * 360), np.bool_)
    for each in stream_of(60):
        often.push(each)
        late.push(each)
        everything(often)
        first, unsure = doubt.push(each)
        judged[:, first : first + unsure.shape[1]] |= unsure
    assert len(often.gaps) > 10
    assert 0.05 < judged.mean() < 0.95
    for shown, asked in zip(everything(often), everything(late), strict=True):
        np.testing.assert_array_equal(shown, asked)
    for lead in (0, 1):
        unsure = late.unsure(lead, 0, late.final)
        np.testing.assert_array_equal(unsure, judged[lead, : late.final])
        # Nothing of it stands where nothing was cleaned.
        known = late.final - 22
        missing = np.isnan(late.read("cleaned", lead, 0, known))
        np.testing.assert_array_equal(np.isnan(late.read("st", lead, 0, known)), missing)


def test_what_the_ring_has_overwritten_is_not_worked_out_and_spoils_nothing():
    buffer = TraceBuffer(info(leads=("II", "V1")), 20.0)
    for each in stream_of(60):
        buffer.push(each)
        if buffer.final < 10 * 360:
            everything(buffer)
    view = buffer.read("st", 0, buffer.oldest, buffer.final)
    cleaned = buffer.read("cleaned", 0, buffer.oldest, buffer.final)
    assert np.isfinite(view).mean() > 0.8
    assert np.nanmax(np.abs(view - cleaned)) < 1.0


def test_nothing_is_worked_out_for_leads_and_lanes_that_nobody_looks_at(qtbot, monkeypatch):
    worked = []
    monkeypatch.setattr(on_demand, "unsure_of", lambda *given: worked.append("doubt") or unsure_of(*given))
    take = StView.push
    monkeypatch.setattr(StView, "push", lambda self, *given: worked.append("st") or take(self, *given))
    monitor = Monitor(started(leads=("II", "V1", "V2")))
    view = TraceView(DARK, ViewOptions(layout="overlay", gain=10.0), 4.0)
    qtbot.addWidget(view)
    view.resize(803, 300)
    view.show_monitor(monitor)
    flat = np.zeros((3, 36), np.float32)

    def play(start):
        worked.clear()
        for at in range(start, start + 3600, 36):
            monitor.take([message(at, flat, spread=flat + 0.04)])
            view.advance()
        return Counter(worked)

    view.freeze(True)
    assert play(0) == {}
    view.freeze(False)
    every = play(3600)
    assert set(every) == {"doubt"}
    view.set_options(ViewOptions(layout="overlay", gain=10.0, leads=LeadView(hidden=("V1", "V2"))))
    assert play(7200)["doubt"] <= every["doubt"] / 3 + 2
    view.set_options(ViewOptions(layout="overlay", gain=10.0, st=True))
    assert play(10800)["st"] == 100
