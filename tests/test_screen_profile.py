"""The window, timed: what is fed to it is drawn."""

import sys

import numpy as np
import pytest
from gui_tools import message, preview, started

from engine.run.protocol import Started
from gui.monitor import Monitor
from gui.screen_profile import lanes, wall
from gui.screen_profile.feed import SPREAD_MV, Feed, Load
from gui.screen_profile.window import open_window
from gui.settings import Settings
from gui.theme import DARK
from gui.traces.trace_view import TraceView
from gui.view_options import ViewOptions


def test_every_bed_of_the_wall_has_new_signal_in_every_frame(qapp, monkeypatch):
    ends = []
    timed = wall._time_frames

    def followed(window, feeds, frames):
        figures = timed(window, feeds, 2)
        ends.append([monitor.buffer.final for monitor in window.run.monitors])
        return figures

    monkeypatch.setattr(wall, "_time_frames", followed)
    assert wall.profile_wall(2)["frames_per_s"] > 0
    hops = 2 * round(0.04 * 360)
    assert ends == [[hops] * wall.BEDS, [2 * hops] * wall.BEDS]


@pytest.mark.parametrize("spread_mv", [0.02, 0.2], ids=["sure", "unsure"])
def test_a_hop_is_taken_and_drawn_with_few_calls(qtbot, spread_mv):
    """A hop has a dozen columns: what it costs is how often it calls, whatever the machine."""
    monitor = Monitor(started(reference=False))
    view = TraceView(DARK, ViewOptions(gain=10.0, layout="stacked"), 4.0)
    qtbot.addWidget(view)
    view.resize(803, 450)
    view.show_monitor(monitor)
    trace = np.full(720 + 108, 0.1, np.float32)

    def hop(start, stop):
        square = trace[start:stop] ** 2 + np.float32(spread_mv**2)
        released = message(start, trace[start:stop], spread=square)
        monitor.take([released, preview(stop, trace[stop : stop + 108])])

    hop(0, 576)
    view.advance()
    calls = 0

    def count(frame, event, what):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        hop(576, 648)
        view.advance()
    finally:
        sys.setprofile(None)
    assert 100 < calls < 850


def test_the_fed_signal_states_the_spread_that_it_was_given():
    """A mean square that is none would make every wave unsure, and dearer to draw than at a bedside."""
    feed = Feed(Load("two leads", 2, 360.0, residual=False))
    monitor = Monitor(feed.started())
    for _ in range(100):
        monitor.take(feed.hop())
    spread = monitor.buffer.last("spread", 4.0)
    assert spread.shape == (2, 1400)
    np.testing.assert_allclose(spread, SPREAD_MV, rtol=0.05)
    assert monitor.unsure([0, 1]) == [False, False]


def test_hours_are_told_half_hour_by_half_hour_and_looked_back_at(qtbot, monkeypatch):
    shown_until = []
    show = TraceView.show_until
    monkeypatch.setattr(TraceView, "show_until", lambda self, stop: shown_until.append(show(self, stop)))
    feed = Feed(Load("one lead", 1, 360.0, residual=False))
    window = open_window(Settings(), None)
    qtbot.addWidget(window)
    window.attach(Started((feed.started(),)))
    view = window.page.view
    halves = lanes._pass_half_hours(window, feed, 0.02)
    assert feed.start == 1800 * 14, "72 s in hops of 40 ms"
    assert len(halves) == 2
    for half in halves:
        assert half["resident_kib"] > 10_000
        assert 0 < half["paint_cpu_p50_ms"] <= half["paint_cpu_p99_ms"]
    assert len(shown_until) == 2
    assert shown_until[0] == shown_until[1] == view.page_samples, "the oldest page that is kept"
    assert not view.frozen
    window.close()
